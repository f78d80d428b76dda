import assert from "node:assert/strict";
import { test } from "node:test";
import { parameterNotes, parseParameter, setParameters } from "../../../src/kernel/parameters";
import type { Notebook, NotebookCell } from "../../../src/notebook/nbformat";
import { isLuvitError } from "../nn/support";

const cell = (source: string, tags: string[] = [], type: "code" | "markdown" = "code") =>
  ({
    id: source,
    cell_type: type,
    source,
    metadata: { tags },
    outputs: [],
    execution_count: null,
  }) as NotebookCell;

const notebook = (...cells: NotebookCell[]) =>
  ({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }) as Notebook;

const given = ["// parameters given to this run", "let rate = 2;", 'let names = ["a"];'].join("\n");
const sources = (book: Notebook) =>
  setParameters(book, { rate: 2, names: ["a"] }).cells.map(({ source }) => source);

test("given values stand right behind the cell that declares the parameters, before the next", () => {
  const first = notebook(cell("let rate = 1", ["parameters"]), cell("use"), cell("more"));
  assert.deepEqual(sources(first), ["let rate = 1", given, "use", "more"]);
  const later = notebook(cell("import"), cell("let rate = 1", ["slow", "parameters"]), cell("use"));
  assert.deepEqual(sources(later), ["import", "let rate = 1", given, "use"]);
  assert.deepEqual(sources(notebook(cell("let rate = 1", ["parameters"]))), ["let rate = 1", given]);
});

test("given values stand first where no cell of code declares the parameters", () => {
  const text = cell("About them", ["parameters"], "markdown");
  assert.deepEqual(sources(notebook(text, cell("use"))), [given, "About them", "use"]);
});

test("a notebook that is given no values stays as it is, and one that is given some is not changed itself", () => {
  const book = notebook(cell("let rate = 1", ["parameters"]));
  assert.equal(setParameters(book, {}), book);
  setParameters(book, { rate: 2 });
  assert.equal(book.cells.length, 1);
});

test("a value is JSON where it can be read as that, else the text as it is, with all that is behind the first sign", () => {
  for (const [text, name, value] of [
    ["a=1", "a", 1],
    ["a=-1e-3", "a", -0.001],
    ["a=true", "a", true],
    ["a=null", "a", null],
    ['a="1"', "a", "1"],
    ["a=[1, 2]", "a", [1, 2]],
    ["a=b=c", "a", "b=c"],
    ["a=", "a", ""],
    ["a= x ", "a", " x "],
    ["a=one\ntwo", "a", "one\ntwo"],
    ["$_x9=NaN", "$_x9", "NaN"],
  ] as const)
    assert.deepEqual(parseParameter(text), [name, value], text);
  for (const text of ["", "a", "=1", "9a=1", "a-b=1", " a=1", "a =1"])
    assert.throws(
      () => parseParameter(text),
      isLuvitError("bad-argument", `-p ${text}: expected name=value`),
      text,
    );
});

test("a note names parameters that the notebook does not have, and those that it has", () => {
  const notes = (book: Notebook, ...names: string[]) =>
    parameterNotes(book, Object.fromEntries(names.map((name) => [name, 1])));
  const book = notebook(
    cell("x"),
    cell("let rate = 1, [b, { c: d }] = [1, { c: 2 }];\nfunction f() { let inner; }", ["parameters"]),
  );
  assert.deepEqual(notes(book), []);
  assert.deepEqual(notes(book, "rate", "b", "d"), []);
  assert.deepEqual(notes(book, "c", "rate", "inner"), [
    "note: the notebook has no parameter c, inner; it has rate, b, d",
  ]);
  assert.deepEqual(notes(notebook(cell("f()", ["parameters"])), "a"), [
    "note: the notebook has no parameter a; its cell of parameters declares none",
  ]);
  const [none] = notes(notebook(cell("let a", ["other"]), cell("a", ["parameters"], "markdown")), "a", "b");
  assert.match(
    none!,
    /^note: no cell of the notebook is tagged "parameters": a, b set before its first cell/,
  );
  assert.deepEqual(notes(notebook(cell("let a"))), []);
});

test("the cell of given values is marked as such, and has not run", () => {
  const [made] = setParameters(notebook(cell("use")), { a: "x\u2028" }).cells;
  const { source, ...rest } = made!;
  assert.equal(source, '// parameters given to this run\nlet a = "x\u2028";');
  assert.deepEqual(rest, {
    ...{ id: "injected-parameters", cell_type: "code", metadata: { tags: ["injected-parameters"] } },
    ...{ outputs: [], execution_count: null },
  });
});

test("cells without any tags declare no parameters", () => {
  const untagged = { ...cell("let rate = 1"), metadata: {} } as NotebookCell;
  assert.deepEqual(sources(notebook(untagged)), [given, "let rate = 1"]);
  assert.match(parameterNotes(notebook(untagged), { rate: 1 })[0]!, /no cell of the notebook is tagged/);
});
