import assert from "node:assert/strict";
import { test } from "node:test";
import { askedBreakpoints, Breakpoints } from "../../../../src/kernel/debug/breakpoints";
import { numberOf, objectOf, textOf } from "../../../../src/kernel/debug/messages";
import { textOfValue, typeOfValue } from "../../../../src/kernel/debug/values";
import { Variables } from "../../../../src/kernel/debug/variables";
import { childCounts, part } from "../../../../src/kernel/executor/children";

test("numbered children are elements and entries, by their numbers; of names the first 500", () => {
  const holes = Object.assign([0], { 2: 2 });
  assert.deepEqual(
    [childCounts(holes), childCounts(new Set([1])), childCounts(new Map([[1, 2]]))].map(
      ({ indexed }) => indexed,
    ),
    [3, 1, 1],
  );
  assert.deepEqual(
    [childCounts(new Uint8Array(4)), childCounts({ a: 1, b: 2 })],
    [
      { indexed: 4, named: 0 },
      { indexed: 0, named: 2 },
    ],
  );
  assert.deepEqual(
    [childCounts(new DataView(new ArrayBuffer(4))), childCounts([])],
    [
      { indexed: 0, named: 0 },
      { indexed: 0, named: 0 },
    ],
  );
  assert.deepEqual(part(holes, 0, 3), { 0: 0, 2: 2 });
  assert.deepEqual(part([5, 6, 7, 8], 1, 2), { 1: 6, 2: 7 });
  assert.deepEqual(part([5, 6], 1, 9), { 1: 6 });
  assert.deepEqual(part(new Set(["a", "b", "c"]), 1, 1), { 1: "b" });
  assert.deepEqual(
    part(
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
      1,
      5,
    ),
    { 1: ["b", 2] },
  );
  const many = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`k${i}`, i]));
  assert.deepEqual(Object.keys(part(many, 0, 0)), Object.keys(many).slice(0, 500));
  const getter = Object.defineProperty({}, "g", {
    enumerable: true,
    get: () => assert.fail("nothing is read"),
  });
  assert.deepEqual(Object.keys(part(getter, 0, 0)), ["g"]);
});

test("a long list is folded into at most a hundred parts, and these into theirs, without a gap", async () => {
  const target = {
    call: async (name: string, _: string, [start, count]: [number, number]) =>
      name === "childCounts" ? { value: { indexed: length, named: 0 } } : { objectId: `${start}+${count}` },
    properties: async (objectId: string) => [{ name: objectId }],
  };
  let length = 0;
  const variables = new Variables(target as never);
  const list = async (size: number) => {
    length = size;
    return variables.list(variables.refer({ kind: "value", objectId: "o" }, "stop"), 0, 0);
  };
  assert.deepEqual(
    (await list(100)).map(({ name }) => name),
    ["0+100"],
  );
  assert.deepEqual(
    (await list(101)).map(({ name }) => name),
    ["[0 … 99]", "[100 … 100]"],
  );
  assert.equal((await list(10_000)).length, 100);
  assert.deepEqual(
    (await list(10_001)).map(({ name }) => name),
    ["[0 … 9999]", "[10000 … 10000]"],
  );
  const [, second] = await list(20_150);
  const within = await variables.list(second!.variablesReference, 0, 0);
  assert.deepEqual(
    [within.length, within[0]!.name, within[99]!.name],
    [100, "[10000 … 10099]", "[19900 … 19999]"],
  );
  const [one] = await variables.list(within[99]!.variablesReference, 0, 0);
  assert.equal(one!.name, "19900+100");
  variables.refer({ kind: "value", objectId: "kept" }, "idle");
  variables.forget("stop");
  await assert.rejects(variables.list(second!.variablesReference, 0, 0), /has gone on since/);
});

test("a condition on hits counts from one", async () => {
  const hitsOf = async (hitCondition: unknown) => {
    let placed = 0;
    const inspector = { post: async () => ({ breakpointId: `b${++placed}` }) };
    const location = { scriptId: "1", lineNumber: 0, columnNumber: 0 };
    const stops = async () => [{ place: { line: 1 }, location }];
    const breakpoints = new Breakpoints(
      { inspector } as never,
      { withPath: () => [{ path: "p" }], stops } as never,
      () => {},
    );
    await breakpoints.set("p", [{ line: 1, hitCondition }], "text");
    const [one] = breakpoints.hit(["b1"]);
    return [1, 2, 3, 4, 5, 6].filter((hits) => one!.counts(hits));
  };
  const expected: [unknown, number[]][] = [
    ...([
      [undefined, [1, 2, 3, 4, 5, 6]],
      ["", [1, 2, 3, 4, 5, 6]],
      ["3", [3]],
      [3, [3]],
      ["== 3", [3]],
      ["=3", [3]],
    ] as [unknown, number[]][]),
    ...([
      [">= 3", [3, 4, 5, 6]],
      ["> 3", [4, 5, 6]],
      ["<= 3", [1, 2, 3]],
      ["<3", [1, 2]],
      [" % 3 ", [3, 6]],
    ] as [unknown, number[]][]),
  ];
  for (const [condition, hits] of expected)
    assert.deepEqual(await hitsOf(condition), hits, String(condition));
  await assert.rejects(hitsOf("often"), /expected a number after .*, came often/);
});

