import assert from "node:assert/strict";
import { test } from "node:test";
import { setParameters } from "../../../src/kernel/parameters";
import type { Notebook, NotebookCell } from "../../../src/notebook/nbformat";

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
