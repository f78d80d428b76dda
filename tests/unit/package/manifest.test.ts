import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

interface LockEntry {
  hasInstallScript?: boolean;
  license?: string;
  dev?: boolean;
  resolved?: string;
}

function repository(folder: string): string {
  return existsSync(join(folder, "biome.json")) ? folder : repository(dirname(folder));
}

const root = repository(__dirname);
const json = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));
const manifest = json("package.json");
const lock = json("package-lock.json") as { packages: Record<string, LockEntry> };

test("no install script of a dependency runs: the lock file names none, and the manifest allows none", () => {
  const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
  assert.deepEqual(
    scripted.map(([path]) => path),
    [],
    "npm writes hasInstallScript back when it changes the lock file: take it out again",
  );
  assert.deepEqual(Object.values(manifest.allowScripts), [false, false, false]);
});

test("the lock file names no host that packages come from", () => {
  assert.deepEqual(
    Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined),
    [],
  );
});

test("the notice names every dependency, and with its license every native part that is not Apache's or MIT's", () => {
  const notice = readFileSync(join(root, "NOTICE"), "utf8");
  const unnamed = Object.keys(manifest.dependencies).filter(
    (name) => !new RegExp(`(^|[\\s,])${name}([\\s,]|$)`).test(notice),
  );
  assert.deepEqual(unnamed, []);
  for (const [path, { license = "", dev }] of Object.entries(lock.packages)) {
    const kinds = dev ? [] : (license.match(/\b(?:A?GPL|LGPL|MPL)-[\d.]+/g) ?? []);
    for (const kind of kinds) assert.ok(notice.includes(kind), `${path} is under ${license}`);
  }
});

test("every dependency is asked for somewhere in the library or in how it is built", () => {
  const files = ["src", "scripts"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, String(name))),
  );
  const text = files
    .filter((file) => /\.(ts|mjs)$/.test(file))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  const unused = Object.keys(manifest.dependencies).filter(
    (name) => !new RegExp(`["'\`]${name}[/"'\`]`).test(text),
  );
  assert.deepEqual(unused, []);
});

test("what is packed names its files, none of them a run's", () => {
  const files: string[] = manifest.files;
  for (const folder of ["data", "notebooks", "data/runs", "notebooks/runs"])
    assert.ok(!files.includes(folder), folder);
  for (const file of files.filter((name) => !/[*!]/.test(name)))
    assert.ok(existsSync(join(root, file)), file);
});
