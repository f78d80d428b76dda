// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { DebugAdapter } from "../../../../src/kernel/debug/adapter";
import { askedBreakpoints, Breakpoints } from "../../../../src/kernel/debug/breakpoints";
import { CellFiles } from "../../../../src/kernel/debug/cellFiles";
import { type CallFrame, foreign, framesOf } from "../../../../src/kernel/debug/frames";
import { inspections } from "../../../../src/kernel/debug/inspection";
import { listOf, numberOf, objectOf, textOf } from "../../../../src/kernel/debug/messages";
import { murmur2 } from "../../../../src/kernel/debug/murmur2";
import { Scopes } from "../../../../src/kernel/debug/scopes";
import { Scripts, type UserScript } from "../../../../src/kernel/debug/scripts";
import { moves, outOf, Step } from "../../../../src/kernel/debug/stepping";
import { textOfValue, typeOfValue } from "../../../../src/kernel/debug/values";
import { Variables } from "../../../../src/kernel/debug/variables";
import { Calls } from "../../../support/calls";
import { taken } from "../support";

const check = 'typeof __luvit_stop === "object" && __luvit_stop[0] && __luvit_halt();';

test("what requests say, names of cells and values are approved", async () => {
  const calls = new Calls();
  const values = [
    undefined,
    null,
    "",
    "text",
    0,
    -1,
    1.5,
    Number.NaN,
    2 ** 53,
    true,
    [],
    [1],
    {},
    { a: 1 },
    "x".repeat(100),
    () => 1,
    Symbol("s"),
  ];
  for (const value of values) {
    const args = { it: value };
    const of = (name: string, act: () => unknown) =>
      calls.once(
        `${name} ${typeof value === "symbol" ? "a symbol" : typeof value === "function" ? "a function" : JSON.stringify(value)}`,
        act,
      );
    await of("text", () => textOf(args, "it"));
    await of("number", () => numberOf(args, "it"));
    await of("number or 7", () => numberOf(args, "it", 7));
    await of("list", () => listOf(args, "it"));
    await of("object", () => objectOf(value, "it"));
    await of("breakpoints", () => askedBreakpoints({ breakpoints: value, lines: [3, 4] } as never));
  }
  for (const text of [
    "",
    "a",
    "ab",
    "abc",
    "abcd",
    "abcde",
    "ü",
    "€",
    "😀",
    "let x = 1;\n",
    "a\r\nb",
    "x".repeat(1001),
  ])
    for (const seed of [0, 1, 0x6c757669, 0xffffffff]) await calls.of(murmur2, text, seed);
  const remote = (type: string, more: object = {}) => ({ type, ...more });
  const preview = (properties: object[], more: object = {}) => ({ properties, overflow: false, ...more });
  const property = (name: string, type: string, value?: string) => ({ name, type, value });
  for (const [name, value] of Object.entries({
    string: remote("string", { value: 'a"b\nc' }),
    long: remote("string", { value: "y".repeat(1200) }),
    empty: remote("string", { value: "" }),
    number: remote("number", { value: 1.5, description: "1.5" }),
    nan: remote("number", { unserializableValue: "NaN", description: "NaN" }),
    minus: remote("number", { unserializableValue: "-0", description: "-0" }),
    bigint: remote("bigint", { unserializableValue: "5n" }),
    boolean: remote("boolean", { value: false }),
    undefined: remote("undefined"),
    null: remote("object", { subtype: "null", value: null }),
    symbol: remote("symbol", { description: "Symbol(x)" }),
    function: remote("function", {
      className: "Function",
      description: "function f(a, b) {\n  return 1;\n}",
    }),
    class: remote("function", { className: "Function", description: "class A { x = 1 }" }),
    arrow: remote("function", { description: "(a) => a" }),
    error: remote("object", {
      subtype: "error",
      className: "TypeError",
      description: "TypeError: wrong\n    at x",
    }),
    date: remote("object", {
      subtype: "date",
      className: "Date",
      description: "today",
      preview: preview([]),
    }),
    regexp: remote("object", {
      subtype: "regexp",
      className: "RegExp",
      description: "/x/g",
      preview: preview([property("lastIndex", "number", "0")]),
    }),
    "no preview": remote("object", { className: "Thing", description: "Thing" }),
    object: remote("object", {
      className: "Object",
      description: "Object",
      preview: preview([
        property("a", "number", "1"),
        property("b", "string", 'q"q'),
        property("f", "function"),
        property("g", "accessor"),
        property("u", "undefined", "undefined"),
      ]),
    }),
    "empty object": remote("object", { className: "Object", description: "Object", preview: preview([]) }),
    overflowing: remote("object", {
      className: "Own",
      description: "Own",
      preview: preview([property("a", "number", "1")], { overflow: true }),
    }),
    array: remote("object", {
      subtype: "array",
      className: "Array",
      description: "Array(3)",
      preview: preview([
        property("0", "number", "1"),
        property("1", "string", "x"),
        property("extra", "boolean", "true"),
      ]),
    }),
    "empty array": remote("object", {
      subtype: "array",
      className: "Array",
      description: "Array(0)",
      preview: preview([]),
    }),
    typed: remote("object", {
      subtype: "typedarray",
      className: "Float32Array",
      description: "Float32Array(2)",
      preview: preview([property("0", "number", "1.5")], { overflow: true }),
    }),
    map: remote("object", {
      subtype: "map",
      className: "Map",
      description: "Map(1)",
      preview: preview([property("size", "number", "1")], {
        entries: [{ key: { description: "a" }, value: { description: "1" } }],
      }),
    }),
    set: remote("object", {
      subtype: "set",
      className: "Set",
      description: "Set(2)",
      preview: preview([], { entries: [{ value: { description: "x" } }, { value: { description: "y" } }] }),
    }),
    promise: remote("object", {
      subtype: "promise",
      className: "Promise",
      description: "Promise",
      preview: preview([property("[[PromiseState]]", "string", "pending")]),
    }),
  }))
    calls.note(name, [textOfValue(value as never), typeOfValue(value as never)]);
  calls.approve("kernel/debug/words");
});

