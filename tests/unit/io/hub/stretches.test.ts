import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { StretchFolder } from "../../../../src/io/hub/stretches";
import { temporaryFolder } from "../support";

test("what came is kept where it begins, and a stretch of which nothing came leaves no file", async () => {
  const folder = join(temporaryFolder(), "stretches");
  const stretches = new StretchFolder(folder);
  assert.deepEqual(await stretches.kept(), []);
  const bytes = Uint8Array.of(5, 6, 7, 8);
  const writer = await stretches.begin(100);
  writer.offer(103, () => []);
  await writer.finish(({ start, end }) => [bytes.subarray(start - 100, end - 100)]);
  const nothing = await stretches.begin(500);
  await nothing.finish(() => []);
  const [kept, ...others] = await stretches.kept();
  assert.deepEqual([kept.start, kept.end, others], [100, 103, []]);
  assert.deepEqual([...readFileSync(kept.path)], [5, 6, 7]);
  assert.equal(readdirSync(folder).length, 1);
  writeFileSync(join(folder, "notes.txt"), "not ours");
  assert.equal((await stretches.kept()).length, 1);
  await stretches.clear();
  assert.deepEqual(await stretches.kept(), []);
});

test("files of nothing are no stretches, and names that are none of ours are passed over", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "100.0123abcd"), "");
  writeFileSync(join(folder, "200.0123abcd"), "abc");
  for (const name of ["x.0123abcd", "300.0123abcg", "300.0123abcde", "1234567890123456.0123abcd", "300"])
    writeFileSync(join(folder, name), "abc");
  const kept = await new StretchFolder(folder).kept();
  assert.deepEqual(
    kept.map(({ start, end }) => [start, end]),
    [[200, 203]],
  );
});