test("breakpoints share what they stop at, move to the next line with code, and are placed anew where they were lifted", async () => {
  const posted: string[] = [];
  const inspector = {
    post: async (
      method: string,
      { breakpointId, location }: { breakpointId?: string; location?: { lineNumber: number } },
    ) => {
      posted.push(`${method.slice("Debugger.".length)} ${breakpointId ?? location!.lineNumber}`);
      return { breakpointId: `b${posted.length}` };
    },
  };
  const stops = async () =>
    [2, 5].map((line) => ({
      place: { line },
      location: { scriptId: "1", lineNumber: line, columnNumber: 0 },
    }));
  const breakpoints = new Breakpoints(
    { inspector } as never,
    { withPath: () => [{ path: "p" }], stops } as never,
    () => {},
  );
  const shown = await breakpoints.set(
    "p",
    [{ line: 1 }, { line: 2 }, { line: 3 }, { line: 6 }],
    "a\nb\nc\nd\ne",
  );
  assert.deepEqual(
    shown.map(({ line, verified }) => [line, verified]),
    [
      [2, true],
      [2, true],
      [5, true],
      [6, false],
    ],
  );
  assert.match(shown[3]!.message!, /no line 6 in p/);
  assert.deepEqual(posted, ["setBreakpoint 2", "setBreakpoint 5"]);
  assert.deepEqual(
    breakpoints.hit(["b1"]).map(({ id }) => id),
    [1, 2],
  );
  assert.deepEqual(breakpoints.list()[0]!.breakpoints.length, 4);
  posted.length = 0;
  await breakpoints.set("p", [{ line: 2 }], undefined);
  assert.deepEqual([...new Set(posted)], ["removeBreakpoint b1", "removeBreakpoint b2", "setBreakpoint 2"]);
  await breakpoints.set("p", [], undefined);
  assert.deepEqual(breakpoints.list(), []);
});

test("what a request says is taken as what it must be, or refused by name", () => {
  assert.deepEqual(askedBreakpoints({ lines: [3, 4] }), [{ line: 3 }, { line: 4 }]);
  assert.deepEqual(askedBreakpoints({ lines: [3], breakpoints: [{ line: 9 }] }), [{ line: 9 }]);
  assert.deepEqual(
    [numberOf({ a: 0 }, "a", 5), numberOf({}, "a", 5), objectOf(null, "x"), textOf({ a: "" }, "a")],
    [0, 5, {}, ""],
  );
  for (const wrong of [1.5, "1", Number.NaN, undefined])
    assert.throws(() => numberOf({ a: wrong }, "a"), /a: expected a whole number/);
  assert.throws(() => textOf({ a: 1 }, "a"), /a: expected a text, came 1/);
  assert.throws(() => objectOf([], "x"), /x: expected an object, came \[\]/);
  assert.throws(() => askedBreakpoints({ breakpoints: {} }), /breakpoints: expected a list, came \{\}/);
});

test("a value is one line of text, its type only where the text does not say it", () => {
  const object = (description: string, preview: object, more: object = {}) =>
    ({
      type: "object",
      description,
      className: description,
      preview: { properties: [], overflow: false, ...preview },
      ...more,
    }) as never;
  const property = (name: string, type: string, value?: string) => ({ name, type, value });
  const properties = [
    property("a", "string", 'x"'),
    property("f", "function", ""),
    property("g", "accessor"),
    property("n", "number", "1"),
  ];
  assert.equal(
    textOfValue(object("Object", { properties })),
    '{ a: "x\\"", f: function, g: (computed when read), n: 1 }',
  );
  assert.equal(
    textOfValue(object("Point", { properties: properties.slice(3), overflow: true })),
    "Point { n: 1, … }",
  );
  assert.equal(textOfValue(object("Object", {})), "{}");
  const elements = [
    property("0", "number", "5"),
    property("1", "string", "b"),
    property("more", "number", "6"),
  ];
  assert.equal(
    textOfValue(object("Array(2)", { properties: elements }, { subtype: "array" })),
    'Array(2) [5, "b", more: 6]',
  );
  const entries = [
    { key: { description: "1" }, value: { description: "2" } },
    { value: { description: "3" } },
  ];
  assert.equal(textOfValue(object("Map(2)", { entries }, { subtype: "map" })), "Map(2) { 1 => 2, 3 }");
  assert.equal(textOfValue(object("/a/g", { properties }, { subtype: "regexp" })), "/a/g");
  assert.equal(textOfValue(object("Error: x\n    at f", {}, { subtype: "error" })), "Error: x");
  assert.equal(textOfValue({ type: "function", description: "function f(a) {\n  1\n}" }), "function f(a)");
  assert.equal(textOfValue({ type: "string", value: "a\n" }), '"a\\n"');
  assert.equal(textOfValue({ type: "object", subtype: "null", value: null }), "null");
  assert.equal(textOfValue({ type: "undefined" }), "undefined");
  assert.equal(textOfValue({ type: "number", unserializableValue: "-0", description: "-0" }), "-0");
  assert.equal(textOfValue({ type: "string", value: "x".repeat(2000) }), `"${"x".repeat(999)}…`);
  assert.deepEqual(
    ["Object", "Array", "Map"].map((className) => typeOfValue({ type: "object", className })),
    [undefined, undefined, "Map"],
  );
  assert.equal(typeOfValue({ type: "number", className: "Number" }), undefined);
});
