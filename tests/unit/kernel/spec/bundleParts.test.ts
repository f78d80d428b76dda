import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type * as bundle from "../../../../src/kernel/spec/bundle";
import { temporaryFolder } from "../../../support/temporaryFolder";

/* The copy of a small package of the same name, whose code for copying is ours. */

const { platform, arch } = process;
const otherSystem = platform === "win32" ? "linux" : "win32";
const otherArch = arch === "arm64" ? "x64" : "arm64";

function made(manifest: object, files: Record<string, string>) {
  const root = temporaryFolder("bundle");
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const folder of ["core", "kernel/spec"])
    cpSync(join(__dirname, "../../../../src", folder), join(root, "code", folder), { recursive: true });
  write("package.json", JSON.stringify({ name: "luvit", files: ["dist", "none", "own/*.txt"], ...manifest }));
  for (const [path, text] of Object.entries(files)) write(path, text);
  const { copyPackage } = require(join(root, "code/kernel/spec/bundle.js")) as typeof bundle;
  const target = join(root, "made", "here");
  return { root, target, copy: () => copyPackage(target) };
}

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  return paths.map((path) => path.slice(folder.length + 1)).sort();
}

const a = "node_modules/a";

test("a copy has the packages that are needed, each once, and their parts for this system", () => {
  const kept: Record<string, string> = {
    "dist/index.js": "12",
    "dist/index.js.map": "kept: it is our own",
    "node_modules/@s/b/package.json": '{ "dependencies": { "a": "1" } }',
    "node_modules/deep/package.json": "{}",
    [`${a}/package.json`]:
      '{ "dependencies": { "@s/b": "1" }, "optionalDependencies": { "none": "1", "deep": "1" } }',
    [`${a}/lib/${otherSystem}/x.js`]: "only below folders of native code",
    [`${a}/bin/tool.js`]: "every system's",
    [`${a}/bin/napi-v6/${platform}/${arch}/x.node`]: "this one",
    [`${a}/build/${platform}/x.node`]: "of any processor",
  };
  const left: Record<string, string> = {
    "dist/x.tsbuildinfo": "",
    "own/x.txt": "",
    "other/x.js": "",
    "node_modules/tool/package.json": "{}",
    [`${a}/index.js.map`]: "",
    [`${a}/node_modules/c/index.js`]: "",
    [`${a}/bin/napi-v6/${otherSystem}/${arch}/x.node`]: "",
    [`${a}/bin/napi-v6/${platform}/${otherArch}/x.node`]: "",
    [`${a}/prebuilds/${otherSystem}/x.node`]: "",
  };
  const manifest = { dependencies: { a: "1" }, devDependencies: { tool: "1" } };
  const { root, target, copy } = made(manifest, { ...kept, ...left });
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "old.txt"), "of the last copy");
  const bytes = copy();
  const wanted = ["package.json", ...Object.keys(kept)].sort();
  assert.deepEqual(filesBelow(target), wanted);
  const sizes = wanted.map((path) => readFileSync(join(root, path)).length);
  assert.equal(
    bytes,
    sizes.reduce((one, other) => one + other, 0),
  );
  assert.deepEqual(readdirSync(dirname(target)), ["here"], "nothing is left beside it");
});

test("every package that is needed and not there is named, and the last copy stays", () => {
  const manifest = { dependencies: { a: "1", gone: "1" }, optionalDependencies: { none: "1" } };
  const { target, copy } = made(manifest, { [`${a}/package.json`]: '{ "dependencies": { "lost": "1" } }' });
  mkdirSync(target, { recursive: true });
  assert.throws(copy, ({ code, message }: Error & { code: string }) => {
    assert.equal(code, "missing-file");
    assert.match(message, /lost \(for a\)/);
    assert.match(message, /gone \(for luvit-bundle/);
    assert.doesNotMatch(message, /none/);
    return true;
  });
  assert.ok(existsSync(target));
});

test("a package of two versions keeps both where one lies below the other", () => {
  const own = `${a}/node_modules/b/package.json`;
  const { target, copy } = made(
    { dependencies: { a: "1", b: "1" } },
    {
      [`${a}/package.json`]: '{ "dependencies": { "b": "2" } }',
      [own]: '{ "version": "2.0.0" }',
      "node_modules/b/package.json": '{ "version": "1.0.0" }',
    },
  );
  copy();
  assert.equal(readFileSync(join(target, own), "utf8"), '{ "version": "2.0.0" }');
  assert.equal(readFileSync(join(target, "node_modules/b/package.json"), "utf8"), '{ "version": "1.0.0" }');
});
