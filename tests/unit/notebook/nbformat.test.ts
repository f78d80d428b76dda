import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readNotebook, writeNotebook } from "../../../src/notebook/nbformat";
import { temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";

function read(content: unknown) {
  const path = join(temporaryFolder(), "n.ipynb");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return readNotebook(path);
}
const withCells = (...cells: unknown[]) => ({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
const good = { cell_type: "code", source: ["1 +\n", "1"], metadata: { tags: ["a"] } };

test("text comes in one piece or in lines, and what a notebook may lack it may lack", () => {
  const { cells, metadata } = read({
    nbformat: 4,
    cells: [good, { cell_type: "markdown", source: "x", id: null }],
  });
  assert.deepEqual(
    cells.map(({ id, source }) => [id, source]),
    [
      ["cell-0", "1 +\n1"],
      ["cell-1", "x"],
    ],
  );
  assert.deepEqual(metadata, {});
});

test("everything that is no cell is named at once", () => {
  const cells = [good, null, 7, [], {}, { ...good, source: [null] }, { ...good, metadata: [], id: 3 }];
  assert.throws(
    () => read({ ...withCells(...cells, { ...good, metadata: { tags: "a" } }), metadata: { kernelspec: 1 } }),
    isLuvitError(
      "bad-file",
      "cells[1]: expected a cell, got null",
      "cells[2]: expected a cell, got 7",
      "cells[3]: expected a cell, got []",
      "cells[4].cell_type: expected code, markdown or raw, got nothing",
      "cells[4].source: expected a text",
      "cells[5].source: expected a text, or a list of its lines, got [null]",
      "cells[6].id: expected a text, got 3",
      "cells[6].metadata: expected an object, got []",
      'cells[7].metadata.tags: expected a list, got "a"',
      "metadata.kernelspec",
    ),
  );
});

test("other files are called what they are", () => {
  for (const [content, said] of [
    ["", "not a readable notebook"],
    ["[]", "format 4"],
    ["null", "format 4"],
    [{ nbformat: 3, worksheets: [] }, "format 4"],
    [{ nbformat: 4, cells: {} }, "format 4"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git LFS pointer"],
  ] as const)
    assert.throws(() => read(content), isLuvitError("bad-file", "n.ipynb", said));
});

test("a notebook that is read and written keeps ids, tags and images, loses outputs, and has its text in lines", () => {
  const attachments = { "a.png": { "image/png": "AA==" } };
  const notebook = read(
    withCells(
      {
        ...good,
        id: "mine",
        outputs: [{ output_type: "stream", name: "stdout", text: "old" }],
        execution_count: 7,
      },
      { cell_type: "markdown", source: "![a](attachment:a.png)", metadata: {}, attachments },
    ),
  );
  const [code] = notebook.cells;
  assert.deepEqual([code!.outputs, code!.execution_count], [[], null]);
  const html = {
    "text/html": "<b>\n</b>",
    "image/svg+xml": "<svg>\n</svg>",
    "image/png": "AA\nBB",
    "application/json": { a: 1 },
  };
  code!.outputs!.push(
    { output_type: "stream", name: "stdout", text: "a\n\nb" },
    { output_type: "display_data", data: html, metadata: {} },
    { output_type: "error", ename: "E", evalue: "e", traceback: ["E: e"] },
  );
  const path = join(temporaryFolder(), "out.ipynb");
  writeNotebook(path, notebook);
  const text = readFileSync(path, "utf8");
  assert.ok(text.startsWith('{\n "cells"') && text.endsWith("}\n"), "as Jupyter indents it");
  const stored = JSON.parse(text);
  assert.deepEqual([stored.nbformat, stored.nbformat_minor], [4, 5]);
  const [first, second] = stored.cells;
  assert.deepEqual([first.id, first.source, first.metadata], ["mine", ["1 +\n", "1"], { tags: ["a"] }]);
  const [stream, display, error] = first.outputs;
  assert.deepEqual(stream.text, ["a\n", "\n", "b"]);
  assert.deepEqual(display.data, {
    ...html,
    "text/html": ["<b>\n", "</b>"],
    "image/svg+xml": ["<svg>\n", "</svg>"],
  });
  assert.deepEqual(error.traceback, ["E: e"]);
  assert.deepEqual([second.id, second.attachments, "outputs" in second], ["cell-1", attachments, false]);
});
