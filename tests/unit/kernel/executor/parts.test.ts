import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { CellNames } from "../../../../src/kernel/executor/cellNames";
import { dialogs, NoInput } from "../../../../src/kernel/executor/dialogs";
import {
  CellInterrupt,
  currentExecution,
  Execution,
  interrupted,
  isInCode,
  isKeyboardInterrupt,
  outOfMemory,
  stoppedForGood,
} from "../../../../src/kernel/executor/execution";
import { failure } from "../../../../src/kernel/executor/failures";
import { guardProcess } from "../../../../src/kernel/executor/guard";
import { LocalModules } from "../../../../src/kernel/executor/localModules";
import { cellFunction, isSigint, moduleNames } from "../../../../src/kernel/executor/run";
import { redirectOutput } from "../../../../src/kernel/executor/streams";
import { createSignals, segment, slot, termination } from "../../../../src/kernel/signals";
import { heapLimit } from "../../../../src/kernel/watch/watched";
import { stripAnsi } from "../../../../src/notebook/html";
import { temporaryFolder } from "../../../support/temporaryFolder";

test("a local file's module is loaded once, anew with those that import it, and again after it failed", () => {
  const folder = temporaryFolder("local");
  const loads: string[] = [];
  const log = globalThis as { luvitLoads?: string[] };
  log.luvitLoads = loads;
  const begun: string[] = [];
  const modules: LocalModules = new LocalModules(
    { given: 5 },
    (file) => void begun.push(file.slice(folder.length)),
    (original, from, file) =>
      new Proxy(original, {
        apply: (_target, _this, [name]: [string]) => {
          const found = modules.file(name, from);
          return found === undefined ? original(name) : modules.exports(found, file);
        },
      }),
  );
  const source = (name: string, code: string) => ({
    path: join(folder, name),
    data: `luvitLoads.push(${JSON.stringify(name)}); ${code}`,
  });
  modules.add([
    source("inner.js", "exports.value = given;"),
    source("sub/outer.js", 'exports.twice = 2 * require("../inner").value; exports.here = __dirname;'),
    source("apart.js", 'require("node:path"); require("package/part"); exports.x = 1;'),
  ]);
  const outer = join(folder, "sub", "outer.js");
  const read = () => modules.exports(outer, undefined) as { twice: number; here: string };
  assert.equal(modules.loadedExports(outer), undefined);
  assert.deepEqual(
    [read().twice, read().here, loads],
    [10, join(folder, "sub"), ["sub/outer.js", "inner.js"]],
  );
  assert.equal(modules.loadedExports(outer), read());
  assert.deepEqual(begun, ["/sub/outer.js", "/inner.js"]);
  loads.length = 0;
  modules.add([source("inner.js", "exports.value = 7;")]);
  assert.deepEqual([read().twice, loads], [14, ["sub/outer.js", "inner.js"]]);
  loads.length = 0;
  modules.add([source("apart.js", "exports.x = 2;")]);
  assert.deepEqual([read().twice, loads], [14, []], "what does not import it stays");
  assert.deepEqual(modules.packages, ["node:path", "package/part"]);
  modules.add([source("bad.js", "exports.half = 1; throw new Error('bad');")]);
  const bad = join(folder, "bad.js");
  loads.length = 0;
  for (const _ of [1, 2]) assert.throws(() => modules.exports(bad, undefined), /bad/);
  assert.deepEqual([loads, modules.loadedExports(bad)], [["bad.js", "bad.js"], undefined]);
  for (const [name, from, found] of [
    ["./inner", folder, "inner.js"],
    ["./inner.ts", folder, "inner.js"],
    ["./inner.js", folder, "inner.js"],
    ["../inner.tsx", join(folder, "sub"), "inner.js"],
    ["./inner.mts", folder, "inner.js"],
    ["./inner.json", folder, undefined],
    ["./none", folder, undefined],
    ["inner", folder, undefined],
  ] as const)
    assert.equal(modules.file(name, from), found && join(folder, found), name);
  delete log.luvitLoads;
});

test("what is written goes to the cell, of bytes their text, and the streams are Node's own afterwards", async (t: TestContext) => {
  const originals = [process.stdout.write, process.stderr.write];
  const written: unknown[] = [];
  const outputs = { stream: (...given: unknown[]) => void written.push(given) };
  let current: object | undefined = outputs;
  const real: unknown[][] = [];
  t.mock.method(process.stderr, "write", (...given: unknown[]) => real.push(given) > 0);
  const mocked = process.stderr.write;
  const undo = redirectOutput(() => current as never);
  try {
    const called: string[] = [];
    assert.equal(process.stderr.write("text"), true);
    process.stderr.write(new Uint8Array([0xc3, 0xbc, 0x21]).subarray(0, 2));
    process.stderr.write("a", () => called.push("second"));
    process.stderr.write("b", "utf8", () => called.push("third"));
    assert.deepEqual(called, [], "later");
    current = undefined; // what the tests themselves say is nobody's
    await new Promise((done) => setImmediate(done));
    assert.deepEqual(called, ["second", "third"]);
    assert.deepEqual(
      written,
      ["text", "ü", "a", "b"].map((text) => ["stderr", text]),
    );
    process.stderr.write("none's", "utf8");
    assert.deepEqual(real, [["none's", "utf8", undefined]]);
  } finally {
    undo();
  }
  assert.equal(process.stderr.write, mocked);
  t.mock.restoreAll();
  assert.deepEqual([process.stdout.write, process.stderr.write], originals);
});