test("files of cells and of those that were killed are approved", async () => {
  const files = new CellFiles();
  const calls = new Calls({ prefix: files.prefix });
  const orphan = join(tmpdir(), "luvit-debug-999999999-approved");
  const others = join(tmpdir(), "luvit-debug-text-approved");
  const running = join(tmpdir(), `luvit-debug-${process.ppid}-approved`);
  for (const one of [orphan, others, running]) mkdirSync(one, { recursive: true });
  const folder = dirname(files.prefix);
  calls.note("nothing is written at first", existsSync(folder));
  calls.note("seed and suffix", [files.seed, files.suffix, basename(files.prefix)]);
  for (const text of ["", "let a = 1;", "let ü = '😀';\r\n"]) {
    await calls.of((given: string) => files.path(given), text);
    await calls.does("  dumped", () => files.dump(text));
    calls.note("  read", [
      readFileSync(files.path(text), "utf8") === text,
      files.text(files.path(text)),
      statSync(files.path(text)).mode & 0o777,
    ]);
  }
  calls.note("folder", [readdirSync(folder).length, statSync(folder).mode & 0o777]);
  calls.note("folders of others", [existsSync(orphan), existsSync(others), existsSync(running)]);
  rmSync(folder, { recursive: true });
  files.dump("again");
  calls.note("a folder that was swept away is made again", readdirSync(folder).length);
  await calls.does("text of what was not dumped", () => files.text("/x.ts"));
  files.remove();
  calls.note("removed", [existsSync(folder), files.text(files.path(""))]);
  files.remove();
  for (const one of [others, running]) rmSync(one, { recursive: true });
  calls.approve("kernel/debug/cellFiles");
});

