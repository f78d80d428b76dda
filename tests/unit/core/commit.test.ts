import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { codeVersion, commitOf } from "../../../src/core/commit";
import { packageRoot } from "../../../src/core/packageRoot";

const folder = mkdtempSync(join(tmpdir(), "luvit-commit-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const git = (...words: string[]) =>
  execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

test("a checkout is named by its commit, with + behind it where a file differs from it", () => {
  git("init", "--quiet");
  const file = join(folder, "file");
  writeFileSync(file, "one");
  git("add", "file");
  git("commit", "--quiet", "-m", "first");
  const commit = git("rev-parse", "HEAD").slice(0, 12);
  assert.equal(commitOf(folder), commit);
  writeFileSync(join(folder, "not tracked"), "");
  assert.equal(commitOf(folder), commit);
  writeFileSync(file, "two");
  assert.equal(commitOf(folder), `${commit}+`);
});

test("a second tree of a checkout, whose .git is a file, is named by its own commit", () => {
  const second = join(folder, "second tree");
  git("worktree", "add", "--quiet", "--detach", second);
  assert.ok(statSync(join(second, ".git")).isFile());
  assert.equal(
    commitOf(second),
    git("rev-parse", "HEAD").slice(0, 12),
    "what differs is in the first tree alone",
  );
});

test("a package inside somebody else's checkout is not named by that checkout's commit", () => {
  const inside = join(folder, "node_modules");
  mkdirSync(inside);
  assert.equal(commitOf(inside), undefined);
});

test("the code of this package is named by its commit, else by its version, wherever it is called", (t) => {
  const started = process.cwd();
  t.after(() => process.chdir(started));
  process.chdir(folder); // a checkout of something else
  assert.equal(codeVersion(), commitOf(packageRoot()) ?? "luvit 0.1.0");
});
