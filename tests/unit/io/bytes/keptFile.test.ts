import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fileSource, KeptFile } from "../../../../src/io/bytes";
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

test("a file that was closed is not closed again when it is forgotten: its number may be another's by then", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const path = file("numbered");
  await (async () => {
    for (let i = 0; i < 20; i++) await new KeptFile(path).close();
  })();
  const others = Array.from({ length: 20 }, () => openSync(path, "r"));
  for (let turn = 0; turn < 5; turn++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  for (const other of others) {
    assert.equal(fstatSync(other).size, 10);
    closeSync(other);
  }
});

test("a file that is not as it was when its source was opened is kept by nobody, and not held open", {
  skip: existsSync("/proc/self/fd") ? false : "this system does not tell which files are open",
}, async () => {
  const path = file("replaced");
  const source = await fileSource(path);
  const isOpen = () =>
    readdirSync("/proc/self/fd").filter((name) => {
      try {
        return readlinkSync(join("/proc/self/fd", name)).startsWith(path);
      } catch {
        return false;
      }
    }).length;
  assert.equal(isOpen(), 1);
  writeFileSync(path, "another text");
  assert.equal(source.keep!(), undefined);
  assert.equal(isOpen(), 1, "its own");
  await source.close();
  assert.equal(isOpen(), 0);
});