/** A thread's inspector, its questions answered from a table. */
function target(answers: Record<string, unknown> = {}) {
  const log: string[] = [];
  const listeners: Record<string, (params: never) => void> = {};
  const answer = (name: string, given: unknown[]) => {
    log.push(`${name} ${JSON.stringify(given)}`);
    const found = answers[name];
    const value =
      typeof found === "function" ? (found as (...values: unknown[]) => unknown)(...given) : found;
    if (value instanceof Error) throw value;
    return value;
  };
  let placed = 0;
  const made = {
    inspector: {
      on: (name: string, take: (params: never) => void) => void Object.assign(listeners, { [name]: take }),
      post: async (method: string, params: unknown) =>
        answer(method, [params]) ??
        (method === "Debugger.setBreakpoint" ? { breakpointId: `b${++placed}` } : {}),
    },
    ask: async (name: string, ...given: unknown[]) => answer(name, given),
    call: async (name: string, ...given: unknown[]) => answer(`call ${name}`, given),
    evaluate: async (...given: unknown[]) => answer("evaluate", given),
    evaluateIn: async (...given: unknown[]) => answer("evaluateIn", given),
    properties: async (...given: unknown[]) => answer("properties", given),
    release: async (...given: unknown[]) => answer("release", given),
  };
  return {
    made: made as never,
    log,
    emit: (name: string, params: object) => listeners[name]!(params as never),
  };
}

const call = (scriptId: string, lineNumber: number, columnNumber = 0, more: object = {}): CallFrame =>
  ({
    callFrameId: `${scriptId}.${lineNumber}`,
    functionName: "",
    location: { scriptId, lineNumber, columnNumber },
    functionLocation: { scriptId, lineNumber: 0, columnNumber: 0 },
    scopeChain: [],
    this: { type: "undefined" },
    ...more,
  }) as CallFrame;

/** Scripts of a cell of five lines, the second of which has a loop, a local file, a package and Node. */
function scripted(answers: Record<string, unknown> = {}) {
  const source = ["__luvit_define(exports);", "a();", `for (;;) {`, `${check} b();`, check, "c();", "}"].join(
    "\n",
  );
  const tools = target({
    locate: (_: string, places: { line: number; column: number }[]) =>
      places.map(({ line, column }) => (line === 1 ? null : { line: line - 1, column })),
    "Debugger.getPossibleBreakpoints": {
      locations: [
        [6, 0],
        [1, 0],
        [3, 2],
        [3, 80],
        [4, 0],
        [5, 0],
        [0, 0],
      ].map(([lineNumber, columnNumber]) => ({ scriptId: "1", lineNumber, columnNumber })),
    },
    "Debugger.getScriptSource": { scriptSource: source },
    ...answers,
  });
  const scripts = new Scripts(tools.made, { path: (text: string) => `/cells/${text.length}.ts` } as never);
  const parsed = (scriptId: string, url: string, startLine = 0) =>
    tools.emit("Debugger.scriptParsed", { scriptId, url, startLine });
  parsed("1", "cell [1]");
  parsed("2", "file:///home/me/local%20file.js");
  parsed("3", "file:///home/me/node_modules/p/index.js");
  parsed("4", "node:fs");
  parsed("5", "luvit-kernel-segment.js");
  parsed("6", "cell [2]", -1);
  parsed("7", "");
  const cell = scripts.add({ script: "cell [1]", text: "a();\nfor (;;) {\n b();\n\nc();" })!;
  const file = scripts.add({
    script: "/home/me/local file.js",
    path: "/home/me/local file.ts",
    text: "export {};",
  })!;
  const second = scripts.add({ script: "cell [2]", text: "await x;" })!;
  return { ...tools, scripts, parsed, cell, file, second };
}

