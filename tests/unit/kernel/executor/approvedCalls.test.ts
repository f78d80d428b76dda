// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { registerMap } from "../../../../src/kernel/compiler/sourceMaps";
import { CellNames } from "../../../../src/kernel/executor/cellNames";
import { childCounts, part } from "../../../../src/kernel/executor/children";
import { Debuggee } from "../../../../src/kernel/executor/debuggee";
import { debuggee, debuggeePlace } from "../../../../src/kernel/executor/debuggeePlace";
import { dialogs, dialogTypes, NoInput } from "../../../../src/kernel/executor/dialogs";
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
import { failure, rejection } from "../../../../src/kernel/executor/failures";
import { guardProcess } from "../../../../src/kernel/executor/guard";
import {
  Interrupts,
  keepListening,
  leaveSegment,
  listenForSigint,
} from "../../../../src/kernel/executor/interrupts";
import { LocalModules } from "../../../../src/kernel/executor/localModules";
import { CellModules, cellGlobals, define } from "../../../../src/kernel/executor/modules";
import { plainPromises, promiseHint } from "../../../../src/kernel/executor/promises";
import {
  afterTermination,
  cellFunction,
  isSigint,
  moduleNames,
  runInterruptibly,
} from "../../../../src/kernel/executor/run";
import { redirectOutput } from "../../../../src/kernel/executor/streams";
import { createSignals, segment, slot } from "../../../../src/kernel/signals";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { printing, taken, written } from "../support";

const folder = realpathSync(temporaryFolder("executor"));

test("children of values, dialogs and what ends cells are approved", async () => {
  const calls = new Calls({ folder });
  const holes: unknown[] = [1, "b"];
  holes[4] = null;
  const getter = {
    get value() {
      return 1;
    },
    plain: 2,
  };
  class Own extends Map<number, number> {
    more = 1;
  }
  const values: Record<string, object> = {
    empty: [],
    list: [5, 6, 7, 8],
    holes,
    typed: Float32Array.of(1.5, 2.5, -3),
    big: BigInt64Array.of(1n, 2n),
    view: new DataView(new ArrayBuffer(3)),
    bytes: Buffer.from("abc"),
    map: new Map<unknown, unknown>([
      ["a", 1],
      [{ k: 1 }, new Set([2])],
    ]),
    set: new Set(["x", "y", "z"]),
    own: new Own().set(1, 2),
    object: { a: 1, b: { c: 2 } },
    getter,
    none: Object.create(null, { hidden: { value: 1 }, shown: { value: 2, enumerable: true } }),
    function: Object.assign(() => 1, { field: 3 }),
    weak: new WeakMap(),
    named: Object.assign([1, 2], { extra: 3 }),
  };
  for (const [name, value] of Object.entries(values)) {
    await calls.does(`${name} counts`, () => childCounts(value));
    for (const [start, count] of [
      [0, 2],
      [1, 1],
      [1, 99],
      [9, 2],
      [0, 0],
    ] as const)
      await calls.does(`  ${start}+${count}`, () => part(value, start, count));
  }
  await calls.does(
    "a getter is kept",
    () => typeof Object.getOwnPropertyDescriptor(part(getter, 0, 0), "value")?.get,
  );
  const many = Object.fromEntries(Array.from({ length: 502 }, (_, i) => [`p${i}`, i]));
  await calls.does("many", () => [
    childCounts(many),
    Object.keys(part(many, 3, 4)).length,
    Object.keys(part(many, 0, 0)).at(-1),
  ]);
  calls.note("types", dialogTypes.split("\n"));
  const asked: string[] = [];
  let answer: string | null | undefined;
  const made = dialogs(
    (question) => (asked.push(question) ? answer : answer),
    () => {
      throw new Error("halted");
    },
  );
  const { error, log } = console;
  console.error = (text: string) => void asked.push(`error ${text}`);
  console.log = (text: string) => void asked.push(`log ${text}`);
  for (const one of ["text", "", "y", "Y", "yes", " YES ", "yet", "no", "ye", "1", null, undefined]) {
    answer = one;
    for (const [name, act] of Object.entries({
      prompt: () => made.prompt("Name? "),
      "prompt with a start": () => made.prompt("Age", "7"),
      "prompt bare": () => made.prompt(),
      confirm: () => made.confirm("Sure?"),
      "confirm bare": () => made.confirm(),
      alert: () => made.alert("Read\nthis"),
      "alert bare": () => made.alert(),
    })) {
      await calls.once(`${JSON.stringify(one)} ${name}`, act);
      calls.note("  asked", taken(asked));
    }
  }
  Object.assign(console, { error, log });
  calls.note("no input", [new NoInput("x").name, inspect(new NoInput("x")).split("\n")[0]]);
  for (const [name, one] of Object.entries({
    interrupted: interrupted(),
    memory: outOfMemory(),
    time: new CellInterrupt("TimeLimit", "late"),
  }))
    calls.note(name, [
      one.name,
      one.message.replace(/[\d.]+ GB/, "N GB"),
      inspect(one).replace(/[\d.]+ GB/, "N GB"),
      isKeyboardInterrupt(one),
    ]);
  calls.note("no interrupt", [isKeyboardInterrupt(new Error("x")), isKeyboardInterrupt(undefined)]);
  const one = new Execution("cell [1]", written().outputs);
  const other = new Execution("cell [2]", written().outputs);
  calls.note("an execution", [
    inspect(one),
    one.inCode,
    one.ends,
    one.interruption,
    one.askedAt,
    one.commit(),
  ]);
  calls.note("in code: nothing runs", [
    isInCode(undefined),
    currentExecution.run(one, () => isInCode(undefined)),
  ]);
  const state = () => [
    isInCode(one),
    currentExecution.run(one, () => isInCode(one)),
    currentExecution.run(other, () => isInCode(one)),
  ];
  calls.note("in code: not begun", state());
  one.inCode = true;
  calls.note("in code: begun", state());
  one.fail(new Error("ended"));
  calls.note("in code: failed", state());
  await calls.does("stopped", () => one.stopped);
  const order: string[] = [];
  const good = stoppedForGood(one).catch(() => order.push("for good"));
  setImmediate(() => order.push("a turn"));
  await good;
  calls.note("stopped for good", order);
  calls.approve("kernel/executor/parts");
});

