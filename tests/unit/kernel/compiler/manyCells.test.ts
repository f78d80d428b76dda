import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LiveCompiler } from "../../../../src/kernel/compiler/live/liveCompiler";
import { temporaryFolder } from "../../../support/temporaryFolder";

const compilers: LiveCompiler[] = [];
after(() => {
  for (const compiler of compilers) compiler.close();
});

function open(): (source: string) => void {
  const compiler = new LiveCompiler(temporaryFolder("many-cells"), "typescript");
  compilers.push(compiler);
  return (source) => {
    const compiled = compiler.compile(source);
    assert.ok(!Array.isArray(compiled), JSON.stringify(compiled));
    compiled.commit();
  };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Megabytes that something on the heap refers to. */
function heap(): number {
  for (let times = 0; times < 4; times++) collect();
  return process.memoryUsage().heapUsed / 1e6;
}

test("cells that are run again and again leave nothing of their former selves", () => {
  const run = open();
  const members = Array.from({ length: 150 }, (_, i) => `  member${i}: { name: string; size: number }[];`);
  const notebook = [
    `interface Wide {\n${members.join("\n")}\n}\nconst wide: Partial<Wide> = {};`,
    `const sizes = [wide.member1].map((one) => one?.length);\n/* ${"long ".repeat(2000)}*/`,
    'import { join } from "node:path";\nconst joined = join("a", String(sizes));',
    "const both = { wide, sizes, joined };",
  ];
  const times = (count: number) => {
    for (let cell = 0; cell < count; cell++) run(notebook[cell % notebook.length]!);
  };
  times(200);
  const before = heap();
  times(400);
  // What 400 of them hold, were they kept, is more than 20 MB.
  assert.ok(
    heap() - before < 6,
    `${before.toFixed(1)} MB after 200 cells, ${heap().toFixed(1)} MB after 600`,
  );
});

test("each of 650 cells may be made of the one before", () => {
  const run = open();
  run("const v0 = 0;");
  for (let cell = 1; cell < 650; cell++) run(`const v${cell} = v${cell - 1} + 1;`);
  run('import { join } from "node:path";\nconst text: string = join(String(v649));'); // a new type checker
  assert.throws(() => run("const text: string = v649;"), /'number' is not assignable to type 'string'/);
});
