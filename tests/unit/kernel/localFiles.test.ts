import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stripAnsi } from "../../../src/notebook/html";
import { Cells } from "./cells";

let cells: Cells;
const write = (name: string, text: string) => writeFileSync(join(cells.folder, name), text);

before(() => {
  cells = new Cells();
  mkdirSync(join(cells.folder, "sub"));
});
after(() => cells.close());

async function traceback(code: string): Promise<string> {
  const { outcome } = await cells.run(code);
  assert.ok(outcome.status === "error", code);
  return stripAnsi(outcome.traceback.join("\n"));
}

describe("an error in an imported .ts file", () => {
  const helper =
    "interface A {\n  x: number;\n}\n\nexport function boom(a: A): number {\n  if (a.x > 1) {\n    throw new RangeError('far');\n  }\n  return a.x;\n}\n";

  it("names the file and the line as written, also through other files and after an edit", async () => {
    write("helper.ts", helper);
    write(
      "sub/deep.ts",
      "import { boom } from '../helper';\nexport type T = string;\n\nexport const deep = (n: number) =>\n  boom({ x: n });\n",
    );
    const direct = await traceback('import { boom } from "./helper";\nboom({ x: 5 })');
    assert.match(direct, /at boom \(.*\/helper\.ts:7:11\)\n\s+at cell \[\d+\]:2:5$/);
    const deep = 'import { deep } from "./sub/deep";\n\ndeep(3)';
    assert.match(
      await traceback(deep),
      /at boom \(.*\/helper\.ts:7:11\)\n\s+at deep \(.*\/sub\/deep\.ts:5:7\)/,
    );
    write("helper.ts", `// one line more\n${helper}`);
    assert.match(await traceback(deep), /at boom \(.*\/helper\.ts:8:11\)/);
    const caught = await cells.run("try { deep(3) } catch (e) { console.log((e as Error).stack); }");
    assert.match(caught.text, /helper\.ts:8:11\)[\s\S]*cell \[\d+\]:1:\d+\n$/);
    assert.doesNotMatch(caught.text, /\.js/);
  });

  it("that the compiler finds names the file, too", async () => {
    write("wrong.ts", "\nexport const z: number = 'x';\n");
    assert.match(await traceback('import { z } from "./wrong";\nz'), /^wrong\.ts:2:14 - error TS2322/);
  });
});

describe("an imported .ts file that has changed", () => {
  const indirect = 'import { get } from "./outer";\nget()';

  beforeEach(() => {
    write("inner.ts", "export const version = 0;\n");
    write("outer.ts", "import { version } from './inner';\nexport const get = () => version;\n");
  });

  it("is read anew by the next cell, however early it comes, and so is what imports it", async () => {
    assert.equal((await cells.run(indirect)).value, "0");
    for (const version of [1, 2, 3]) {
      write("inner.ts", `export const version = ${version};\n`);
      assert.equal((await cells.run(indirect)).value, String(version));
    }
    write("new.ts", "export const version = 4;\n");
    renameSync(join(cells.folder, "new.ts"), join(cells.folder, "inner.ts"));
    assert.equal((await cells.run(indirect)).value, "4");
    assert.equal((await cells.run('(await import("./outer")).get()')).value, "4");
  });

  it("is read anew for each of those that import it", async () => {
    write("other.ts", "import { version } from './inner';\nexport const other = () => version;\n");
    const both = 'import { get } from "./outer";\nimport { other } from "./other";\n[get(), other()]';
    assert.equal((await cells.run(both)).value, "[ 0, 0 ]");
    write("inner.ts", "export const version = 7;\n");
    assert.equal((await cells.run(both)).value, "[ 7, 7 ]");
    write("inner.ts", "export const version = 8;\n");
    assert.equal((await cells.run(both)).value, "[ 8, 8 ]");
  });

  it("is read anew through all files between it and the cell", async () => {
    write(
      "top.ts",
      "import { get } from './outer';\nimport { own } from './apart';\nexport const seen = [get(), own];\n",
    );
    write("apart.ts", "export const own: string = 'a';\n");
    const far = 'import { seen } from "./top";\nseen';
    assert.equal((await cells.run(far)).value, "[ 0, 'a' ]");
    write("inner.ts", "export const version = 5;\n");
    assert.equal((await cells.run(far)).value, "[ 5, 'a' ]");
    write("apart.ts", "export const own: string = 'b';\n");
    assert.equal((await cells.run(far)).value, "[ 5, 'b' ]");
  });

  it("keeps its state where it has not changed", async () => {
    write("state.ts", "export const seen: number[] = [];\n");
    await cells.run('import { seen } from "./state";\nseen.push(1);');
    write("inner.ts", "export const version = 9;\n");
    await cells.run(indirect);
    assert.equal((await cells.run('import { seen } from "./state";\nseen')).value, "[ 1 ]");
  });

  it("may come late, go and come again", async () => {
    const code = 'import { late } from "./late";\nlate';
    const seen = async (value: string | undefined) => {
      while ((await cells.run(code)).value !== value) await sleep(20); // the system tells of new files in its own time
    };
    assert.match(await traceback(code), /Cannot find module '\.\/late'/);
    write("late.ts", "export const late = 1;\n");
    await seen("1");
    rmSync(join(cells.folder, "late.ts"));
    await seen(undefined);
    write("late.ts", "export const late = 2;\n");
    await seen("2");
  });
});

describe("a module that is not there", () => {
  it("is named with what to do: install a package, look at the folder for a file", async () => {
    for (const code of [
      'import x from "no-such/part";\nx',
      'require("no-such/part")',
      'await import("no-such/part")',
    ]) {
      const text = await traceback(code);
      assert.match(text, /Cannot find (module|package) 'no-such/, code);
      assert.match(
        text,
        /hint: the package is not installed: run `!npm install no-such` in a cell, in \//,
        code,
      );
      assert.doesNotMatch(text, /requireStack|Require stack/, code);
    }
    assert.match(await traceback('import x from "@no/such";\nx'), /npm install @no\/such/);
    assert.match(await traceback('import x from "./nosuch";\nx'), /no such file, seen from .*luvit-cells-/);
  });
});
