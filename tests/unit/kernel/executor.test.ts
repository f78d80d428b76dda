import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { stripAnsi } from "../../../src/notebook/html";
import { Cells, type RanCell } from "./cells";

let cells: Cells;

before(() => {
  cells = new Cells();
});
after(() => cells.close());

async function value(source: string): Promise<string | undefined> {
  const ran = await cells.run(source);
  assert.deepEqual(ran.outcome, { status: "ok" });
  return ran.value;
}

function traceback({ outcome }: RanCell): string {
  assert.equal(outcome.status, "error");
  return outcome.status === "error" ? stripAnsi(outcome.traceback.join("\n")) : "";
}

describe("cells", () => {
  it("await, also with for await alone, and show the value of their last expression", async () => {
    assert.equal(await value("const two = await Promise.resolve(2);\ntwo + 1"), "3");
    assert.equal(
      await value("let sum = 0;\nfor await (const n of [1, Promise.resolve(2)]) sum += n;"),
      undefined,
    );
    assert.equal(await value("sum"), "3");
    assert.equal(await value("null"), undefined);
  });

  it("see earlier variables in every place, shorthand properties among them", async () => {
    await value("const validation = [1], a = { x: 0 };\nlet n = 1;");
    assert.equal(await value("({ ...a, validation, n })"), "{ x: 0, validation: [ 1 ], n: 1 }");
    assert.equal(
      await value("({ n } = { n: 5 });\n[n, ((validation) => ({ validation }))(7)]"),
      "[ 5, { validation: 7 } ]",
    );
    assert.equal(await value("export const shared = n * 2;\nshared"), "10");
    assert.equal(await value('import { join } from "path";\njoin("a", "b")'), "a/b");
    assert.equal(await value('const join = "again";\njoin'), "again");
  });

  it("keep what they declared before they threw", async () => {
    const ran = await cells.run(
      "const kept = 41;\nfunction throws() { throw new RangeError('late'); }\nthrows();",
    );
    assert.ok(ran.outcome.status === "error" && ran.outcome.ename === "RangeError");
    assert.equal(await value("kept + 1"), "42");
  });

  it("fail with the frames of the user's code at the lines as written", async () => {
    const ran = await cells.run(
      "interface Unused {\n  a: number;\n}\n\nasync function deep(x: { y?: string }) {\n  await null;\n  throw new TypeError('no ' + x.y);\n}\n\nawait deep({});",
    );
    const text = traceback(ran);
    assert.match(text, /^TypeError: no undefined\n {2}7 {3}throw new TypeError/);
    assert.match(text, /at deep \(cell \[\d+\]:7:9\)\n\s+at async cell \[\d+\]:10:1$/);
    assert.doesNotMatch(text, /node:|executor|node_modules/);
  });

  it("show type errors as the compiler words them, with the line, and none for types that have no name", async () => {
    const ran = await cells.run("const fine = 1;\nconst n: number = 'one';");
    const text = traceback(ran);
    assert.match(text, /cell \[\d+\]:2:7 - error TS2322: Type 'string' is not assignable to type 'number'\./);
    assert.match(text, /\n {2}2 const n: number = 'one';\n {10}~\n?/);
    await value("function make() { return class { private secret = 1; open() { return this.secret; } }; }");
    assert.equal(await value("const Made = make();\nnew Made().open()"), "1");
    assert.match(traceback(await cells.run("new Made().secret")), /'secret' is private/);
  });

  it("name the cell's line where a library fails deep inside, and not every frame of a recursion", async () => {
    const folder = join(cells.folder, "node_modules", "deep");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "index.js"),
      "exports.fail = (n) => { if (n === 0) throw new Error('deep inside'); return exports.fail(n - 1); };",
    );
    assert.match(
      traceback(await cells.run('const deep = require("deep");\ndeep.fail(30);')),
      /at cell \[\d+\]:2:6$/,
    );
    const endless = traceback(await cells.run("function rec(): number { return 1 + rec(); }\nrec();"));
    assert.equal(endless.match(/\n\s+at rec /g)?.length, 12);
  });

  it("may throw anything", async () => {
    for (const thrown of ["undefined", "null", "'text'", "5", "{ a: 1 }", "Object.create(null)"]) {
      const { outcome } = await cells.run(`throw ${thrown};`);
      assert.ok(outcome.status === "error" && outcome.ename === "thrown value", thrown);
      if (!thrown.includes("Object")) assert.equal(outcome.evalue, thrown);
    }
  });

  it("in the words of Python get a hint", async () => {
    assert.match(traceback(await cells.run("print('x')")), /hint: .*print of Python is `console\.log/);
    assert.doesNotMatch(traceback(await cells.run("prin('x')")), /hint/);
  });

  it("report the column as written where the compiler saw an edited line", async () => {
    const ran = await cells.run("const o = { n, validation }, wrong: string = 5;");
    assert.match(traceback(ran), /:1:30 - error TS2322/);
  });

  it("know their folder", async () => {
    assert.equal(await value("__dirname"), cells.folder);
    assert.equal(await value('__filename.endsWith(".ts")'), "true");
  });

  it("import ES modules that have only exports, await at their top, and types", async () => {
    const folder = join(cells.folder, "node_modules", "only-esm");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({
        name: "only-esm",
        type: "module",
        exports: { ".": { types: "./a.d.ts", import: "./a.js" } },
      }),
    );
    writeFileSync(
      join(folder, "a.js"),
      "export const late = await Promise.resolve(3);\nexport default 'it';",
    );
    writeFileSync(
      join(folder, "a.d.ts"),
      "export declare const late: number;\ndeclare const it: string;\nexport default it;",
    );
    assert.equal(
      await value('import it, { late } from "only-esm";\n[it, late.toFixed(1)]'),
      "[ 'it', '3.0' ]",
    );
    assert.equal(await value('const m = await import("only-esm");\nm.late'), "3");
    assert.equal(await value('const { late: l2 } = await import("only-esm");\nl2'), "3");
    assert.equal(await value('(await import("fs")).existsSync(__dirname)'), "true");
    assert.equal(await value('const late3 = () => import("only-esm");\n(await late3()).late'), "3");
    assert.equal(await value('const name = "only-esm";\n(await import(name)).late'), "3");
  });

  it("import local TypeScript files", async () => {
    writeFileSync(
      join(cells.folder, "local.ts"),
      "export const squares = [1, 2, 3].map((x: number) => x * x);",
    );
    assert.equal(await value('import { squares } from "./local";\nsquares'), "[ 1, 4, 9 ]");
  });

  it("import this library from any folder, with types", async () => {
    assert.equal(await value('import * as luvit from "luvit";\ntypeof luvit.packageVersion()'), "string");
    const ran = await cells.run("luvit.packageVersion(1, 2);");
    assert.match(traceback(ran), /Expected 0 arguments, but got 2/);
  });

  it("are displayed by their own Jupyter.display method, async or not", async () => {
    const ran = await cells.run(
      '({ [Symbol.for("Jupyter.display")]: async () => ({ "text/html": "<b>x</b>", "text/plain": "x" }) })',
    );
    const [shown] = ran.outputs;
    assert.ok(shown?.output_type === "execute_result");
    assert.deepEqual(shown.data, { "text/plain": "x", "text/html": "<b>x</b>" });
  });

  it("own what they print after their end", async () => {
    const early = await cells.run('void setTimeout(() => console.log("from the first"), 50);');
    const later = await cells.run(
      'await new Promise((done) => setTimeout(done, 120));\nconsole.log("second")',
    );
    assert.equal(later.text, "second\n");
    assert.match(JSON.stringify(early.outputs), /from the first/);
  });
});

describe("a notebook", () => {
  it("that is closed leaves no listener, no way of writing and no promise changed", async () => {
    const state = () => [
      process.listeners("SIGINT").length,
      process.stdout.write,
      process.stderr.write,
      process.emit,
      Error.prepareStackTrace,
      Reflect.has(Promise.prototype, inspect.custom),
    ];
    cells.close();
    const before = state();
    const own = new Cells();
    await own.run("1 + 1");
    const running = own.run("while (true) await new Promise((done) => setTimeout(done, 5));");
    await sleep(100);
    own.executor.interrupt();
    await running;
    assert.equal(process.listeners("SIGINT").length, Number(before[0]) + 1, "one listener, whatever ran");
    own.close();
    assert.deepEqual(state(), before);
    cells = new Cells();
  });
});

describe("an interrupt", () => {
  it("ends a loop that awaits, whose declarations and finally blocks still count, and leaves nothing running", async () => {
    const running = cells.run(
      "let turns = 0, cleaned = false;\ntry { while (true) { turns++; await new Promise((done) => setTimeout(done, 5)); } } finally { cleaned = true; }",
    );
    await sleep(200);
    cells.executor.interrupt();
    const { outcome } = await running;
    assert.ok(outcome.status === "error" && outcome.interrupted && outcome.ename === "KeyboardInterrupt");
    await sleep(50);
    assert.equal(await value("cleaned"), "true");
    const counted = await value("turns");
    await sleep(50);
    assert.equal(await value("turns"), counted);
  });

  it("ends a wait for something that never comes", async () => {
    const running = cells.run("await new Promise(() => {});");
    await sleep(300);
    cells.executor.interrupt();
    assert.ok((await running).outcome.status === "error");
    assert.equal(await value("1 + 1"), "2");
  });

  it("lets a library that listens for SIGINT finish", async () => {
    const running = cells.run(
      'let asked = false;\nconst listener = () => { asked = true; };\nawait new Promise((done) => setTimeout(done, 10));\nprocess.on("SIGINT", listener);\nwhile (!asked) await new Promise((done) => setTimeout(done, 5));\nprocess.off("SIGINT", listener);\n"saved"',
    );
    await sleep(400);
    cells.executor.interrupt();
    const ran = await running;
    assert.deepEqual(ran.outcome, { status: "ok" });
    assert.equal(ran.value, "saved");
  });

  it("ends a cell whose library does not finish in time", async () => {
    const running = cells.run('await null;\nprocess.on("SIGINT", () => {});\nawait new Promise(() => {});');
    await sleep(300);
    cells.executor.interrupt();
    assert.match(traceback(await running), /finishes its step and saves/);
    assert.equal(await value('process.removeAllListeners("SIGINT");\n2'), "2");
  });
});
