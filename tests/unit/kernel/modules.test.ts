import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CellModules, define } from "../../../src/kernel/executor/modules";
import { temporaryFolder } from "../../support/temporaryFolder";

const start = Symbol.for("luvit.backend.start");

function notebookFolder(files: Record<string, string>): string {
  const folder = temporaryFolder("modules");
  after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const withStart = (value: unknown) => Object.defineProperty(globalThis, start, { configurable: true, value });

test("a cell begins when what single ops run on has started, and also when it cannot start", async () => {
  const modules = new CellModules(notebookFolder({}), {});
  let started = false;
  withStart(async () => {
    await sleep(30);
    started = true;
  });
  await modules.prepare([]);
  assert.equal(started, true);
  withStart(() => Promise.reject(new Error("no backend")));
  await modules.prepare([]);
  withStart(undefined);
  await modules.prepare([]);
});

test("the library is started by the time that `import()` gives it, and the same one is given again", async () => {
  const modules = new CellModules(notebookFolder({}), {});
  const loaded = (await modules.load("luvit")) as { tf: { getBackend(): string } };
  assert.ok(loaded.tf.getBackend());
  assert.equal(modules.require("luvit"), loaded);
});

test("what is no ES module is given as `default`, an object's fields beside it", async () => {
  const folder = notebookFolder({
    "object.json": '{ "a": 1 }',
    "text.json": '"abc"',
    "call.cjs": "module.exports = Object.assign(() => 1, { extra: 2 });",
    "compiled.cjs": 'Object.defineProperty(exports, "__esModule", { value: true }); exports.x = 3;',
  });
  const modules = new CellModules(folder, {});
  assert.deepEqual(await modules.load("./object.json"), { a: 1, default: { a: 1 } });
  assert.deepEqual(await modules.load("./text.json"), { default: "abc" });
  assert.deepEqual(Object.keys(await modules.load("./call.cjs")), ["default"]);
  const compiled = await modules.load("./compiled.cjs");
  assert.deepEqual([compiled.x, "default" in compiled], [3, false]);
});

test("ES modules are told by ending, by the nearest manifest and by what a package exports", async () => {
  const folder = notebookFolder({
    "alone.mjs": "export const name = 'alone'; export let count = 0; export const add = () => ++count;",
    "module/package.json": '{ "type": "module" }',
    "module/deep/index.js": "export const name = 'deep';",
    "module/common/package.json": '{ "type": "commonjs" }',
    "module/common/index.js": "exports.name = 'common';",
    "module/common.cjs": "exports.name = 'by its ending';",
    "node_modules/only/package.json": '{ "exports": { "import": "./index.mjs" } }',
    "node_modules/only/index.mjs": "export const name = 'only';",
    "package.json": "{}",
    "plain.js": "exports.name = 'plain';",
  });
  const modules = new CellModules(folder, {});
  for (const [path, name] of [
    ["./alone.mjs", "alone"],
    ["./module/deep/index.js", "deep"],
    ["./module/common/index.js", "common"],
    ["./module/common.cjs", "by its ending"],
    ["only", "only"],
    ["./plain.js", "plain"],
  ]) {
    assert.equal((await modules.load(path)).name, name);
    await modules.prepare([path]);
    assert.equal((modules.require(path) as { name: string }).name, name);
  }
  const alone = modules.require("./alone.mjs") as { __esModule: boolean; count: number; add(): number };
  assert.equal(alone.__esModule, true);
  alone.add();
  assert.equal(alone.count, 1, "a name follows its module");
  assert.deepEqual(Object.keys(alone).sort(), ["add", "count", "name"]);
  await assert.rejects(modules.load("nowhere"), /Cannot find module 'nowhere'/);
});

test("a name is defined as a plain property with the value it has now, except the mark of compiled modules", () => {
  const target: Record<string, unknown> = {};
  define(target, "a", { get: () => 1 });
  define(target, "b", { value: 2 });
  define(target, "__esModule", { value: true });
  target.a = 3;
  assert.deepEqual(target, { a: 3, b: 2 });
});

test("a cell's modules are those of the folder that it is in, each read once there", async () => {
  const es = (name: string) => ({
    "node_modules/only/package.json": '{ "type": "module", "exports": "./index.js" }',
    "node_modules/only/index.js": `export const name = '${name}';`,
    "own.js": `exports.name = '${name} own';`,
  });
  const [first, second] = [notebookFolder(es("first")), notebookFolder(es("second"))];
  const modules = new CellModules(first, {});
  const names = async () => {
    await modules.prepare(["only"]);
    return ["only", "./own"].map((name) => (modules.require(name) as { name: string }).name);
  };
  assert.deepEqual(await names(), ["first", "first own"]);
  const known = modules.require("only");
  await modules.prepare(["only"]);
  assert.equal(modules.require("only"), known);
  modules.moveTo(second);
  assert.deepEqual(await names(), ["second", "second own"]);
  assert.equal((await modules.load("only")).name, "second");
});

test("a copy of the library that the folder has is the one that cells get, and Node's modules are its own", async () => {
  const folder = notebookFolder({
    "node_modules/luvit/package.json": '{ "name": "luvit", "version": "0.0.1" }',
    "node_modules/luvit/index.js": "exports.copy = true;",
    "node_modules/fs/index.js": "exports.wrong = true;",
    "local/use.js": "exports.unused = 1;",
  });
  const modules = new CellModules(folder, { given: 1 });
  assert.deepEqual(modules.require("luvit"), { copy: true });
  assert.equal(typeof (await modules.load("fs")).readFileSync, "function");
  assert.equal(typeof (await modules.load("node:path")).join, "function");
  modules.add([
    {
      path: join(folder, "local", "part.js"),
      data: 'exports.part = given; exports.path = require("node:path");',
    },
    { path: join(folder, "local", "top.js"), data: 'exports.top = require("./part").part + 1;' },
  ]);
  assert.equal(modules.exportsOf(join(folder, "local", "top.js")), undefined, "not yet");
  assert.equal((modules.require("./local/top") as { top: number }).top, 2);
  assert.equal(modules.exportsOf(join(folder, "local", "top.js"))!.top, 2);
  assert.equal((await modules.load("./local/part")).part, 1);
  assert.throws(() => modules.require("./part"), /Cannot find module '\.\/part'/);
});