test("scripts, frames and steps are approved", async () => {
  const calls = new Calls();
  const { scripts, cell, file, second, log, parsed } = scripted();
  calls.note("added", [cell, file, second]);
  calls.note("of unknown names", scripts.add({ script: "cell [9]", text: "" }));
  calls.note(
    "names",
    ["1", "2", "4", "99"].map((id) => scripts.name(id)),
  );
  calls.note(
    "own",
    ["1", "2", "3", "6"].map((id) => scripts.of(id)?.title),
  );
  parsed("8", "cell [1]");
  scripts.add({ script: "cell [1]", text: cell.text });
  calls.note("with a path", [
    scripts.withPath(cell.path).map(({ id }) => id),
    scripts.withPath("/nowhere"),
    scripts.localFiles().map(({ path }) => path),
  ]);
  taken(log);
  await calls.does("stops", async () =>
    (await scripts.stops(cell)).map(
      ({ location, place }) =>
        `${location.lineNumber}:${location.columnNumber} → ${place.line}:${place.column}`,
    ),
  );
  calls.note(
    "asked",
    taken(log).map((line) => line.slice(0, 90)),
  );
  for (const location of [
    [1, 3],
    [3, 2],
    [3, 90],
    [4, 0],
    [6, 0],
    [40, 0],
  ])
    await calls.does(`located ${location}`, () =>
      scripts.locate(cell, [{ scriptId: "1", lineNumber: location[0]!, columnNumber: location[1] }]),
    );
  await calls.does("placed", async () => [
    await scripts.place(cell, { scriptId: "1", lineNumber: 4 }),
    await scripts.place(cell, { scriptId: "1", lineNumber: 0 }),
  ]);
  calls.note(
    "foreign",
    foreign.map((one) => one.replace(/\^file:.*/, "^file:…")),
  );
  const at = (...given: [string, number, number?, object?]) => call(...given);
  const frames = async (...stack: CallFrame[]) =>
    (await framesOf(stack, scripts, 7)).map(({ id, name, path, title, line, column, script }) => [
      id,
      name,
      path,
      title,
      line,
      column,
      script?.id,
    ]);
  await calls.does("frames", () =>
    frames(
      at("4", 1),
      at("1", 3, 4, { functionName: "inner" }),
      at("3", 2, 0),
      at("5", 0),
      at("1", 1),
      at("4", 9),
      at("2", 4, 1, { functionName: "fileFunction" }),
      at("2", 0),
      at("3", 1),
      at("7", 0),
    ),
  );
  await calls.does("frames of no user", () => frames(at("4", 1), at("3", 2)));
  await calls.does("frames of the kernel between", () =>
    frames(
      at("7", 1),
      at("1", 2, 3, { functionLocation: { scriptId: "1", lineNumber: 2, columnNumber: 9 } }),
      at("6", 1, 0, { functionLocation: { scriptId: "6", lineNumber: -1, columnNumber: 5 } }),
      at("6", 1, 0, { functionLocation: undefined }),
      at("3", 5, 6, { functionName: "lib" }),
      at("1", 0),
    ),
  );
  calls.note("moves", moves);
  const outer = at("1", 1);
  calls.note("out of", [
    outOf([at("4", 1), outer], scripts),
    outOf([at("4", 1)], scripts),
    outOf([], scripts),
  ]);
  for (const kind of ["next", "stepIn", "stepOut"] as const) {
    const step = await Step.start(kind, [at("1", 1), outer], scripts);
    const own = { functionLocation: { scriptId: "1", lineNumber: 2, columnNumber: 1 } };
    for (const [name, stack] of Object.entries({
      "the same line": [at("1", 1, 9), outer],
      "another line": [at("1", 5), outer],
      "a check": [at("1", 4), outer],
      "in a library": [at("3", 1), outer],
      "in a library under all": [at("3", 1)],
      "deeper, another function": [at("1", 5, 0, own), at("1", 1), outer],
      "deeper, the same function": [at("1", 1), at("1", 1), outer],
      "out of it": [outer],
      "another function as deep": [at("1", 5, 0, own), outer],
      "another function as deep, the same line": [at("1", 1, 0, own), outer],
    }))
      await calls.does(`${kind}: ${name}`, () => step.on(stack, scripts));
  }
  calls.approve("kernel/debug/frames");
});

