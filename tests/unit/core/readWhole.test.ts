import assert from "node:assert/strict";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readWhole, readWholeText } from "../../../src/core/readWhole";
import { assertRejects, temporaryFolder } from "../train/support";

test("a file is read whole; one that is not there, no file, or too large is refused as that", async () => {
  const folder = temporaryFolder();
  const path = (name: string) => join(folder, name);
  writeFileSync(path("text"), "grün");
  assert.equal(await readWholeText(path("text")), "grün");
  assert.equal((await readWhole(path("text"))).length, 5);
  await assertRejects(readWhole(path("none")), "missing-file", path("none"), "ENOENT");
  mkdirSync(path("folder"));
  await assertRejects(readWhole(path("folder")), "bad-file", "not a regular file");
  await assertRejects(readWhole(join(path("text"), "below")), "bad-file", "ENOTDIR");
  writeFileSync(path("large"), "");
  truncateSync(path("large"), 256 * 2 ** 20 + 1);
  await assertRejects(
    readWhole(path("large")),
    "bad-file",
    "268435457 bytes are more than the limit of 268435456",
  );
});
