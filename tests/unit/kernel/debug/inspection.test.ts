import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { CellFiles } from "../../../../src/kernel/debug/cellFiles";
import { framesOf } from "../../../../src/kernel/debug/frames";
import { inspections } from "../../../../src/kernel/debug/inspection";
import { Scopes } from "../../../../src/kernel/debug/scopes";
import { Scripts } from "../../../../src/kernel/debug/scripts";
import { outOf, Step } from "../../../../src/kernel/debug/stepping";
import { Variables } from "../../../../src/kernel/debug/variables";

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
const ask = async (name: string, thread: unknown, args: object = {}): Promise<any> =>
  inspections[name]!(thread as never, args as never);

test("a stack that is asked for in pieces is said to have all its frames", async () => {
  const frames = [1, 2, 3, 4].map((id) => ({
    ...{ id, name: `f${id}`, title: `t${id}`, path: `/p${id}`, line: 10 * id, column: id },
    script: id === 3 ? undefined : {},
  }));
  const thread = { stopped: { frames } };
  const stack = async (args: object) => {
    const { stackFrames, totalFrames } = await ask("stackTrace", thread, args);
    return [stackFrames.map(({ id }: { id: number }) => id), totalFrames];
  };
  assert.deepEqual(await stack({}), [[1, 2, 3, 4], 4]);
  assert.deepEqual(await stack({ startFrame: 0, levels: 0 }), [[1, 2, 3, 4], 4], "0 is all");
  assert.deepEqual(await stack({ startFrame: 0, levels: 1 }), [[1], 4]);
  assert.deepEqual(await stack({ startFrame: 1, levels: 2 }), [[2, 3], 4]);
  assert.deepEqual(await stack({ startFrame: 3, levels: 20 }), [[4], 4]);
  const { stackFrames } = await ask("stackTrace", thread);
  const first = {
    id: 1,
    name: "f1",
    line: 10,
    column: 1,
    source: { name: "t1", path: "/p1", sourceReference: 0 },
  };
  assert.deepEqual(stackFrames[0], first);
  assert.equal(stackFrames[2].presentationHint, "subtle", "a library's");
});