test("failures in words are approved", async () => {
  const calls = new Calls({ folder });
  const source = "let a = 1;\n\n  null.x;\nü()";
  const told = (error: unknown) => {
    const { ename, evalue, traceback } = failure(error, (cell) => (cell === "cell [4]" ? source : undefined));
    return [
      ename,
      evalue,
      ...traceback.map((line) => line.replaceAll("\x1b[31m", "<red>").replaceAll("\x1b[39m", "</red>")),
    ];
  };
  const at = (error: Error, ...frames: string[]) =>
    Object.assign(error, {
      stack: [`${error.name}: ${error.message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n"),
    });
  const things: Record<string, unknown> = {
    text: "just text",
    number: 3,
    nothing: undefined,
    null: null,
    object: { a: 1, b: [2] },
    empty: "",
    "with a stack": { stack: "own stack", message: "m", name: "N" },
    cell: at(
      new TypeError("wrong"),
      "f (cell [4]:3:8)",
      "cell [4]:4:1",
      `g (${folder}/local.ts:2:3)`,
      "node:internal/x:1:1",
      `h (${folder}/node_modules/p/i.js:1:1)`,
      "new Promise (<anonymous>)",
      "evalmachine.<anonymous>:1:1",
      "x (native)",
      `own (${join(__dirname, "..", "..", "..", "..", "src", "core", "errors.js")}:1:1)`,
    ),
    "behind the line": at(new Error("far"), "cell [4]:3:99"),
    "an empty line": at(new Error("empty"), "cell [4]:2:1"),
    "no such line": at(new Error("none"), "cell [4]:9:1"),
    "another cell": at(new Error("other"), "cell [5]:1:1"),
    "silent cell": at(new Error("s"), "cell [silent]:1:1"),
    "many lines": at(new Error("one\n\n  two"), "cell [4]:1:5"),
    deep: at(
      new RangeError("deep"),
      ...Array.from({ length: 20 }, (_, i) => `f (cell [4]:${1 + (i % 2)}:1)`),
    ),
    cause: new Error("outer", { cause: "inner" }),
    "no name": Object.defineProperty(at(new Error("x")), "name", {
      get: () => {
        throw 1;
      },
    }),
    "no message": Object.defineProperty(at(new Error("x")), "message", {
      get: () => {
        throw 1;
      },
    }),
    "cannot be shown": {
      [inspect.custom]: () => {
        throw new Error("no");
      },
    },
    fields: Object.assign(at(new Error("f")), { code: "E1", more: { x: 1 } }),
    "missing package": Object.assign(
      at(new Error("Cannot find module 'pack'\nRequire stack:\n- /a\n- /b"), "cell [4]:1:1"),
      { code: "MODULE_NOT_FOUND" },
    ),
    "missing file": Object.assign(at(new Error("Cannot find module './x'"), "cell [4]:1:1"), {
      code: "MODULE_NOT_FOUND",
    }),
    "missing ES module": Object.assign(
      at(new Error("Cannot find package 'es' imported from /x"), "cell [4]:1:1"),
      { code: "ERR_MODULE_NOT_FOUND" },
    ),
    "missing otherwise": Object.assign(at(new Error("Something else"), "cell [4]:1:1"), {
      code: "MODULE_NOT_FOUND",
    }),
    interrupted: interrupted(),
  };
  const startedIn = process.cwd();
  process.chdir(folder);
  for (const [name, thing] of Object.entries(things))
    calls.note(
      name,
      told(thing).filter((line) => !/^ {4}at .*approvedCalls/.test(line)),
    );
  const place = { start: { offset: 4, line: 0, character: 4 }, end: { offset: 5, line: 0, character: 5 } };
  await calls.does("rejection", () =>
    rejection([{ ...place, messageText: "Wrong.", code: 7 }], source, "cell [4]"),
  );
  await calls.does("rejection without findings", () => rejection([], source, "cell [4]"));
  const undo = plainPromises();
  const marked = Object.assign(Promise.resolve(5), { own: 1 });
  currentExecution.run(new Execution("cell [1]", written().outputs), () =>
    calls.note("promises", [inspect(Promise.resolve(5)), inspect([Promise.resolve("a")]), inspect(marked)]),
  );
  undo();
  calls.note("undone", Object.getOwnPropertySymbols(Promise.prototype).includes(inspect.custom));
  for (const [name, value] of Object.entries({
    promise: Promise.resolve(1),
    promises: [Promise.resolve(1), Promise.resolve(2)],
    mixed: [Promise.resolve(1), 2],
    none: [],
    value: 1,
  }))
    await calls.does(`hint for ${name}`, () => promiseHint(value));
  process.chdir(startedIn);
  calls.approve("kernel/executor/failures");
});

test("streams, guarded processes and cells' functions are approved", async () => {
  const calls = new Calls({ folder });
  const { outputs, log } = written();
  let current: typeof outputs | undefined = outputs;
  const own = { out: process.stdout.write, err: process.stderr.write };
  const before: string[] = [];
  process.stdout.write = ((...given: unknown[]) =>
    before.push(`through ${given[0]}`) > 0) as typeof process.stdout.write;
  const undo = redirectOutput(() => current);
  const results: unknown[] = [
    process.stdout.write("a"),
    process.stderr.write("b"),
    process.stdout.write(Buffer.from("ü")),
    process.stdout.write(new Uint8Array([226, 130, 172])),
    process.stdout.write("c", () => log.push("called")),
    process.stdout.write("d", "utf8", () => log.push("called with an encoding")),
    process.stdout.write(""),
  ];
  calls.note("directly after", taken(log));
  await sleep(1);
  calls.note(
    "a turn later",
    taken(log).filter((line) => line.startsWith("called")),
  );
  current = undefined;
  results.push(process.stdout.write("e"));
  undo();
  process.stdout.write("f");
  process.stdout.write = own.out;
  calls.note("results", results);
  calls.note("through", before);
  calls.note("restored", process.stderr.write === own.err);
  const heard: string[] = [];
  const undoGuard = guardProcess({
    error: (error) => void heard.push(`error ${error}`),
    exit: (code) => void heard.push(`exit ${code}`),
  });
  const emit = (name: string, ...values: unknown[]) => {
    const result = process.emit(name as never, ...(values as never[]));
    calls.note(`emit ${name}`, [result, ...taken(heard)]);
  };
  const listeners: [string, (...given: unknown[]) => void][] = [
    [
      "uncaughtException",
      (error) => {
        heard.push(`listener ${error}`);
        throw error;
      },
    ],
    [
      "uncaughtException",
      () => {
        throw "another";
      },
    ],
    ["unhandledRejection", (error) => heard.push(`rejection ${error}`)],
    ["luvitOwn", (...given) => heard.push(`own ${given}`)],
  ];
  const names = ["uncaughtException", "uncaughtExceptionMonitor", "unhandledRejection", "exit"];
  const kept = names.map((name) => process.rawListeners(name as never));
  for (const name of names) process.removeAllListeners(name);
  for (const [name, listener] of listeners) process.on(name, listener);
  emit("uncaughtException", "first");
  emit("uncaughtExceptionMonitor", "seen");
  emit("unhandledRejection", "second");
  emit("luvitOwn", 1, 2);
  emit("luvitNobody");
  emit("exit", 3);
  emit("exit");
  const replaced = process.emit;
  process.emit = ((...given: unknown[]) => {
    heard.push(`package ${String(given[0])}`);
    return Reflect.apply(replaced, process, given);
  }) as typeof process.emit;
  emit("luvitOwn", 3);
  emit("uncaughtException", "third");
  for (const [name, listener] of listeners) process.off(name, listener);
  process.setUncaughtExceptionCaptureCallback(null);
  undoGuard();
  for (const [i, name] of names.entries())
    for (const listener of kept[i]!) process.on(name, listener as never);
  calls.note("undone", Object.hasOwn(process, "emit"));
  for (const [name, [code, awaits]] of Object.entries({
    plain: ["return a + b", false],
    awaiting: ["return (await a) + b", true],
    "a syntax error": ["return (", false],
    "in an awaiting one": ["await (", true],
    this: ["return typeof this", false],
    lines: ["\n\nthrow new Error('x')", false],
    "lines of an awaiting one": ["\n\nthrow new Error('x')", true],
  } as Record<string, [string, boolean]>))
    await calls.does(`function ${name}`, async () => {
      try {
        const made = cellFunction(code, "cell [7]", awaits, ["a", "b"]);
        const value = made(3, 4);
        return [value instanceof Promise, await value];
      } catch (error) {
        return [(error as Error).name, /cell \[7\]:\d+/.exec((error as Error).stack!)?.[0]];
      }
    });
  const exports = {};
  await calls.of(moduleNames, folder, exports);
  const signals = createSignals();
  const seen: unknown[] = [];
  await calls.does("interruptibly", () =>
    runInterruptibly(signals, () => {
      seen.push(Atomics.load(signals, slot.segment));
      return "value";
    }),
  );
  await calls.does("interruptibly and failing", () =>
    runInterruptibly(signals, () => {
      throw new Error("from within");
    }),
  );
  calls.note("segments", [...seen, Atomics.load(signals, slot.segment)]);
  const sigint = () => process.listenerCount("SIGINT");
  const first = sigint();
  const added = () => {};
  runInterruptibly(signals, () => process.on("SIGINT", added));
  calls.note("listeners added", sigint() - first);
  process.off("SIGINT", added);
  afterTermination(signals);
  calls.note("listeners left", sigint() - first);
  Atomics.store(signals, slot.segment, segment.interruptible);
  leaveSegment(signals);
  calls.note("left a segment", Atomics.load(signals, slot.segment));
  Atomics.store(signals, slot.segment, segment.signalled);
  const began = Date.now();
  leaveSegment(signals);
  calls.note("left a signalled one after a second", [
    Atomics.load(signals, slot.segment),
    Date.now() - began >= 990,
  ]);
  for (const error of [
    { code: "ERR_SCRIPT_EXECUTION_INTERRUPTED" },
    { code: "other" },
    new Error("x"),
    undefined,
  ])
    await calls.of(isSigint, error);
  calls.approve("kernel/executor/running");
});

test("interrupts, time limits and their listeners are approved", async (t) => {
  const calls = new Calls({ folder });
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 5000 });
  const signals = createSignals();
  const made = new Interrupts(signals);
  const running = () => {
    const execution = new Execution("cell [1]", written().outputs);
    let ended = "";
    execution.stopped.catch((error: Error) => {
      ended = `${error.name}: ${error.message}`;
    });
    return { execution, ended: () => ended };
  };
  let { execution, ended } = running();
  const begin = (asked?: number) => {
    ({ execution, ended } = running());
    made.watch(execution, asked);
  };
  const state = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
    return {
      stop: signals[slot.stop],
      request: signals[slot.request],
      heard: signals[slot.heard],
      interruption: execution.interruption?.name,
      ended: ended(),
      asked: execution.askedAt,
      overdue: made.isOverdue(),
    };
  };
  const note = async (name: string) => calls.note(name, await state());
  const others = process.rawListeners("SIGINT");
  process.removeAllListeners("SIGINT");
  const ask = () => Atomics.add(signals, slot.request, 1) + 1;
  await note("at first");
  made.take();
  await note("taken while nothing runs");
  begin();
  await note("a cell begins");
  calls.note("hears 0, 1", [made.hears(0), made.hears(1)]);
  made.take(ask());
  await note("interrupted by number");
  calls.note("hears 1, 2", [made.hears(1), made.hears(2)]);
  made.take(1);
  await note("the same number again");
  await calls.once("check", () => made.check(execution));
  made.settled(execution);
  await note("settled");
  begin();
  made.take();
  await note("interrupted without a number");
  t.mock.timers.tick(59_999);
  await note("59.999 s later");
  t.mock.timers.tick(1);
  await note("60 s later");
  const early = ask();
  begin(early);
  await note("a request from before a cell");
  begin(early - 1);
  await note("a request for a cell that had not begun");
  let calledAs: unknown;
  const library = function (this: unknown, ...given: unknown[]) {
    calledAs = [this === process, ...given];
  };
  process.on("SIGINT", library);
  begin();
  const number = ask();
  calls.note("hears where a library listens", [made.hears(number), made.hears(number - 1)]);
  made.take(number);
  await note("where a library listens");
  calls.note("the library is called", calledAs);
  t.mock.timers.tick(1399);
  await note("1.399 s later");
  made.halt();
  t.mock.timers.tick(1);
  await note("1.4 s later");
  begin();
  made.take();
  made.take();
  await note("a second one where a library listens");
  begin();
  ask();
  ask();
  calls.note("hears a second request", made.hears(signals[slot.request]!));
  calls.note("catches up", [made.catchUp(), made.catchUp()]);
  process.off("SIGINT", library);
  begin();
  made.allow(2.5);
  await note("2.5 s are given");
  t.mock.timers.tick(2499);
  await note("2.499 s later");
  t.mock.timers.tick(1);
  await note("2.5 s later");
  begin();
  made.allow(1);
  made.watch(undefined);
  t.mock.timers.tick(2000);
  await note("a limit of a cell that is over");
  begin();
  await calls.once("halt", () => currentExecution.run(execution, () => made.halt()));
  ask();
  await calls.once("halt after a request", () => currentExecution.run(execution, () => made.halt()));
  const left = execution;
  begin();
  ask();
  await calls.once("halt in what a cell that is over has left", () =>
    currentExecution.run(left, () => made.halt()),
  );
  await note("and the running one");
  begin();
  const stray = new Execution("cell [0]", written().outputs);
  ask();
  await calls.once("halt in what another has left", () => currentExecution.run(stray, () => made.halt()));
  calls.note("it is ended too", stray.interruption?.name);
  begin();
  made.allow(1);
  t.mock.timers.tick(1500);
  made.expire();
  await note("expired by hand");
  let took = 0;
  const undo = listenForSigint(() => took++);
  process.emit("SIGINT");
  calls.note("heard from the process", [took, process.listenerCount("SIGINT")]);
  process.removeAllListeners("SIGINT");
  keepListening();
  keepListening();
  calls.note("put back", process.listenerCount("SIGINT"));
  undo();
  keepListening();
  calls.note("undone", process.listenerCount("SIGINT"));
  for (const listener of others) process.on("SIGINT", listener as () => void);
  calls.approve("kernel/executor/interrupts");
});

test("modules, names and what a debugger asks are approved", async () => {
  const calls = new Calls({ folder });
  const file = (path: string, text: string) => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  file(
    "node_modules/common/index.js",
    "exports.value = 'common'; exports.n = ++(globalThis.luvitLoaded ??= { n: 0 }).n;",
  );
  file("node_modules/esm/package.json", '{"type":"module","main":"index.js"}');
  file("node_modules/esm/index.js", "export const value = 'esm'; export default 7;");
  file("node_modules/mjs/package.json", '{"main":"index.mjs"}');
  file("node_modules/mjs/index.mjs", "export let count = 1; export const more = () => ++count;");
  file("node_modules/only/package.json", '{"exports":{"import":"./index.mjs"}}');
  file("node_modules/only/index.mjs", "export const only = true;");
  file("node_modules/throws/index.js", "throw new Error('does not load');");
  file("node_modules/fn/index.js", "module.exports = () => 'called';");
  file("node_modules/marked/index.js", "exports.__esModule = true; exports.default = 3;");
  file("data.json", '{"a":1}');
  file("other/node_modules/common/index.js", "exports.value = 'other';");
  const begun: string[] = [];
  const globals = cellGlobals(
    Int32Array.of(0),
    () => {},
    (name) => modules.load(name),
  );
  const modules = new CellModules(folder, globals, (path) => void begun.push(path));
  calls.note("globals", globals);
  const local = (path: string, data: string) => ({ path: join(folder, path), data });
  modules.add([
    local(
      "a.js",
      'const b = require("./b"); exports.sum = b.value + 1; exports.stop = typeof __luvit_stop; exports.name = __filename; exports.own = require("common").value;',
    ),
    local("b.js", "exports.value = 2;"),
    local("c.js", "exports.partly = 1; throw new Error('half');"),
  ]);
  for (const name of [
    "common",
    "./a",
    "./a.ts",
    "./a.js",
    "./b.tsx",
    "./data.json",
    "./c",
    "fn",
    "node:path",
    "missing",
    "./missing",
    "throws",
  ])
    await calls.does(`require ${name}`, () => {
      const found = modules.require(name);
      return name === "node:path" ? Object.keys(found).length > 5 : found;
    });
  calls.note("begun", begun.splice(0));
  calls.note("exports", [
    modules.exportsOf(join(folder, "a.js")),
    modules.exportsOf(join(folder, "c.js")),
    modules.exportsOf("cell [1]"),
  ]);
  modules.add([local("b.js", "exports.value = 20;")]);
  await calls.does("require what imports what has changed", () => modules.require("./a"));
  calls.note("begun", begun.splice(0));
  await modules.prepare(["esm", "mjs", "only", "common", "node:fs", "tslab"]);
  for (const name of ["esm", "mjs", "only"])
    await calls.does(`require ${name} when prepared`, () => ({
      ...modules.require(name),
      marked: modules.require(name).__esModule,
    }));
  const live = modules.require("mjs") as { count: number; more(): number };
  calls.note("bindings are live", [live.count, live.more(), live.count]);
  for (const name of [
    "esm",
    "mjs",
    "only",
    "common",
    "fn",
    "marked",
    "./a",
    "./data.json",
    "npm:common",
    "npm:missing",
    "npm:",
    "throws",
    "missing",
    3,
    undefined,
  ])
    await calls.once(`import ${name}`, async () => ({ ...(await modules.load(name)) }));
  await calls.once("prepare what is missing", () => modules.prepare(["missing-es", "./nowhere"]));
  modules.moveTo(join(folder, "other"));
  await calls.does("elsewhere", () => [modules.require("common").value, modules.require("../a").sum]);
  await calls.once("elsewhere, what was local", () => modules.require("./a"));
  const target: Record<string, unknown> = {};
  define(target, "__esModule", { value: true });
  define(target, "got", { get: () => "by getter" });
  define(target, "valued", { value: 4 });
  calls.note("defined", [target, Object.getOwnPropertyDescriptor(target, "got")]);
  const loaded: string[] = [];
  const plain: LocalModules = new LocalModules(
    { given: 5 },
    (path) => void loaded.push(path),
    (original) => original,
  );
  plain.add([
    local("x.js", 'exports.x = given; require("node:os"); require("pack/sub");'),
    local("y.mjs.js", "exports.y = 1;"),
  ]);
  for (const name of ["./x", "./x.ts", "./x.js", "./x.mts", "./x.d", "./y.mjs", "./z", "x"])
    await calls.does(`file ${name}`, () => plain.file(name, folder));
  calls.note("packages", plain.packages);
  const startedIn = process.cwd();
  process.chdir(folder);
  const told: string[] = [];
  const cellNames = new CellNames(
    folder,
    createSignals(),
    () => "answer",
    () => {},
    { moved: (to) => told.push(`moved ${to}`), begins: (path) => told.push(`begins ${path}`) },
  );
  const [names, values] = cellNames.parameters;
  calls.note("parameters", [names, values.map((value) => typeof value), values[names.indexOf("__dirname")]]);
  calls.note("kernel's", [...cellNames.kernels]);
  const exports = cellNames.exportsOf("cell [1]");
  Object.assign(exports, { mine: 1, tsLastExpr: "last", none: undefined });
  calls.note(
    "known",
    ["mine", "none", "prompt", "require", "parseInt", "toString", "nobody", "__luvit_magics", "exports"].map(
      (name) => `${name} ${cellNames.isKnown(name)}`,
    ),
  );
  calls.note("taken", [
    cellNames.take("tsLastExpr"),
    cellNames.take("tsLastExpr"),
    cellNames.take("nobody"),
    cellNames.take(undefined),
    "tsLastExpr" in exports,
  ]);
  printing(() => (exports.__luvit_magics as { cd(to: string): void }).cd("other"));
  const [again, changed] = cellNames.parameters;
  calls.note("moved", [
    told,
    changed[again.indexOf("__dirname")],
    cellNames.exportsOf("cell [2]") === exports,
  ]);
  process.chdir(startedIn);
  const hidden = new Set(["secret"]);
  const declared: string[] = [];
  const scope: Record<string, unknown> = { mine: 1, secret: 2, ü: 3, list: [1] };
  const asked = new Debuggee({
    exportsOf: (script) => (script === "file" ? { own: 1 } : scope),
    hidden: () => hidden,
    declare: (name) => void declared.push(name),
    flush: () => void declared.push("flush"),
  });
  registerMap("cell [90]", {
    locate: (line, column) => (line < 3 ? { line: line * 10, column: column * 2 } : undefined),
    source: "cell [90]",
    text: "try { a } catch {}",
  });
  registerMap(join(folder, "a.js"), {
    locate: () => undefined,
    source: join(folder, "data.json"),
    text: "file's text",
  });
  const undo = asked.install();
  calls.note("place", [debuggeePlace, debuggee, (globalThis as never)[Symbol.for(debuggeePlace)] === asked]);
  asked.announce("cell [90]");
  const announced: unknown[] = [];
  const known = asked.attach((one) => void announced.push(one));
  calls.note(
    "attached",
    known.filter(({ script }) => script === "cell [90]" || script.startsWith(folder)),
  );
  for (const script of ["cell [90]", join(folder, "a.js"), "unknown"]) asked.announce(script);
  asked.detach();
  asked.announce("cell [90]");
  calls.note("announced", announced);
  await calls.does("locate", () =>
    asked.locate("cell [90]", [
      { line: 1, column: 3 },
      { line: 3, column: 1 },
    ]),
  );
  await calls.does("locate elsewhere", () => asked.locate("unknown", [{ line: 1, column: 3 }]));
  for (const place of [
    [],
    [{ script: "cell [90]", line: 1, column: 7 }],
    [
      { script: "cell [90]", line: 1, column: 1 },
      { script: "cell [90]", line: 1, column: 7 },
    ],
    [{ script: "cell [90]", line: 1, column: 18 }],
    [{ script: "unknown", line: 1, column: 1 }],
  ])
    await calls.does(`caught ${JSON.stringify(place)}`, () => asked.isCaught(place));
  for (const [text, script, locals] of [
    ["mine + ü", "", []],
    ["mine", "", ["mine"]],
    ["own + mine", "file", []],
    ["'mine' + other", "cell", []],
    ["list[0] as number // mine", "", []],
    ["(", "", []],
    ["secret", 'x"y', []],
  ] as const)
    await calls.does(`evaluation ${JSON.stringify(text)}`, () =>
      asked.evaluation(text, script, locals).split("\n"),
    );
  await calls.does("variables", () => [
    asked.variables(""),
    asked.variables("file"),
    asked.exportsOf("file"),
  ]);
  asked.declare("fresh");
  asked.flush();
  calls.note("declared", declared);
  await calls.does("bundle", () => asked.bundle([1, 2], true));
  await calls.does("bundle of what takes waiting", () => asked.bundle({ toMime: async () => 1 }, false));
  calls.note("children", [asked.childCounts([1, 2]), asked.part([5, 6, 7], 1, 1)]);
  undo();
  calls.note("undone", Symbol.for(debuggeePlace) in globalThis);
  calls.approve("kernel/executor/modules");
});
