// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CellOutcome } from "../../../../src/kernel/executor/cellRunner";
import { CellRunner } from "../../../../src/kernel/executor/cellRunner";
import type { CellOutputs } from "../../../../src/kernel/executor/outputs";
import { stripAnsi } from "../../../../src/notebook/html";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

/** Outputs, a text each; what is printed in one go is one. */
function noted(): { outputs: CellOutputs; log: string[] } {
  const log: string[] = [];
  let last: { name: string; text: string } | undefined;
  const add = (line: string) => {
    last = undefined;
    log.push(stripAnsi(line.replaceAll("\\u001b", "\x1b")));
  };
  const outputs: CellOutputs = {
    stream(name, text) {
      if (last?.name === name) log.pop();
      const whole = (last?.name === name ? last.text : "") + text;
      log.push(`${name} ${JSON.stringify(stripAnsi(whole))}`);
      last = { name, text: whole };
    },
    display: (message, update) => add(`${update ? "update" : "display"} ${JSON.stringify(message)}`),
    clear: (wait) => add(`clear ${wait}`),
    result: (data) => add(`result ${JSON.stringify(data)}`),
    error: (failure) => add(`error ${JSON.stringify(failure)}`),
  };
  return { outputs, log };
}

describe("cells", () => {
  const startedIn = process.cwd();
  const folder = realpathSync(temporaryFolder("run-cells"));
  const answers: (string | null | undefined)[] = [];
  const asked: string[] = [];
  let runner: CellRunner;
  before(() => {
    process.chdir(folder);
    mkdirSync(join(folder, "sub"));
    writeFileSync(
      join(folder, "local.ts"),
      "export const here = 1;\nexport function fails(): never {\n  throw new TypeError('from a file');\n}\n",
    );
    runner = new CellRunner({
      folder,
      language: "typescript",
      stray: "process",
      listen: false,
      ask(question) {
        asked.push(question);
        return answers.shift();
      },
    });
  });
  after(() => {
    runner.close();
    process.chdir(startedIn);
  });
  let count = 0;
  const run = async (source: string, options: object = {}): Promise<[string, string[]]> => {
    const { outputs, log } = noted();
    const outcome: CellOutcome = await runner.execute(source, `cell [${++count}]`, outputs, options);
    const how =
      outcome.status === "ok" ? "ok" : `${outcome.ename}${outcome.interrupted ? " interrupted" : ""}`;
    return [how, log];
  };

  it("one after the other do what is approved", async () => {
    const calls = new Calls({ folder });
    for (const source of [
      "",
      "1 + 1",
      "'text'",
      "undefined",
      "null",
      "let a = 3; a",
      "a + 1",
      "a;",
      "a++; a",
      "a",
      "const f = (x: number) => x * 2; f(a)",
      "f",
      "[1, 'b', { c: null }]",
      "console.log('out', 1); console.error('err'); 'value'",
      "process.stdout.write('no end')",
      "process.stdout.write('a'); process.stderr.write('b'); process.stdout.write('c');",
      "throw new Error('thrown')",
      "throw 'text'",
      "let before = 1; throw new RangeError('behind')",
      "before",
      "null.x",
      "let u: any; u.x",
      "\n\nfunction deep() { throw new Error('deep') }\n\ndeep()",
      "deep()",
      "import { here, fails } from './local'; here",
      "fails()",
      "let n: number = 'x'",
      "missing",
      "let = 2",
      "await Promise.resolve(5)",
      "Promise.resolve(5)",
      "[Promise.resolve(1), Promise.resolve(2)]",
      "await Promise.reject(new Error('rejected'))",
      "const late = new Promise((done) => setTimeout(() => done('late'), 5)); await late",
      "for await (const x of [1, 2]) console.log(x)",
      "require('node:path').sep.length",
      "(await import('node:os')).EOL",
      "import { sep } from 'node:path'; sep",
      "typeof require, typeof module, __filename.slice(-7)",
      "class P { constructor(private x = 1) {} }; new P()",
      "({ [Symbol.for('nodejs.util.inspect.custom')]: () => 'its own words' })",
      "({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('cannot') } })",
      "({ toJSON() { throw new Error('x') } })",
      "new Map([[1, new Set([2])]])",
      "Buffer.from('abc')",
      "10n ** 20n",
      "Symbol('s')",
      "new Date(0)",
      "/re/g",
      "-0",
      "'multi\\nline'",
      "prompt('Name? ')",
      "prompt('Age', '7')",
      "confirm('Sure?')",
      "alert('Read')",
      "confirm('Nobody?')",
      "prompt('Nobody?')",
      "using d = { [Symbol.dispose]() { console.log('disposed') } }; 1",
      "enum E { A = 2 }; E.A",
      "E[2]",
      "namespace N { export const x = 7 }; N.x",
      "let { p, ...q } = { p: 1, r: 2 }; q",
      "let __u = 4; __u",
      "__u + 1",
      "𝒳 = 1",
      "let 𝒳 = 2; 𝒳",
      "exports.tsLastExpr",
      "this === module.exports",
      "%env LUVIT_CELL=1",
      "process.env.LUVIT_CELL",
      "%cd sub",
      "process.cwd() === __dirname",
      "process.cwd() === __dirname",
      "%cd ..",
      "!echo shell",
      "let dup = 1",
      "const dup = 'again'; dup",
      "function dup() { return 'function' }; dup()",
      "var hoisted; { var hoisted = 2 } hoisted",
      "let s = 0; for (let i = 0; i < 5; i++) { s += i } s",
    ]) {
      if (source.includes("prompt('Name")) answers.push("me", "", "yes", "", undefined, undefined);
      calls.note(JSON.stringify(source), await run(source));
      if (asked.length > 0) calls.note("  asked", asked.splice(0));
    }
    calls.note(
      "printed later",
      await run(
        "setTimeout(() => console.log('later'), 5); await new Promise((done) => setTimeout(done, 30))",
      ),
    );
    calls.approve("kernel/executor/cells");
  });

  it("are ended as approved", async () => {
    const calls = new Calls({ folder });
    calls.note("over time, waiting", await run("await new Promise(() => {})", { seconds: 0.1 }));
    calls.note("within its time", await run("1", { seconds: 5 }));
    const waiting = run(
      "console.log('begun'); Object.assign(globalThis, { luvitBegun: true }); await new Promise((done) => setTimeout(done, 5000).unref()); console.log('not reached')",
    );
    while (!("luvitBegun" in globalThis)) await sleep(5);
    calls.note("running", [runner.isRunning, runner.current?.name !== undefined]);
    runner.interrupt();
    calls.note("interrupted", await waiting);
    calls.note("running", [runner.isRunning, runner.current]);
    const filled = run("await new Promise(() => {})");
    await sleep(20);
    runner.endForMemory();
    calls.note("ended for its memory", (await filled)[0]);
    runner.endForMemory();
    runner.interrupt();
    runner.expire();
    calls.note("and a cell after it", await run("'runs'"));
    calls.note("described", runner.describe(new Error("x")).ename);
    calls.approve("kernel/executor/ends");
  });
});