test("questions are worded as they are asked, and an interrupt ends the cell before anything is made of it", (t) => {
  const asked: string[] = [];
  let answer: string | null | undefined = "";
  const { prompt, confirm, alert } = dialogs(
    (question) => {
      asked.push(question);
      return answer;
    },
    () => {
      throw new Error("halted");
    },
  );
  assert.deepEqual(
    [prompt(), prompt("a"), prompt("a", "b"), confirm(), alert()],
    ["", "", "b", false, undefined],
  );
  assert.deepEqual(asked, ["", "a", "a [b] ", "Confirm [y/N] ", "Alert [Enter] "]);
  for (const [text, yes] of [
    ["y", true],
    [" YES ", true],
    ["Yes", true],
    ["yy", false],
    ["ja", false],
    ["n", false],
  ] as const) {
    answer = text;
    assert.equal(confirm("?"), yes, text);
  }
  answer = null;
  for (const question of [prompt, confirm, alert]) assert.throws(() => question("x"), /halted/);
  answer = undefined;
  assert.throws(
    () => prompt("x"),
    (error: Error) => error instanceof NoInput && error.name === "NoInput",
  );
  const [log, error] = [t.mock.method(console, "log", () => {}), t.mock.method(console, "error", () => {})];
  assert.equal(confirm("x"), false);
  alert("y");
  assert.deepEqual(
    log.mock.calls.map((call) => call.arguments),
    [["y"]],
  );
  assert.match(String(error.mock.calls[0]!.arguments[0]), /confirm\("x"\): nobody to ask, taken as no/);
});

test("code is the running cell's until it is over or ended; what others have left running always is code", async () => {
  const [one, other] = [new Execution("cell [1]", {} as never), new Execution("cell [2]", {} as never)];
  assert.equal(isInCode(undefined), false);
  assert.equal(isInCode(one), false);
  one.inCode = true;
  assert.equal(isInCode(one), true);
  currentExecution.run(other, () => assert.equal(isInCode(one), true));
  one.inCode = false;
  currentExecution.run(other, () =>
    assert.deepEqual([isInCode(one), isInCode(undefined), isInCode(other)], [true, true, false]),
  );
  currentExecution.run(one, () => assert.equal(isInCode(one), false, "the kernel works for it"));
  one.inCode = true;
  const why = new Error("why");
  one.fail(why);
  assert.equal(one.inCode, false);
  await assert.rejects(one.stopped, why);
  const order: string[] = [];
  const ended = stoppedForGood(one).catch((error) => order.push(error === why ? "stopped" : "another"));
  setImmediate(() => order.push("its end"));
  await ended;
  assert.deepEqual(order, ["its end", "stopped"]);
  assert.equal(inspect(one), "cell [1]");
});

test("what ends a cell says so in a line, and only the stop button is one", () => {
  assert.equal(inspect(interrupted()), "KeyboardInterrupt: the cell was interrupted");
  const gigabytes = (heapLimit() / 1e9).toFixed(1);
  assert.ok(outOfMemory().message.includes(`before it filled the ${gigabytes} GB`));
  assert.equal(outOfMemory().name, "OutOfMemory");
  assert.deepEqual(
    [interrupted(), outOfMemory(), new CellInterrupt("TimeLimit", "x"), new Error("x"), undefined].map(
      isKeyboardInterrupt,
    ),
    [true, false, false, false, false],
  );
  assert.equal(isSigint({ code: "ERR_SCRIPT_EXECUTION_INTERRUPTED" }), true);
  assert.deepEqual([isSigint(undefined), isSigint(new Error("x"))], [false, false]);
});

test("a cell's code is a function of what it is given, with its lines where they are written", async () => {
  for (const awaits of [false, true]) {
    const failing = cellFunction("const x = a;\nthrow new Error(String(x + this_is));", "cell [9]", awaits, [
      "a",
      "this_is",
    ]);
    const error = await new Promise<Error>((done) => {
      try {
        (failing(1, 2) as Promise<unknown>).catch(done);
      } catch (thrown) {
        done(thrown as Error);
      }
    });
    assert.equal(error.message, "3");
    assert.match(error.stack!, /cell \[9\]:2:7/);
  }
  const own = {};
  assert.deepEqual(moduleNames("/a/b", own), {
    ...{
      exports: own,
      module: { exports: own, filename: "/a/b/cell.ts" },
      __filename: "/a/b/cell.ts",
      __dirname: "/a/b",
    },
  });
});

