import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { KeptFile } from "../../../../src/io/bytes";
import { assertRejects, temporaryFolder } from "../support";

const folder = temporaryFolder();
const file = (name: string, text = "0123456789") => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test("a kept file is read at any position, also when it is gone, until it is closed", async () => {
  const path = file("kept");
  const kept = new KeptFile(path);
  assert.equal(kept.size, 10);
  rmSync(path);
  assert.equal(Buffer.from(kept.readNow(2, 5)).toString(), "234");
  assert.equal((await kept.read(10, 10)).length, 0);
  await assertRejects(() => kept.read(5, 11), "bad-file", "bytes 5 to 11 are needed, the file has 10");
  await kept.close();
  await kept.close();
  await assertRejects(() => kept.read(0, 1), "bad-file", "was closed");
});

test("a kept file that was written into or cut is refused", async () => {
  for (const change of [
    () => truncateSync(join(folder, "changed"), 4),
    () => file("changed", "9876543210"),
  ]) {
    const kept = new KeptFile(file("changed"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    change();
    await assertRejects(() => kept.read(0, 4), "bad-file", "was written into since it was opened");
    await kept.close();
  }
});

test("what is no regular file, a Git LFS pointer or not there is not kept", async () => {
  const open = async (name: string) => void new KeptFile(join(folder, name));
  await assertRejects(() => open("none"), "missing-file", "none: no such file");
  mkdirSync(join(folder, "folder"));
  await assertRejects(() => open("folder"), "bad-file", "not a regular file");
  if (process.platform !== "win32") {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await assertRejects(() => open("pipe"), "bad-file", "not a regular file");
  }
  file("pointer", `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12\n`);
  await assertRejects(
    () => open("pointer"),
    "bad-file",
    "a Git LFS pointer in place of the file, for one of 12 bytes",
  );
});
