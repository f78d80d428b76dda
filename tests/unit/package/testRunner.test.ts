import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const repository = (folder: string): string =>
  existsSync(join(folder, "biome.json")) ? folder : repository(dirname(folder));
const root = repository(__dirname);
const script = join(root, "scripts", "test.mjs");
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder of test files, each with these lines after the one that requires `test`. */
function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "luvit-runner-"));
  folders.push(folder);
  for (const [name, code] of Object.entries(files))
    writeFileSync(join(folder, `${name}.test.js`), `const { test } = require("node:test");\n${code}\n`);
  return folder;
}

function runOn(files: Record<string, string>, env: Record<string, string> = {}) {
  const { status, stdout } = spawnSync(process.execPath, [script, "--only", folderOf(files)], {
    encoding: "utf8",
    cwd: root,
    env: { ...process.env, ...env },
  });
  const lines = stdout.trimEnd().split("\n");
  return { status, stdout, lines, closing: lines.at(-1) };
}

const good = 'test("one", () => {}); test("two", () => {});';

test("the last line holds three numbers, also when nothing failed and nothing was skipped", () => {
  const { status, closing } = runOn({ good });
  assert.deepEqual([status, closing], [0, "2 passed, 0 failed, 0 skipped"]);
});

test("tests that were skipped are named with their reasons, those without one too", () => {
  const { status, lines, closing } = runOn({
    good,
    some: `test("a", { skip: "no Python here" }, () => {}); test("b", (t) => t.skip("no disk (mount)"));
test.skip("c", () => {}); test("d", () => {});`,
  });
  assert.deepEqual([status, closing], [0, "3 passed, 0 failed, 3 skipped"]);
  const named = lines
    .filter((line) => line.startsWith("SKIPPED"))
    .map((line) => line.split("some.test.js: ")[1]);
  assert.deepEqual(named, ["a: no Python here", "b: no disk (mount)", "c: no reason given"]);
});

test("every file that fails is named: by an assertion, while it loads, by its exit, for want of a test", () => {
  const { status, lines, closing } = runOn({
    good,
    asserts: 'test("no", () => { throw new Error("wrong"); }); test("yes", () => {});',
    empty: "console.log(test.name);",
    loads: 'throw new Error("does not load");',
    ends: 'test("leaves", () => process.exit(0)); test("never", () => {});',
  });
  assert.equal(status, 1);
  const named = lines
    .filter((line) => line.startsWith("FAILED"))
    .map((line) => line.replace(/.*runner-\w+\//, ""));
  assert.deepEqual(
    named.sort().map((line) => line.split(":")[0]),
    ["asserts.test.js", "empty.test.js", "ends.test.js", "loads.test.js"],
  );
  assert.deepEqual(named.slice(0, 2), ["asserts.test.js: 1 of 2", "empty.test.js: holds no test"]);
  assert.match(closing!, /^3 passed, \d failed, 0 skipped$/);
});

test("nothing that passed is a failure", () => {
  assert.deepEqual([runOn({}).status, runOn({}).closing], [1, "0 passed, 0 failed, 0 skipped"]);
});

test("a file that does not end is killed at its time limit and named, with all it has started", async () => {
  const mark = join(folderOf({}), "pids");
  const hangs = `const { spawn } = require("node:child_process");
test("first", () => {});
test("hangs", () => {
  const child = spawn("sleep", ["1000"], { stdio: "inherit" });
  require("node:fs").writeFileSync(${JSON.stringify(mark)}, process.pid + " " + child.pid);
  for (;;);
});`;
  const { status, lines, closing } = runOn({ good, hangs }, { LUVIT_TEST_LIMIT: "4" });
  assert.deepEqual([status, closing], [1, "2 passed, 1 failed, 0 skipped"]);
  assert.ok(
    lines.some((line) => /^FAILED .*hangs\.test\.js: did not end within 4 s and was killed$/.test(line)),
  );
  for (const pid of readFileSync(mark, "utf8").split(" ").map(Number)) {
    while (isAlive(pid)) await sleep(20);
  }
});

/** Zombies that nobody has waited for yet do not count. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}

const drawing = `const { testSeed } = require(${JSON.stringify(join(__dirname, "../../support/seededRng"))});
test("draws", () => { const seed = testSeed(); if (process.env.FAILS) throw new Error("drew " + seed); });`;

test("a test that draws and fails says its seed, and LUVIT_SEED sets it", () => {
  const drawn = runOn({ drawing }, { FAILS: "1" });
  const [, seed] = /drew (\d+)/.exec(drawn.stdout)!;
  assert.ok(drawn.stdout.includes(`LUVIT_SEED=${seed} draws the same`), drawn.stdout);
  const again = runOn({ drawing }, { FAILS: "1", LUVIT_SEED: "77" });
  assert.match(again.stdout, /drew 77\b/);
  assert.doesNotMatch(runOn({ drawing }).stdout, /LUVIT_SEED/);
  assert.match(runOn({ drawing }, { LUVIT_SEED: "soon" }).stdout, /LUVIT_SEED=soon: expected an integer/);
});

test("stopping the runner stops the tests", async () => {
  const mark = join(folderOf({}), "pid");
  const folder = folderOf({
    waits: `test("waits", () => {
  require("node:fs").writeFileSync(${JSON.stringify(mark)}, String(process.pid));
  return new Promise(() => setInterval(() => {}, 1000));
});`,
  });
  const child = spawn(process.execPath, [script, "--only", folder], { cwd: root, stdio: "ignore" });
  while (!existsSync(mark) || readFileSync(mark, "utf8") === "") await sleep(20);
  const ended = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGTERM");
  assert.equal(await ended, 130);
  while (isAlive(Number(readFileSync(mark, "utf8")))) await sleep(20);
});

test("what fails beside others and passes alone is told with what it failed over, and counted as passed", () => {
  const mark = join(folderOf({}), "asked before");
  const once = `const fs = require("node:fs"); const mark = ${JSON.stringify(mark)};
test("late", () => { if (!fs.existsSync(mark)) { fs.writeFileSync(mark, ""); throw new Error("too slow"); } });`;
  const { status, stdout, closing } = runOn({ good, once });
  assert.deepEqual([status, closing], [0, "3 passed, 0 failed, 0 skipped"]);
  assert.match(stdout, /^UNSTEADY .*once\.test\.js: 1 of 1[\s\S]*too slow/m);
  assert.doesNotMatch(stdout, /^FAILED/m);
});

test("nobody is asked again who hangs, or where many fail", () => {
  const folder = folderOf({});
  const noted = (name: string, then: string) =>
    `require("node:fs").appendFileSync(${JSON.stringify(join(folder, name))}, "x"); test("a", () => { ${then} });`;
  const asked = (name: string) => readFileSync(join(folder, name), "utf8").length;
  const hanging = runOn({ hung: noted("hung", "while (true);") }, { LUVIT_TEST_LIMIT: "2" });
  assert.deepEqual([hanging.status, asked("hung")], [1, 1]);
  const names = ["one", "two", "three", "four"];
  const fails = names.map((name) => [name, noted(name, 'throw new Error("no");')]);
  const { status, closing } = runOn(Object.fromEntries(fails));
  assert.deepEqual([status, closing], [1, "0 passed, 4 failed, 0 skipped"]);
  assert.deepEqual(names.map(asked), [1, 1, 1, 1]);
});