test("breakpoints are placed, moved and lifted as approved", async () => {
  const calls = new Calls();
  const { made, scripts, cell, log } = scripted();
  const moved: unknown[] = [];
  const breakpoints = new Breakpoints(made, scripts, (one) => void moved.push(one));
  const posts = () => taken(log).filter((line) => /Breakpoint /.test(line));
  const set = async (name: string, asked: unknown[], text: string | null = cell.text, path = cell.path) => {
    await calls.once(name, () => breakpoints.set(path, asked, text ?? undefined));
    calls.note("  posted", posts());
  };
  await set("set", [{ line: 1 }, { line: 3 }, { line: 4, condition: " " }, { line: 99 }, { line: 0 }]);
  calls.note("listed", breakpoints.list());
  await set("set anew", [{ line: 2, condition: "x > 1" }, { line: 2 }]);
  calls.note(
    "hit",
    [breakpoints.hit(["b1"]), breakpoints.hit(["b4"]), breakpoints.hit([]), breakpoints.hit(["nothing"])].map(
      (those) => those.map(({ id, condition, hits, line }) => [id, condition, hits, line]),
    ),
  );
  await set("elsewhere, where nothing has run", [{ line: 7 }], null, "/home/me/later.ts");
  await set("in a text of one line", [{ line: 1 }, { line: 2 }], "one", "/home/me/short.ts");
  calls.note("listed", breakpoints.list());
  await set("none any more", []);
  calls.note(
    "listed",
    breakpoints.list().map(({ source }) => source),
  );
  for (const asked of [[{ line: "1" }], [3], [{ line: 1.5 }], [{}], [{ line: 1, hitCondition: "x" }]])
    await set(`refused ${JSON.stringify(asked)}`, asked);
  await breakpoints.set("/cells/other.ts", [{ line: 2 }, { line: 4 }], undefined);
  await breakpoints.place({ ...cell, path: "/cells/other.ts" } as UserScript);
  calls.note("moved when a script begins", moved.splice(0));
  await breakpoints.place({ ...cell, path: "/cells/none.ts" } as UserScript);
  calls.note("of none", [moved, posts()]);
  for (const hitCondition of [
    undefined,
    null,
    "",
    "3",
    " 3 ",
    3,
    ">= 3",
    "> 3",
    "== 3",
    "=== 3",
    "= 3",
    "<= 3",
    "< 3",
    "% 3",
    ">=3",
    "!= 3",
    "3.5",
    "-3",
    "x",
  ])
    await calls.once(`counts ${JSON.stringify(hitCondition)}`, async () => {
      await breakpoints.set("/cells/counted.ts", [{ line: 1, hitCondition }], undefined);
      const [one] = (
        breakpoints as unknown as { byPath: Map<string, { counts(hits: number): boolean }[]> }
      ).byPath.get("/cells/counted.ts")!;
      return [1, 2, 3, 4, 6].filter((hits) => one!.counts(hits));
    });
  calls.approve("kernel/debug/breakpoints");
});

