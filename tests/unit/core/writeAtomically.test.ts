import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import crypto from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import {
  writeAtomically,
  writeFailure,
  writeFileAtomically,
  writeJsonAtomically,
} from "../../../src/core/writeAtomically";
import { assertRejects, temporaryFolder } from "../io/support";

const writers: Record<string, (path: string, content: string) => Promise<void>> = {
  writeAtomically: async (path, content) => writeAtomically(path, content),
  writeFileAtomically: (path, content) =>
    writeFileAtomically(path, async (handle) => {
      await handle.writeFile(content);
    }),
};
const permissions = (path: string) => statSync(path).mode & 0o777;

for (const [name, write] of Object.entries(writers)) {
  test(`${name}: the content is there, in folders that were not, and nothing beside it`, async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a", "b", "c.txt");
    await write(path, "one");
    await write(path, "two");
    assert.equal(readFileSync(path, "utf8"), "two");
    assert.deepEqual(readdirSync(join(folder, "a", "b")), ["c.txt"]);
  });

  test(`${name}: a 0600 file keeps its mode, and so does one that all may write`, async () => {
    const path = join(temporaryFolder(), "secret");
    for (const mode of [0o600, 0o666, 0o640, 0o755]) {
      writeFileSync(path, "old");
      chmodSync(path, mode);
      await write(path, "new");
      assert.equal(permissions(path), mode);
    }
  });

  test(`${name}: a new file has the mode that the user's mask leaves`, async () => {
    const path = join(temporaryFolder(), "new");
    const before = process.umask(0o027);
    try {
      await write(path, "new");
    } finally {
      process.umask(before);
    }
    assert.equal(permissions(path), 0o640);
  });

  test(`${name}: a link at its place is replaced, and what it leads to stays as it was`, async () => {
    const folder = temporaryFolder();
    const [target, link] = [join(folder, "target"), join(folder, "link")];
    writeFileSync(target, "precious");
    symlinkSync(target, link);
    await write(link, "new");
    assert.equal(readFileSync(target, "utf8"), "precious");
    assert.ok(lstatSync(link).isFile());
    assert.equal(readFileSync(link, "utf8"), "new");
  });

  test(`${name}: what a write passes through has no name that could be known before`, async () => {
    const folder = realpathSync(temporaryFolder());
    const path = join(folder, "file");
    const seen = new Set<string>();
    const watcher = watch(folder, (_, entry) => seen.add(`${entry}`));
    for (let i = 0; i < 4; i++) await write(path, "x".repeat(1000));
    for (let i = 0; i < 100 && seen.size < 5; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    watcher.close();
    const temporaries = [...seen].filter((entry) => entry !== "file");
    assert.equal(temporaries.length, 4, [...seen].join(", "));
    for (const entry of temporaries)
      assert.match(entry, new RegExp(`^file\\.tmp-${process.pid}-\\d{10,20}$`));
  });

  test(`${name}: old content is whole at its place until the new one is`, async () => {
    const path = join(temporaryFolder(), "file");
    writeFileSync(path, "old");
    const before = statSync(path).ino;
    await write(path, "new");
    assert.notEqual(statSync(path).ino, before, "another file took its place");
  });

  test(`${name}: folders and pipes are not replaced, and what cannot be written is said`, async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "file"), "x");
    await assertRejects(() => write(join(folder, "sub"), "x"), "bad-file", "not a regular file");
    const pipe = join(folder, "pipe"); // not a device of the machine: a faulty write would take it away
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    await assertRejects(() => write(pipe, "x"), "bad-file", "not a regular file");
    assert.ok(lstatSync(pipe).isFIFO());
    await assertRejects(() => write(join(folder, "file", "below"), "x"), "bad-file", "cannot be written");
    assert.deepEqual(readdirSync(folder).sort(), ["file", "pipe", "sub"]);
  });

  test(`${name}: a name that leaves no room for an ending is written, too`, async () => {
    const path = join(temporaryFolder(), "é".repeat(120));
    await write(path, "new");
    assert.equal(readFileSync(path, "utf8"), "new");
  });
}

test("content is on the disk before it takes its place", async () => {
  const path = join(temporaryFolder(), "file");
  const synced: string[] = [];
  await writeFileAtomically(path, async (handle) => {
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      synced.push(existsSync(path) ? "in its place" : "aside");
      await sync();
    };
    await handle.writeFile("content");
  });
  assert.deepEqual(synced, ["aside"]);
});

for (const [name, write] of Object.entries(writers)) {
  test(`${name}: a link that waits where the content passes through is never followed`, async (t) => {
    const folder = temporaryFolder();
    const [target, path] = [join(folder, "target"), join(folder, "file")];
    writeFileSync(target, "precious");
    // As if somebody could guess the name.
    t.mock.method(crypto, "randomBytes", () => Buffer.alloc(8));
    const guessed = join(folder, `file.tmp-${process.pid}-0`);
    symlinkSync(target, guessed);
    await assertRejects(() => write(path, "new"), "bad-file", "EEXIST");
    assert.equal(readFileSync(target, "utf8"), "precious");
  });
}

test("content that fails half-way leaves the old file and nothing else", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  await writeJsonAtomically(path, { a: 1 });
  const fails = writeFileAtomically(path, async (handle) => {
    await handle.writeFile("half");
    throw new Error("no more");
  });
  await assert.rejects(fails, /cannot be written \(no more\)/);
  assert.equal(readFileSync(path, "utf8"), '{\n  "a": 1\n}\n');
  assert.deepEqual(readdirSync(folder), ["file"]);
  assert.ok(existsSync(path));
});

test("folders that were made for a file that fails are gone again, those that were there stay", async () => {
  const folder = temporaryFolder();
  const fails = (path: string) =>
    writeFileAtomically(path, async () => {
      throw new Error("no more");
    });
  await assert.rejects(fails(join(folder, "a", "b", "file")), /no more/);
  assert.deepEqual(readdirSync(folder), []);
  mkdirSync(join(folder, "empty"));
  await assert.rejects(fails(join(folder, "empty", "c", "file")), /no more/);
  assert.deepEqual(readdirSync(folder), ["empty"]);
  for (const write of Object.values(writers)) {
    const long = join(folder, "d", "n".repeat(300), "file");
    await assertRejects(() => write(long, "text"), "bad-file", "cannot be written");
    assert.deepEqual(readdirSync(folder), ["empty"]);
  }
});

test("why a file could not be written is told once, with what to do", () => {
  const told = new LuvitError("bad-argument", "was told before");
  assert.equal(writeFailure("out.json", told), told);
  const failure = (code: string) =>
    writeFailure("out.json", Object.assign(new Error(`E: ${code}`), { code }));
  for (const [code, text] of [
    ["ELOOP", "out.json: is a link, and nothing is written through it"],
    ["ENOSPC", "out.json: cannot be written (E: ENOSPC); the disk is full: make room, or write elsewhere"],
    ["EDQUOT", "out.json: cannot be written (E: EDQUOT); the disk is full: make room, or write elsewhere"],
    ["EACCES", "out.json: cannot be written (E: EACCES)"],
  ]) {
    const { code: kind, message, cause } = failure(code);
    assert.deepEqual([kind, message, (cause as Error).message], ["bad-file", text, `E: ${code}`]);
  }
});
