import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chain,
  lazyMap,
  mapStacks,
  parseMap,
  registerMap,
  splitInlineMap,
} from "../../../../src/kernel/compiler/sourceMaps";
import { EditedText } from "../../../../src/kernel/compiler/textEdits";
import { editCell } from "../../../../src/kernel/compiler/tslab/edits";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";

/** A map whose second line's columns from 4 on are line 3, column 2 of the source. */
const json = (mappings = ";IAEE") => JSON.stringify({ version: 3, sources: ["cell"], names: [], mappings });

test("a place in compiled code is one in the source, both counted from 1", () => {
  const locate = chain([parseMap(json())]);
  assert.deepEqual(locate(2, 5), { line: 3, column: 3 });
  assert.deepEqual(locate(2, 9), { line: 3, column: 3 }, "the last mapping before it");
});

test("what the compiler has put before everything else is nowhere in the source", () => {
  assert.equal(chain([parseMap(json())])(1, 1), undefined);
});

test("maps lead through each other, and are made when the first place is asked for, once", () => {
  const second = parseMap(json(";;EAAA")); // line 3, column 2 is line 1, column 0
  assert.deepEqual(chain([parseMap(json()), second])(2, 5), { line: 1, column: 1 });
  let made = 0;
  const locate = lazyMap(() => {
    made++;
    return json();
  });
  assert.equal(made, 0);
  assert.deepEqual([locate(2, 5), locate(2, 6)], [chain([parseMap(json())])(2, 5), { line: 3, column: 3 }]);
  assert.equal(made, 1);
});

test("a map at the end of code is taken off it", () => {
  const code = "exports.a = 1;\n";
  const inline = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(json()).toString("base64")}\n`;
  const split = splitInlineMap(code + inline);
  assert.equal(split.code, code);
  assert.deepEqual(chain([split.map!])(2, 5), { line: 3, column: 3 });
  assert.deepEqual(splitInlineMap(code), { code });
});

test("what tslab's compiler gets has every line where it was written", () => {
  const cells = {
    'const {\n  a,\n  b: c\n} = await import(\n  "y"\n);\nc': 'import { a, b as c } from "y";\n\n\n\n\n\nc',
    'const all = await import(\n"y")\nall': 'import * as all from "y";\n\nall',
    "export const x = 1;\nexport function f() {}": "       const x = 1;\n       function f() {}",
    "const { k: [one] } = { k, v };": 'const { "k": [one] } = { k: k, v: v };',
  };
  for (const [source, text] of Object.entries(cells)) {
    const { edited } = editCell(loadTypeScript(), source);
    assert.equal(edited.text, text);
    assert.equal(edited.locate({ line: text.split("\n").length, column: 1 }).line, source.split("\n").length);
  }
  const kept = [
    'let x = await import("y");',
    'const x: any = await import("y");',
    'const { x = 1 } = await import("y");',
    'const { ...x } = await import("y");',
    'const x = await import("y"), z = 1;',
    'const { "a-b": x } = await import("y");',
    "const x = await import(y);",
  ];
  for (const source of kept) {
    const { edited, awaits, imports } = editCell(loadTypeScript(), source);
    assert.deepEqual(
      [edited.text.replace('"a-b"', "ab"), awaits, imports],
      [source.replace('"a-b"', "ab"), true, []],
    );
  }
});

test("places before, in and behind edits lead back to what they came from, and the other way", () => {
  // ab[cd]ef -> ab(XYZ)ef|, and what comes before all of it comes from its end
  const edited = new EditedText("abcdef", [
    { at: 6, remove: 0, insert: "|" },
    { at: 2, remove: 2, insert: "XYZ" },
    { at: 0, remove: 0, insert: ">>", from: 7 },
  ]);
  assert.equal(edited.text, ">>abXYZef|");
  assert.deepEqual(
    [0, 1, 2, 3, 5, 6, 7, 8].map((place) => edited.original(place)),
    [7, 7, 0, 1, 2, 2, 4, 5],
  );
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((place) => edited.edited(place)),
    [3, 4, 7, 7, 8],
  );
});

/** A frame as Node gives it. */
function frame(file: string | undefined, text: string, line = 1, column = 1): NodeJS.CallSite {
  return {
    getFileName: () => file,
    getLineNumber: () => line,
    getColumnNumber: () => column,
    toString: () => text,
  } as NodeJS.CallSite;
}

test("a stack ends with the cell, without the kernel's frames, wherever they are among its own", (t) => {
  t.after(mapStacks());
  const name = "the cell of stacks";
  const nowhere = () => undefined;
  registerMap(name, {
    source: "cell [7]",
    text: "",
    locate: (line, column) => (line < 9 ? { line: line + 10, column } : nowhere()),
  });
  const cell = (line: number) => frame(name, `f (${name}:${line}:2)`, line, 2);
  const library = frame("/x/node_modules/p/index.js", "g (/x/node_modules/p/index.js:1:1)");
  const kernel = frame("luvit-kernel-segment.js", "k (luvit-kernel-segment.js:1:1)");
  const virtual = frame("node:vm", "runInContext (node:vm:1:1)");
  const timers = frame("node:internal/timers", "listOnTimeout (node:internal/timers:1:1)");
  const shown = (...frames: NodeJS.CallSite[]) =>
    (Error.prepareStackTrace!(new RangeError("x"), frames) as string)
      .split("\n    at ")
      .slice(1)
      .map((text) => text.split(" ")[0]);
  const text = Error.prepareStackTrace!(new RangeError("x"), [cell(1), library]);
  assert.equal(text, "RangeError: x\n    at f (cell [7]:11:2)\n    at g (/x/node_modules/p/index.js:1:1)");
  assert.deepEqual(shown(library, cell(1), kernel, virtual, timers), ["g", "f"], "who called the kernel");
  assert.deepEqual(shown(kernel, cell(1), timers), ["f", "listOnTimeout"], "the kernel, called by a cell");
  assert.deepEqual(shown(kernel, library, cell(1), kernel, timers), ["g", "f"], "both");
  assert.deepEqual(
    shown(cell(1), virtual, cell(2), kernel, library),
    ["f", "f"],
    "a cell through the kernel",
  );
  assert.deepEqual(shown(kernel, library), ["k", "g"], "no cell is in it");
  assert.deepEqual(shown(), []);
  const lineOf = (one: NodeJS.CallSite) =>
    (Error.prepareStackTrace!(new Error("x"), [one, cell(1)]) as string).split("\n    at ")[1];
  assert.equal(lineOf(cell(9)), `f (${name}:9:2)`, "a place that is nowhere in the source");
  assert.equal(lineOf(frame(name, `${name}:3:4`, 3, 4)), "cell [7]:13:4");
  assert.equal(lineOf(frame(name, "async Promise.all (index 0)", 3, 4)), "async Promise.all (index 0)");
  assert.equal(lineOf(frame(undefined, "<anonymous>")), "<anonymous>");
});

test("stacks are as deep as they were, or deeper, and as before when that is undone", () => {
  const { stackTraceLimit, prepareStackTrace } = Error;
  for (const [limit, within] of [
    [10, 50],
    [50, 50],
    [200, 200],
  ] as const) {
    Error.stackTraceLimit = limit;
    const undo = mapStacks();
    assert.equal(Error.stackTraceLimit, within);
    undo();
    assert.deepEqual([Error.stackTraceLimit, Error.prepareStackTrace], [limit, prepareStackTrace]);
  }
  Error.stackTraceLimit = stackTraceLimit;
});
