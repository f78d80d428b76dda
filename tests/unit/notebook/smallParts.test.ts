import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cellTitle } from "../../../src/notebook/cellTitle";
import type { Notebook, NotebookCell } from "../../../src/notebook/nbformat";
import { columnFormats, columnTitle } from "../../../src/notebook/numberColumns";
import { Pace } from "../../../src/notebook/pace";

const cell = (cell_type: "code" | "markdown", source: string) => ({ cell_type, source }) as NotebookCell;

describe("what a cell is called", () => {
  const title = (...cells: NotebookCell[]) =>
    cellTitle({ cells } as unknown as Notebook, cells[cells.length - 1]!);

  it("is its opening comment, else the last heading above it, else its first line", () => {
    const heading = cell("markdown", "# One\ntext\n## Two `parts` of *it*\nmore");
    assert.equal(title(heading, cell("code", "\n  // a comment \r\nlet x;")), "a comment");
    assert.equal(title(heading, cell("code", "let x;\n// late")), "Two parts of it");
    assert.equal(title(heading, cell("markdown", "no heading"), cell("code", "let x;")), "Two parts of it");
    assert.equal(title(heading, cell("code", "1"), cell("code", "let x;\nlet y;")), "let x;");
    assert.equal(title(cell("code", "  ")), "");
  });

  it("has 60 characters at most", () => {
    assert.equal(title(cell("code", "a".repeat(60))), "a".repeat(60));
    assert.equal(title(cell("code", "a".repeat(61))), `${"a".repeat(59)}…`);
  });
});

describe("numbers of a column", () => {
  const written = (values: number[]) => values.map(columnFormats(["x"], [values])[0]!);

  it("have the same decimals, as many as the number that needs most of them", () => {
    assert.deepEqual(written([72.5, 60, 13.33]), ["72.50", "60.00", "13.33"]);
    assert.deepEqual(written([0.5, 0.25]), ["0.50", "0.25"]);
    assert.deepEqual(written([1234.5, 0.5]), ["1,234.5", "0.5"]);
    assert.deepEqual(written([0, 0.1 + 0.2]), ["0.0", "0.3"]);
  });

  it("stay whole where all are, and have powers of ten where digits would be too many", () => {
    assert.deepEqual(written([3, 1200, -7]), ["3", "1,200", "-7"]);
    assert.deepEqual(written([0.5, 0.000000123, 0]), ["5.00e-1", "1.23e-7", "0"]);
    assert.deepEqual(written([0.0004, 0.00011]), ["4.00e-4", "1.10e-4"]);
    assert.deepEqual(written([1.5e9, 2.5]), ["1.50e+9", "2.50e+0"]);
    assert.deepEqual(written([1.5, Number.NaN]), ["1.5", "NaN"]);
  });

  it("are alike in columns of one unit, points among percent", () => {
    const formats = columnFormats(["top-1 (%)", "gap (points)", "seconds (s)"], [[80], [1.25], [3.5, "–"]]);
    assert.deepEqual([formats[0]!(80), formats[1]!(1.25), formats[2]!(3.5)], ["80.00", "1.25", "3.5"]);
  });
});

describe("heads of columns", () => {
  it("are words with units where the field is known, and names as they are where they are none", () => {
    const titles = [
      "lr",
      "top1",
      "imagesPerSecond",
      "learningRate",
      "layer2Norm",
      "loss",
      "F1",
      "snake_Case",
    ];
    assert.deepEqual(
      titles.map((name) => columnTitle(name)),
      ["learning rate", "top-1 (%)", "images/s", "learning rate", "layer2 norm", "loss", "F1", "snake_Case"],
    );
    assert.equal(columnTitle("original"), "original");
    assert.equal(columnTitle("original", ["mixedSame"]), "original (%)");
    assert.equal(columnTitle("constructor"), "constructor");
  });
});

describe("the time that is left", () => {
  it("follows the median of the last 31 steps, and is unknown in the first three", () => {
    let now = 0;
    const pace = new Pace(() => now);
    let count = 0;
    const step = (milliseconds: number) => {
      now += milliseconds;
      pace.reach(++count);
    };
    pace.reach(count);
    const answers = [200, 200, 200].map((time) => {
      step(time);
      return pace.secondsFor(10);
    });
    assert.deepEqual(answers, [undefined, undefined, 2]);
    step(60_000); // an evaluation between two steps
    assert.equal(pace.secondsFor(10), 2);
    assert.equal(pace.secondsFor(-1), 0);
    for (let i = 0; i < 16; i++) step(400);
    assert.equal(pace.secondsFor(10), 4);
    for (let i = 0; i < 31; i++) step(1000);
    step(100);
    assert.equal(pace.secondsFor(1), 1);
  });

  it("takes steps together that are shorter than the clock tells, and starts anew where the count goes back", () => {
    let now = 0;
    const pace = new Pace(() => now);
    for (let count = 0; count <= 100; count++, now += 10) pace.reach(count);
    assert.equal(pace.secondsFor(100), 1);
    pace.reach(0);
    for (let count = 0; count <= 60; count += 2, now += 100) pace.reach(count);
    assert.equal(pace.secondsFor(100), 5);
  });
});