test("scopes, variables and what is looked at are approved", async () => {
  const calls = new Calls();
  const property = (name: string, value: unknown = 1) => ({
    name,
    value: { type: "number", value, description: String(value) },
  });
  const chains: Record<string, object[]> = {
    block: [property("i", 0), property("x", 5)],
    local: [
      property("x", 6),
      property("arg", 7),
      property("unwritten", 8),
      property("exports"),
      property("__luvit_own"),
    ],
    closure: [property("outer", 9), property("arg", 10)],
    top: [property("__luvit_stop"), property("kept", 11), property("fresh", 12)],
    library: [property("anything", 13)],
  };
  const answers: Record<string, unknown> = {
    properties: (id: string) =>
      chains[id] ?? [property("__proto__"), property("kept", 20), property("shared", 21)],
    evaluate: { type: "object", objectId: "all" },
    evaluateIn: (_: string, code: string) =>
      code.includes("throws") ? new Error("thrown") : { type: "number", value: 3, description: "3" },
    evaluation: (source: string) =>
      source.includes("(bad") ? new SyntaxError("cannot be read") : `JS<${source}>`,
    "call childCounts": (id: string) => ({
      value:
        id === "list"
          ? { indexed: 250, named: 0 }
          : id === "short"
            ? { indexed: 3, named: 0 }
            : id === "huge"
              ? { indexed: 20_001, named: 0 }
              : { indexed: 0, named: id === "many" ? 502 : 2 },
    }),
    "call part": (_: string, [start, count]: number[]) => ({
      type: "object",
      objectId: `part ${start} ${count}`,
    }),
    "call bundle": { type: "object", value: { "text/plain": "shown" } },
    bundle: { "text/plain": "a primitive" },
  };
  const { made, log } = target(answers);
  const script = { name: "cell [1]", text: "let i, x, arg, outer; this.fresh = kept; shared" };
  const chain = (...types: [string, string][]) =>
    types.map(([type, objectId]) => ({ type, object: { objectId } }));
  const frame = (scopeChain: object[], more: object = {}) =>
    ({
      id: 4,
      call: { callFrameId: "f1", scopeChain, this: { type: "object", objectId: "self", className: "Own" } },
      script,
      ...more,
    }) as never;
  const scopes = new Scopes(made);
  const sections = async (given: never) =>
    (await scopes.sections(given)).map(({ name, properties }) => [
      name,
      properties.map((one) => `${one.name}=${one.value?.value ?? one.value?.objectId}`).join(" "),
    ]);
  const whole = chain(
    ["block", "block"],
    ["local", "local"],
    ["closure", "closure"],
    ["closure", "top"],
    ["script", "script"],
    ["global", "global"],
  );
  await calls.does("sections", () => sections(frame(whole)));
  calls.note("asked", taken(log));
  scopes.forget();
  await calls.does("sections of a cell's top", () =>
    sections(frame(chain(["block", "block"], ["local", "top"], ["global", "global"]))),
  );
  scopes.forget();
  await calls.does("sections of a library", () =>
    sections(frame(chain(["local", "library"]), { script: undefined })),
  );
  scopes.forget();
  await calls.does("sections without this", () =>
    sections(frame(chain(["local", "local"]), { script: { name: "x", text: "let x" } })),
  );
  taken(log);
  scopes.forget();
  for (const source of ["x + 1", "throws", "(bad"])
    await calls.once(`evaluate ${source}`, () => scopes.evaluate(frame(whole), source));
  await calls.once("evaluate in a library", () => scopes.evaluate(frame(whole, { script: undefined }), "y"));
  await calls.once("keep", () => scopes.keep(frame(whole), 'na"me', "x"));
  for (const source of ["x", "await x", "(bad"])
    await calls.once(`evaluate between cells: ${source}`, () => scopes.evaluateIdle(source));
  calls.note(
    "asked",
    taken(log).filter((line) => !line.startsWith("properties")),
  );
  const variables = new Variables(made);
  const shown = (value: object, group: "stop" | "idle" = "stop") =>
    variables.show("v", value as never, group);
  calls.note("shown", [
    shown({ type: "number", value: 1, description: "1" }),
    shown({ type: "symbol", objectId: "s", description: "Symbol()" }),
    shown({ type: "object", objectId: "short", className: "Array", description: "Array(3)" }),
    shown({ type: "object", objectId: "list", className: "Float32Array", description: "F" }, "idle"),
    shown({ type: "object", objectId: "few", className: "Own", description: "Own" }),
    shown({ type: "object", objectId: "many", className: "Object", description: "Object" }),
    shown({ type: "object", objectId: "huge", className: "Array", description: "Array(20001)" }),
  ]);
  const list = (reference: number, start = 0, count = 0) =>
    calls.once(`list ${reference} from ${start}, ${count}`, async () =>
      (await variables.list(reference, start, count))
        .map((one) => Object.values(one).join(" | "))
        .slice(0, 6),
    );
  for (const [reference, start, count] of [
    [1, 0, 0],
    [2, 0, 0],
    [2, 1, 2],
    [3, 0, 0],
    [2, 0, 100],
    [2, 0, 101],
    [4, 0, 0],
    [4, 5, 9],
    [5, 0, 0],
    [6, 0, 0],
    [99, 0, 0],
  ] as const)
    await list(reference, start, count);
  for (let reference = 7; reference < 12; reference++) await list(reference);
  const own = variables.refer(
    {
      kind: "list",
      properties: [{ name: "__proto__" }, { name: "get", get: { type: "function" } }, property("p")] as never,
      assign: async (name, value) => ({ type: "string", value: `${name} is ${value}` }),
    },
    "idle",
  );
  await list(own);
  await calls.once("set", () => variables.set(own, "p", "5"));
  await calls.once("set in a value", () => variables.set(1, "p", "5"));
  variables.forget("stop");
  await list(1);
  await list(own);
  variables.forget("idle");
  await calls.once("set what is forgotten", () => variables.set(own, "p", "5"));
  taken(log);
  const exception = {
    type: "object",
    className: "TypeError",
    subtype: "error",
    description: "TypeError: wrong\n    at x",
    objectId: "e",
  };
  const halted = {
    id: 4,
    name: "f",
    title: "cell [1]",
    path: "/cells/1.ts",
    line: 3,
    column: 5,
    call: { callFrameId: "f1", scopeChain: whole, this: { type: "undefined" } },
    script,
  };
  const library = { ...halted, id: 5, name: "lib", title: "/p.js", path: "/p.js", script: undefined };
  const thread = (halt: object | undefined) =>
    ({
      halt,
      filters: new Set(["uncaught"]),
      target: made,
      scopes: new Scopes(made),
      variables: new Variables(made),
      scripts: { localFiles: () => [{ path: "/a.ts" }, { path: "/b.ts" }] },
      get stopped() {
        if (!halt) throw new Error("nothing is stopped");
        return halt;
      },
      frame: (id: number) => {
        const found = [halted, library].find((one) => one.id === id);
        if (!found) throw new Error(`no frame ${id}`);
        return found;
      },
    }) as never;
  const stopped = thread({ frames: [halted, library, halted], exception });
  const idle = thread(undefined);
  for (const [name, args] of [
    ["threads", {}],
    ["stackTrace", {}],
    ["stackTrace", { startFrame: 1, levels: 1 }],
    ["stackTrace", { levels: 2 }],
    ["stackTrace", { startFrame: 9 }],
    ["stackTrace", { startFrame: "1" }],
    ["scopes", { frameId: 4 }],
    ["scopes", { frameId: 99 }],
    ["scopes", {}],
    ["variables", { variablesReference: 1 }],
    ["variables", { variablesReference: 2 }],
    ["setVariable", { variablesReference: 2, name: "kept", value: "7" }],
    ["setVariable", { variablesReference: 1, name: "a b", value: "7" }],
    ["setVariable", { variablesReference: 1, name: "x" }],
    ["evaluate", { expression: "x", frameId: 4 }],
    ["evaluate", { expression: "x" }],
    ["evaluate", { expression: 3 }],
    ["evaluate", { expression: "throws", frameId: null }],
    ["exceptionInfo", {}],
    ["inspectVariables", {}],
    ["richInspectVariables", { variableName: "x", frameId: 5 }],
    ["richInspectVariables", {}],
    ["copyToGlobals", { srcVariableName: "x", dstVariableName: "y", srcFrameId: 4 }],
    ["copyToGlobals", { srcVariableName: "x", dstVariableName: "y z", srcFrameId: 4 }],
    ["copyToGlobals", { srcVariableName: "throws", dstVariableName: "y", srcFrameId: 4 }],
    ["modules", {}],
  ] as [string, Record<string, unknown>][])
    for (const [state, one] of [
      ["stopped", stopped],
      ["between cells", idle],
    ] as const) {
      await calls.once(`${name} ${JSON.stringify(args)} ${state}`, async () => inspections[name]!(one, args));
      const asked = taken(log).filter((line) => !/^properties/.test(line));
      if (asked.length > 0)
        calls.note(
          "  asked",
          asked.map((line) => line.slice(0, 200)),
        );
    }
  calls.note("requests", Object.keys(inspections));
  calls.approve("kernel/debug/inspection");
});