test("what is looked at and set is so in the frame that is meant, and in none between cells", async () => {
  const log: unknown[][] = [];
  const value = (text: string) => ({ type: "string", value: text });
  const frames = [1, 2].map((id) => ({ id, script: { isFile: id === 2 } }));
  const thread = {
    halt: { frames } as { frames: unknown[] } | undefined,
    frame: (id: number) => frames.find((one) => one.id === id),
    filters: new Set<string>(),
    variables: new Variables({} as never),
    target: {
      release: async (group: string) => void log.push(["release", group]),
      ask: async (...given: unknown[]) => log.push(given) && { "text/plain": "primitive" },
      call: async (...given: unknown[]) => log.push(given) && { value: { "text/plain": "object" } },
    },
    scopes: {
      evaluate: async ({ id }: { id: number }, text: string) => log.push(["in", id, text]) && value(text),
      evaluateIdle: async (text: string) => log.push(["idle", text]) && value(text),
      keep: async ({ id }: { id: number }, ...given: unknown[]) => void log.push(["keep", id, ...given]),
      sections: async () =>
        ["Locals", "Globals"].map((name) => ({ name, properties: [{ name: "x", value: value(name) }] })),
      variables: async (_: string, group: string) => [{ name: "v", value: value(group) }],
    },
  };
  const took = () => log.splice(0);
  assert.deepEqual(await ask("evaluate", thread, { expression: "a" }), {
    result: '"a"',
    type: undefined,
    variablesReference: 0,
  });
  await ask("evaluate", thread, { expression: "a", frameId: 2 });
  assert.deepEqual(took(), [
    ["in", 1, "a"],
    ["in", 2, "a"],
  ]);
  for (const [frameId, kept] of [
    [1, [["keep", 1, "x", "x"]]],
    [2, []],
  ] as const) {
    const { scopes } = await ask("scopes", thread, { frameId });
    assert.deepEqual(
      scopes.map(({ variablesReference: _, ...rest }: Record<string, unknown>) => rest),
      [
        { name: "Locals", expensive: false, namedVariables: 1 },
        { name: "Globals", expensive: false, namedVariables: 1 },
      ],
    );
    for (const [index, more] of [
      [0, []],
      [1, kept],
    ] as const) {
      const set = { variablesReference: scopes[index].variablesReference, name: "x", value: "1 // c" };
      const made = await ask("setVariable", thread, set);
      assert.equal(made.value, '"x = (1 // c\\n)"');
      assert.deepEqual(
        took(),
        [["in", frameId, "x = (1 // c\n)"], ...more],
        "a cell's own is kept for the notebook",
      );
    }
  }
  await assert.rejects(
    ask("setVariable", thread, { variablesReference: 1, name: "x.y", value: "1" }),
    /x\.y: not a variable that can be set/,
  );
  await ask("copyToGlobals", thread, { srcVariableName: "a.b", dstVariableName: "to", srcFrameId: 2 });
  assert.deepEqual(took(), [
    ["in", 2, "a.b"],
    ["declare", "to"],
    ["keep", 2, "to", "a.b"],
  ]);
  await assert.rejects(
    ask("copyToGlobals", thread, { srcVariableName: "a", dstVariableName: "a-b", srcFrameId: 2 }),
    /a-b: not a name that a cell can declare/,
  );
  assert.deepEqual(took(), []);
  const stopped = await ask("inspectVariables", thread);
  assert.deepEqual([stopped.variables[0].value, took()], ['"stop"', []]);
  thread.halt = undefined;
  const idle = await ask("inspectVariables", thread);
  assert.deepEqual([idle.variables[0].value, took()], ['"idle"', [["release", "idle"]]]);
  const rich = await ask("richInspectVariables", thread, { variableName: "v" });
  assert.deepEqual(rich, { data: { "text/plain": "primitive" }, metadata: {} });
  assert.deepEqual(took(), [
    ["idle", "v"],
    ["bundle", "v", true],
  ]);
  await assert.rejects(ask("exceptionInfo", { stopped: {} }), /not stopped by an exception/);
  const exception = {
    type: "object",
    subtype: "error",
    className: "TypeError",
    description: "TypeError: x\n    at f",
  };
  const info = await ask("exceptionInfo", { stopped: { exception }, filters: new Set(["all"]) });
  assert.deepEqual(
    [info.exceptionId, info.description, info.breakMode],
    ["TypeError", "TypeError: x", "always"],
  );
  assert.deepEqual(await ask("threads", {}), { threads: [{ id: 1, name: "cells" }] });
});

/** Scripts of a thread: a cell, a file, and what is a library's and the kernel's; `lines` of what the compiler made. */
function scripts(places: (line: number) => { line: number; column: number } | null, lines: string[] = []) {
  let parsed!: (script: { scriptId: string; url: string; startLine: number }) => void;
  const target = {
    inspector: {
      on: (_: string, take: typeof parsed) => {
        parsed = take;
      },
      post: async (method: string) =>
        method === "Debugger.getScriptSource"
          ? { scriptSource: lines.join("\n") }
          : { locations: [3, 1, 2].map((lineNumber) => ({ scriptId: "1", lineNumber })) },
    },
    ask: async (_: string, __: string, all: { line: number }[]) => all.map(({ line }) => places(line)),
  };
  const made = new Scripts(target as never, { path: (text: string) => `/tmp/${text.length}.ts` } as never);
  for (const [scriptId, url, startLine] of [
    ["1", "cell [1]", -1],
    ["2", "file:///n/a%20b.ts", 0],
    ["3", "file:///n/node_modules/x/index.js", 0],
    ["4", "node:fs", 0],
  ] as const)
    parsed({ scriptId, url, startLine });
  return { made, parsed };
}

