import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

interface LockEntry {
  hasInstallScript?: boolean;
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

test("what is packed names its files, none of them a run's", () => {
  const files: string[] = manifest.files;
  for (const folder of ["data", "notebooks", "data/runs", "notebooks/runs"])
    assert.ok(!files.includes(folder), folder);
  for (const file of files.filter((name) => !/[*!]/.test(name)))
    assert.ok(existsSync(join(root, file)), file);
});
