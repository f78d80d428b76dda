import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileSource, memorySource } from "../../../../src/io/bytes/byteSource";
import { assertRejects, temporaryFolder } from "../support";

const folder = temporaryFolder();

test("a file gives its bytes, also in pieces of many megabytes, and none beyond its end", async () => {
  const path = join(folder, "large");
  const content = Buffer.alloc(17 * 2 ** 20);
  for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(at, at);
  writeFileSync(path, content);
  const source = await fileSource(path);
  assert.equal(source.size, content.length);
  assert.ok(content.equals(await source.read(0, content.length)));
  assert.ok(content.subarray(5, 9_000_001).equals(await source.read(5, 9_000_001)));
  assert.equal((await source.read(7, 7)).length, 0);
  for (const [start, end] of [
    [0, content.length + 1],
    [9, 8],
    [-1, 4],
    [0.5, 4],
  ])
    await assertRejects(() => source.read(start, end), "bad-file", `bytes ${start} to ${end} are needed`);
  await source.close();
});

test("a file that becomes shorter while it is read is an error, no endless wait", async () => {
  const path = join(folder, "shrinking");
  writeFileSync(path, Buffer.alloc(1000));
  const source = await fileSource(path);
  truncateSync(path, 500);
  await assertRejects(() => source.read(0, 1000), "bad-file", "became shorter while it was read");
  assert.equal((await source.read(0, 500)).length, 500);
  await source.close();
});

test("folders, pipes and devices are no files, and what is not there is missing", async () => {
  const pipe = join(folder, "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  for (const path of [folder, pipe, "/dev/zero"])
    await assertRejects(() => fileSource(path), "bad-file", "not a regular file");
  await assertRejects(() => fileSource(join(folder, "none")), "missing-file", "no such file");
  await assertRejects(() => fileSource(join(pipe, "below")), "missing-file", "no such file");
});

test("what memory gives is a copy", async () => {
  const bytes = Buffer.from([1, 2, 3]);
  const read = await memorySource("bytes", bytes).read(0, 3);
  read[0] = 9;
  assert.equal(bytes[0], 1);
});