test("a user's script is known by its latest compilation, with the file it stands for", () => {
  const { made, parsed } = scripts(() => null);
  assert.equal(made.add({ script: "nowhere", text: "" }), undefined);
  const cell = made.add({ script: "cell [1]", text: "abc" })!;
  assert.deepEqual(cell, {
    ...{
      id: "1",
      name: "cell [1]",
      path: "/tmp/3.ts",
      title: "cell [1]",
      isFile: false,
      text: "abc",
      start: -1,
    },
  });
  const file = made.add({ script: "/n/a b.ts", path: "/n/a.ts", text: "" })!;
  assert.deepEqual([file.id, file.path, file.title, file.isFile], ["2", "/n/a.ts", "/n/a.ts", true]);
  parsed({ scriptId: "9", url: "cell [1]", startLine: 0 });
  assert.deepEqual([made.add({ script: "cell [1]", text: "abc" })!.id, made.of("9")!.start], ["9", 0]);
  assert.deepEqual(
    made.withPath("/tmp/3.ts").map(({ id }) => id),
    ["1", "9"],
  );
  assert.deepEqual(made.localFiles(), [file]);
  assert.deepEqual(
    [made.name("3"), made.name("77"), made.of("3")],
    ["/n/node_modules/x/index.js", "", undefined],
  );
});

test("code stops where the user has written it: not in the kernel's checks, nor behind the text", async () => {
  const lines = [
    "return async () => {",
    'typeof __luvit_stop === "object" && __luvit_stop[0] && __luvit_halt(); f();',
    "x();",
    "y();",
  ];
  const { made } = scripts(
    (line) => (line > 9 ? { line: 40, column: 1 } : { line: 10 - line, column: 2 }),
    lines,
  );
  const cell = made.add({ script: "cell [1]", text: "\n".repeat(30) })!;
  const at = (lineNumber: number, columnNumber?: number) => ({ scriptId: "1", lineNumber, columnNumber });
  assert.deepEqual(await made.locate(cell, [at(0), at(0, 71), at(1, 3), at(12)]), [
    null,
    { line: 9, column: 2 },
    { line: 8, column: 2 },
    null,
  ]);
  const stops = await made.stops(cell);
  assert.deepEqual(
    stops.map(({ place, location }) => [place.line, location.lineNumber]),
    [
      [6, 3],
      [7, 2],
      [8, 1],
    ],
    "in the order of the text",
  );
  assert.deepEqual(await made.place(cell, at(0)), { line: 9, column: 2 }, "wherever it is");
});

const call = (scriptId: string, functionName = "", lineNumber = 1, at = 0) => ({
  ...{ callFrameId: `${scriptId}${lineNumber}`, functionName, scopeChain: [], this: { type: "undefined" } },
  functionLocation: { scriptId, lineNumber: at, columnNumber: 0 },
  location: { scriptId, lineNumber, columnNumber: 4 },
});

test("a stack has the user's frames and the packages' between them, down to the lowest of the user's", async () => {
  const { made } = scripts((line) => ({ line: line + 1, column: 1 }));
  made.add({ script: "cell [1]", text: "" });
  const calls = [
    call("4"),
    call("3", "inner"),
    call("1", "f"),
    call("3"),
    call("1", "", 2, -1),
    call("3"),
    call("4"),
  ];
  const frames = await framesOf(calls as never, made, 5);
  assert.deepEqual(
    frames.map(({ id, name, line, column, title }) => [id, name, line, column, title]),
    [
      [5, "inner", 2, 5, "/n/node_modules/x/index.js"],
      [6, "f", 3, 1, "cell [1]"],
      [7, "(anonymous)", 2, 5, "/n/node_modules/x/index.js"],
      [8, "<cell [1]>", 4, 1, "cell [1]"],
    ],
  );
  assert.deepEqual(await framesOf([call("3")] as never, made, 1), []);
});