test("names of cells are those with a value, the kernel's and Node's; a last value is taken once", (t) => {
  const moved: string[] = [];
  const place = process.cwd();
  const folder = temporaryFolder("names");
  const names = new CellNames(
    folder,
    createSignals(),
    () => undefined,
    () => {},
    { moved: (to) => moved.push(to), begins: () => {} },
  );
  const own = names.exportsOf("");
  own.mine = 0;
  assert.deepEqual(
    ["mine", "prompt", "require", "__dirname", "console", "setTimeout", "nowhere", "toString"].map((one) =>
      names.isKnown(one),
    ),
    [true, true, true, true, true, true, false, true],
  );
  assert.deepEqual([...names.kernels].sort(), [
    "__esModule",
    "__luvit_magics",
    "alert",
    "confirm",
    "prompt",
    "tsLastExpr",
  ]);
  own.tsLastExpr = 5;
  assert.deepEqual(
    [names.take(undefined), names.take("tsLastExpr"), names.take("tsLastExpr")],
    [undefined, 5, undefined],
  );
  assert.ok("tsLastExpr" in own);
  const given = () =>
    Object.fromEntries(names.parameters[0].map((name, index) => [name, names.parameters[1][index]]));
  assert.deepEqual([given().__dirname, given().exports], [folder, own]);
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "sub", "part.js"), "exports.part = 1;");
  process.chdir(folder);
  const printed = t.mock.method(process.stdout, "write", () => true);
  try {
    (own.__luvit_magics as { cd(to: string): void }).cd("sub");
  } finally {
    printed.mock.restore();
    process.chdir(place);
  }
  assert.deepEqual([moved, given().__dirname], [[join(folder, "sub")], join(folder, "sub")]);
  assert.deepEqual((given().require as NodeJS.Require)("./part"), { part: 1 });
});

test("an end of the process is told before anything else, with its code, and other events are as they were", () => {
  const exits: number[] = [];
  const heard: unknown[] = [];
  const { emit } = process;
  const listener = (...given: unknown[]) => void heard.push([exits.length, ...given]);
  const others = process.rawListeners("exit");
  process.removeAllListeners("exit");
  process.on("exit", listener);
  const undo = guardProcess({
    error: () => assert.fail("nothing fails"),
    exit: (code) => void exits.push(code),
  });
  try {
    Reflect.apply(process.emit, process, ["exit", 3]);
    Reflect.apply(process.emit, process, ["exit"]);
    assert.deepEqual(
      [exits, heard],
      [
        [3, 0],
        [[1, 3], [2]],
      ],
    );
    assert.equal(Reflect.apply(process.emit, process, ["nobody listens"]), false);
  } finally {
    undo();
    process.removeAllListeners("exit");
    for (const other of others) process.on("exit", other as () => void);
  }
  assert.equal(process.emit, emit);
});

test("errors that cannot be read are told as far as they can, and frames of Node, packages and the kernel are left out", () => {
  const sourceless = () => undefined;
  const odd = Object.defineProperties(new Error("x"), {
    name: {
      get: () => {
        throw new Error("name");
      },
    },
    message: {
      get: () => {
        throw new Error("message");
      },
    },
  });
  const told = failure(odd, sourceless);
  assert.deepEqual([told.ename, told.evalue], ["Error", ""]);
  const hostile = {
    [inspect.custom]: () => {
      throw new Error("no");
    },
  };
  assert.equal(failure(hostile, sourceless).evalue, "[a value that cannot be shown]");
  const error = new Error("x");
  const places = [
    "node:fs:1:1",
    "/x/node_modules/a/b.js:1:1",
    "<anonymous>",
    "native",
    "evalmachine.<anonymous>:1:1",
    "luvit-kernel-segment.js:1:1",
  ];
  const own = ["/home/me/part.ts:1:1", "cell [2]:1:1"];
  error.stack = [
    "Error: x",
    ...[...places, ...own].map((place) => `    at f (${place})`),
    `    at g (${join(__dirname, "../../../../src/kernel/x.js")}:1:1)`,
    "    at node_modules (cell [7]:1:1)",
  ].join("\n");
  assert.deepEqual(failure(error, sourceless).traceback.map(stripAnsi), [
    "Error: x",
    ...own.map((place) => `    at f (${place})`),
    "    at node_modules (cell [7]:1:1)",
  ]);
});

test("numbers that threads share have places of their own", () => {
  for (const names of [slot, segment, termination])
    assert.equal(new Set(Object.values(names)).size, Object.values(names).length);
  assert.equal(createSignals().length, Object.keys(slot).length);
  assert.ok(Math.max(...Object.values(slot)) < createSignals().length);
  assert.equal(slot.stop, 0, "cells read it by its place");
});
