import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ImportableNames } from "../../../../src/kernel/compiler/live/importable";
import { LiveProgram } from "../../../../src/kernel/compiler/live/program";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { temporaryFolder } from "../../../support/temporaryFolder";

const compiler = loadTypeScript();

test("the checker is made anew for the cell after 199 others, and then stays again", () => {
  const live = new LiveProgram(compiler, temporaryFolder("live"), "typescript");
  const cell = () => {
    live.parse("1");
    live.prepare("1", []);
    return live.current;
  };
  live.prepare("", []);
  const first = live.current;
  for (let cells = 1; cells < 200; cells++) assert.equal(cell(), first, `${cells}`);
  const second = cell();
  assert.notEqual(second, first);
  assert.equal(cell(), second);
});

test("imports are offered from 100 local files and from texts below 512 KiB", async () => {
  const folder = temporaryFolder("importable");
  const number = (index: number) => String(index).padStart(3, "0");
  for (let index = 0; index < 102; index++)
    writeFileSync(join(folder, `f${number(index)}.ts`), `export const near${number(index)} = 1;\n`);
  writeFileSync(join(folder, "a.d.ts"), "export declare const nearTypes: 1;\n");
  const text = "export const nearLong = 1;\n";
  for (const [name, more] of [
    ["f000.ts", 0],
    ["f001.ts", -1],
  ] as const)
    writeFileSync(join(folder, name), text.replace("Long", name.slice(1, 4)).padEnd(2 ** 19 + more));
  mkdirSync(join(folder, "f002x.ts"));
  const { host, options } = new LiveProgram(compiler, folder, "typescript");
  const { Function: kind, Interface: type } = compiler.SymbolFlags;
  const checker = {
    getAmbientModules: () => ['"node:one"', '"two"'].map((name) => ({ name })),
    getExportsOfModule: () => [
      { name: "nodeValue", flags: kind },
      { name: "nodeType", flags: type },
    ],
  };
  const live = { folder, packages: [], host, options, checker };
  const importable = new ImportableNames(compiler, live as never);
  try {
    importable.beginningWith("near");
    for (let turns = 0; turns < 500; turns++) await turn();
    const found = importable.beginningWith("near").map(({ name, module }) => `${name} of ${module}`);
    const wanted = Array.from({ length: 99 }, (_, index) => `near${number(index)} of ./f${number(index)}`);
    assert.deepEqual(found.sort(), wanted.slice(1));
    assert.deepEqual(importable.beginningWith("node"), [{ name: "nodeValue", module: "node:one" }]);
    assert.deepEqual(importable.beginningWith("near001"), [{ name: "near001", module: "./f001" }]);
  } finally {
    importable.close();
  }
});