test("a step ends on another line of the user's, in the function that it is about", async () => {
  const { made } = scripts((line) => (line > 50 ? null : { line, column: 1 }));
  made.add({ script: "cell [1]", text: "\n".repeat(60) });
  const from = [call("1", "f", 4, 1), call("1", "g", 9, 8)];
  const on = async (kind: "next" | "stepIn" | "stepOut", calls: unknown[]) =>
    (await Step.start(kind, from as never, made)).on(calls as never, made);
  const [same, next, deeper] = [from, [call("1", "f", 5, 1), from[1]], [call("1", "h", 20, 19), ...from]];
  const [back, library, kernels] = [[from[1]], [call("3"), ...from], [call("1", "f", 60, 1), from[1]]];
  for (const [kind, moves] of [
    ["next", ["stepOver", undefined, "stepOut", undefined, "stepOut", "stepOver"]],
    ["stepIn", ["stepInto", undefined, undefined, undefined, "stepOut", "stepInto"]],
    ["stepOut", [undefined, undefined, "stepOut", undefined, "stepOut", "stepOver"]],
  ] as const)
    assert.deepEqual(
      await Promise.all([same, next, deeper, back, library, kernels].map((calls) => on(kind, calls))),
      moves,
      kind,
    );
  assert.deepEqual(
    [outOf([call("3")] as never, made), outOf([call("3"), call("1")] as never, made)],
    ["resume", "stepOut"],
  );
});

test("a frame's own variables stand before those around it, each name once, and what a cell keeps by itself", async () => {
  const properties: Record<string, string[]> = {
    block: ["i", "shared"],
    local: ["n", "shared", "exports", "__luvit_x"],
    closure: ["outer", "absent"],
    top: ["__luvit_stop", "kept", "late"],
    kept: ["kept", "__proto__"],
  };
  const asked: string[] = [];
  const scopes = new Scopes({
    properties: async (id: string) =>
      asked.push(id) && properties[id]!.map((name) => ({ name, value: { value: `${name} of ${id}` } })),
    evaluate: async () => ({ objectId: "kept" }),
  } as never);
  const chain = ["block", "local", "closure", "top"].map((id) => ({ type: id, object: { objectId: id } }));
  const scopeChain = [...chain, { type: "global", object: { objectId: "global" } }];
  const script = { name: "cell [1]", text: "i shared n exports __luvit_x outer kept late this" };
  const frame = { script, call: { callFrameId: "f", scopeChain, this: { objectId: "o", className: "A" } } };
  const shown = async (one: unknown) =>
    (await scopes.sections(one as never)).map(({ name, properties: those }) => [
      name,
      those.map(({ name: called, value }) => (value?.value ? value.value : called)),
    ]);
  assert.deepEqual(await shown(frame), [
    ["Locals", ["this", "i of block", "shared of block", "n of local", "outer of closure"]],
    ["Globals", ["kept of kept", "late of top"]],
  ]);
  const known = asked.length;
  await shown(frame);
  assert.equal(asked.length, known + 1, "only what is kept is asked for again");
  scopes.forget();
  await shown(frame);
  assert.equal(asked.length, 2 * known + 1);
});

test("a cell's file is its user's alone, and goes with the kernel", () => {
  const files = new CellFiles();
  const folder = dirname(files.prefix);
  assert.equal(existsSync(folder), false, "made when the first cell is written");
  const [one, other] = [files.dump("const a = 'ü';"), files.dump("2")];
  assert.notEqual(one, other);
  assert.equal(files.path("const a = 'ü';"), one);
  assert.ok(one.startsWith(files.prefix) && one.endsWith(files.suffix));
  assert.equal(readFileSync(one, "utf8"), "const a = 'ü';");
  assert.deepEqual(
    [folder, one].map((path) => statSync(path).mode & 0o777),
    [0o700, 0o600],
  );
  assert.deepEqual([files.text(one), files.text(`${one}x`)], ["const a = 'ü';", undefined]);
  files.remove();
  assert.deepEqual([existsSync(folder), files.text(one)], [false, undefined]);
  assert.ok(!readdirSync(tmpdir()).some((name) => join(tmpdir(), name) === folder));
});