test("what a debugger that is not started answers is approved", async () => {
  const calls = new Calls();
  const log: string[] = [];
  const state = { running: false };
  const adapter = new DebugAdapter({
    publish: (event) => void log.push(JSON.stringify(event)),
    say: () => {},
    isInterrupted: () => false,
    interrupt: async () => void log.push("interrupts"),
    isRunning: () => state.running,
  });
  const prefix = ((await adapter.answer({ command: "debugInfo" })).body as { tmpFilePrefix: string })
    .tmpFilePrefix;
  const told = (value: unknown) =>
    JSON.parse(JSON.stringify(value).replaceAll(prefix, "<prefix>")) as unknown;
  const folder = dirname(prefix);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "file.ts"), "in a file");
  writeFileSync(join(folder, "file.txt"), "no code");
  for (const request of [
    { command: "debugInfo", seq: 3 },
    { command: "dumpCell", seq: 4, arguments: { code: "let a" } },
    { command: "dumpCell", seq: 5 },
    { command: "source", arguments: { source: { path: `${prefix}${murmur2("let a", 0x6c757669)}.ts` } } },
    { command: "source", arguments: { source: { path: join(folder, "file.ts") } } },
    { command: "source", arguments: { source: { path: join(folder, "file.txt") } } },
    { command: "source", arguments: { source: { path: join(folder, "none.ts") } } },
    { command: "source", arguments: { source: 3 } },
    { command: "source" },
    ...[
      "attach",
      "launch",
      "configurationDone",
      "continue",
      "next",
      "stepIn",
      "stepOut",
      "pause",
      "threads",
      "stackTrace",
      "modules",
      "toString",
      "constructor",
      "",
      "nonsense",
    ].map((command, i) => ({ command, seq: 20 + i })),
    { command: 5, seq: 1.5 },
    { command: "setBreakpoints", arguments: { source: { path: "/x.ts" }, breakpoints: [{ line: 1 }] } },
    { command: "setBreakpoints", arguments: { source: {} } },
    { command: "setExceptionBreakpoints", arguments: { filters: ["uncaught"] } },
    { command: "setExceptionBreakpoints", arguments: { filters: ["other"] } },
    { command: "setExceptionBreakpoints", arguments: { filters: "all" } },
    { command: "debugInfo", arguments: [] },
  ]) {
    const answer = await adapter.answer(request);
    calls.note(
      JSON.stringify(told(request)).replaceAll(folder, "<folder>"),
      JSON.stringify(told(answer)).replaceAll(folder, "<folder>"),
    );
  }
  for (const running of [false, true]) {
    state.running = running;
    for (const request of [
      { command: "disconnect" },
      { command: "disconnect", arguments: { terminateDebuggee: true } },
      { command: "terminate" },
      { command: "pause" },
    ])
      calls.note(`${JSON.stringify(request)} where ${running ? "a" : "no"} cell runs`, [
        (await adapter.answer(request)).success,
        taken(log),
      ]);
  }
  calls.note("stopped", [adapter.isStopped, await adapter.goOn()]);
  adapter.close();
  calls.note("closed", existsSync(folder));
  calls.approve("kernel/debug/adapter");
});
