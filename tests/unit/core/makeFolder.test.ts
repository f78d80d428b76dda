import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder, takeBack } from "../../../src/core/makeFolder";
import { temporaryFolder } from "../io/support";

test("a folder is made with all above it, and one that is there is left alone", () => {
  const folder = join(temporaryFolder(), "a", "b", "c");
  makeFolder(folder, 0o700);
  makeFolder(folder);
  for (const made of [folder, join(folder, "..")]) assert.equal(statSync(made).mode & 0o777, 0o700);
  symlinkSync(folder, `${folder}-link`);
  makeFolder(join(`${folder}-link`, "inside"));
  assert.ok(existsSync(join(folder, "inside")));
});

test("what is no folder, and what the system refuses, is an error at once", () => {
  const root = temporaryFolder();
  writeFileSync(join(root, "file"), "");
  symlinkSync(join(root, "nowhere"), join(root, "link"));
  const refusals = [
    [join(root, "file"), "EEXIST"],
    [join(root, "file", "below"), "ENOTDIR"],
    [join(root, "link", "below"), "EEXIST"],
  ];
  // There the system says that the folder above is missing, which Node believes for ever.
  if (process.platform === "linux") refusals.push(["/proc/luvit/below", "ENOENT"]);
  for (const [folder, code] of refusals) assert.throws(() => makeFolder(folder), { code }, folder);
});

test("what was made for a folder that is refused in the end is taken back, and nothing else", () => {
  const root = temporaryFolder();
  const long = "n".repeat(300);
  assert.throws(() => makeFolder(join(root, "a", "b", long)), { code: "ENAMETOOLONG" });
  assert.deepEqual(readdirSync(root), []);
  const made = makeFolder(join(root, "c", "d", "e"));
  assert.deepEqual(made, [join(root, "c"), join(root, "c", "d"), join(root, "c", "d", "e")]);
  writeFileSync(join(root, "c", "d", "kept"), "");
  takeBack(made);
  assert.deepEqual(readdirSync(join(root, "c", "d")), ["kept"]);
  assert.deepEqual(makeFolder(join(root, "c")), [], "it was there");
});
