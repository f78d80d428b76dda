import assert from "node:assert/strict";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { OutputRecorder } from "../../../src/kernel/recorder";
import { RunFiles } from "../../../src/kernel/runFiles";
import { cellTitle } from "../../../src/notebook/cellTitle";
import type { CellOutput, Notebook, NotebookCell } from "../../../src/notebook/nbformat";
import { columnFormats, columnTitle } from "../../../src/notebook/numberColumns";
import { Pace } from "../../../src/notebook/pace";
import { tensorStats } from "../../../src/notebook/tensorStats";
import { RunTerminal } from "../../../src/notebook/terminal";
import { packState, unpackState } from "../../../src/notebook/widgetState";
import { temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";

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

describe("what a cell prints and shows, as it is stored", () => {
  function recorded() {
    const said: string[] = [];
    const outputs: CellOutput[] = [];
    const recorder = new OutputRecorder((line) => said.push(line));
    return { said, outputs, recorder, cell: recorder.cell(outputs, 3) };
  }
  const stream = (name: "stdout" | "stderr", text: string) => ({ output_type: "stream", name, text });

  it("is one text for each stretch of one stream", () => {
    const { cell, outputs, said } = recorded();
    cell.stream("stdout", "a\n");
    cell.stream("stdout", "b\r");
    cell.stream("stdout", "c\nd\n\n");
    cell.stream("stderr", "e");
    cell.stream("stdout", "f");
    assert.deepEqual(outputs, [
      stream("stdout", "a\nc\nd\n\n"),
      stream("stderr", "e"),
      stream("stdout", "f"),
    ]);
    assert.deepEqual(said, ["a", "b", "d", "e", "f"], "the last line of each piece");
  });

  it("is cleared at once, or when the next output comes, whatever that is", () => {
    for (const next of ["text", "display", "result", "error"] as const) {
      const { cell, outputs } = recorded();
      const data = { "text/plain": "x" };
      const add = {
        text: () => cell.stream("stdout", "new"),
        display: () => cell.display({ data }),
        result: () => cell.result(data),
        error: () => cell.error({ ename: "E", evalue: "", traceback: [] }),
      };
      cell.stream("stdout", "old");
      cell.clear(true);
      assert.deepEqual(outputs, [stream("stdout", "old")]);
      add[next]();
      assert.equal(outputs.length, 1);
      assert.ok(!JSON.stringify(outputs).includes("old"), next);
      cell.stream("stdout", " more");
      assert.equal(outputs.length, next === "text" ? 1 : 2, "it is cleared once");
      cell.clear(false);
      assert.deepEqual(outputs, []);
      cell.stream("stdout", "after");
      assert.deepEqual(outputs, [stream("stdout", "after")]);
    }
  });

  it("changes where it stands when it is updated from a later cell, by its id alone", () => {
    const { recorder, cell, outputs } = recorded();
    const shown = (text: string, display_id?: string) => ({
      data: { "text/plain": text },
      transient: { display_id },
    });
    cell.display(shown("one", "a"));
    cell.display(shown("two", "b"));
    cell.display(shown("three"));
    const later: CellOutput[] = [];
    const second = recorder.cell(later, 4);
    second.display({ ...shown("new two", "b"), metadata: { m: 1 } }, true);
    second.display(shown("new", "none"), true);
    second.display(shown("again", "a"));
    const texts = (all: CellOutput[]) => all.map((one) => "data" in one && one.data["text/plain"]);
    assert.deepEqual(
      [texts(outputs), texts(later)],
      [
        ["one", "new two", "three"],
        ["new", "again"],
      ],
    );
    assert.deepEqual((outputs[1] as { metadata: object }).metadata, { m: 1 });
    second.display(shown("newest", "a"), true);
    assert.deepEqual([texts(outputs)[0], texts(later)[1]], ["one", "newest"], "the last that has the id");
  });
});

describe("a widget's state in a message", () => {
  it("has its bytes beside it, those of a part alone, and takes them back at their places", () => {
    const all = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
    const state = {
      part: all.subarray(2, 4),
      wide: new Uint16Array(all.buffer, 4, 1),
      list: [1, new DataView(all.buffer, 7), { deep: all.buffer }],
      plain: { a: null },
    };
    const { state: kept, buffer_paths, buffers } = packState(state);
    assert.deepEqual(JSON.parse(JSON.stringify(kept)), { list: [1, null, {}], plain: { a: null } });
    assert.deepEqual(buffer_paths, [["part"], ["wide"], ["list", 1], ["list", 2, "deep"]]);
    assert.deepEqual(
      buffers.map((one) => [...one]),
      [[2, 3], [4, 5], [7], [...all]],
    );
    const back = unpackState(JSON.parse(JSON.stringify(kept)), buffer_paths, buffers);
    assert.deepEqual(back, {
      ...state,
      ...{ part: buffers[0], wide: buffers[1], list: [1, buffers[2], { deep: buffers[3] }] },
    });
  });

  it("takes no bytes where it has no place, at the ends of lists neither, nor along what all objects have", () => {
    for (const path of [
      [],
      ["a", 2],
      ["a", -1],
      ["a", 0.5],
      ["a", "0"],
      ["none", "b"],
      ["__proto__", "x"],
      ["b", "constructor"],
      "a",
    ])
      assert.throws(
        () => unpackState({ a: [1, 2], b: {} }, [path], [Uint8Array.of(1)]),
        /has no place/,
        `${path}`,
      );
    assert.throws(() => unpackState({ a: 1 }, [["a"]], []), /0 buffers and 1 places/);
    assert.deepEqual(unpackState({ a: [1, 2] }, undefined, []), { a: [1, 2] });
    const same = { x: 1 };
    assert.deepEqual(
      packState({ a: same, b: [same, same] }).state,
      { a: same, b: [same, same] },
      "twice is no ring",
    );
    const ring: Record<string, unknown> = {};
    ring.self = ring;
    assert.throws(() => packState({ ring }), /ring\.self contains itself/);
    assert.throws(() => packState({ a: [Number.NaN] }), /a\.0 is NaN/);
  });
});

describe("the progress of a run on the terminal", () => {
  function drawn(isTTY: boolean, columns?: number) {
    const written: string[] = [];
    return {
      written,
      terminal: new RunTerminal({ write: (text) => written.push(text), isTTY, columns }, 12),
    };
  }

  it("has numbers of one width, lines that fit, and the status of what was not well", () => {
    const { written, terminal } = drawn(false, 40);
    terminal.startCell(3, "title\u001b[2J\nmore");
    terminal.note("too early");
    terminal.endCell("error", 1.5);
    terminal.endCell("ok", 1.5);
    terminal.say("\u001b[31mred\u001b[39m");
    assert.ok(written[0]!.startsWith("[ 3/12] title") && written[0]!.endsWith("  error\n"), written[0]);
    assert.ok(!written[0]!.includes("\u001b") && !written[1]!.includes("ok"));
    assert.deepEqual([written.length, written[2]], [3, "red\n"]);
  });

  it("is drawn over itself where there is a terminal, one column short of its width", () => {
    const { written, terminal } = drawn(true, 20);
    terminal.startCell(12, "a title that is long");
    terminal.say("\u001b[31mred\u001b[39m");
    assert.deepEqual(written, ["\r\u001b[K[12/12] a title th…", "\r\u001b[K\u001b[31mred\u001b[39m\n"]);
  });
});

describe("what is said of many numbers", () => {
  it("is of the finite ones, and counts the rest", () => {
    const { histogram, ...said } = tensorStats([
      0,
      -0,
      2,
      6,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    // mean 8 / 4; squares 4 + 4 + 0 + 16 over 4
    assert.deepEqual(said, {
      count: 7,
      min: 0,
      max: 6,
      mean: 2,
      std: Math.sqrt(6),
      nan: 1,
      infinite: 2,
      zeros: 2,
    });
    // intervals of 6 / 32: 2 is 10.67 of them from the beginning, 6 closes the last
    assert.deepEqual([histogram.length, histogram[0], histogram[10], histogram[31]], [32, 2, 1, 1]);
  });

  it("has no ends where none is finite, and one interval where all are one", () => {
    const { min, max, mean, std, nan, histogram } = tensorStats([Number.NaN]);
    assert.deepEqual([min, max, mean, std, nan], [Number.NaN, Number.NaN, Number.NaN, Number.NaN, 1]);
    assert.ok(histogram.every((count) => count === 0));
    const same = tensorStats([-3, -3]);
    assert.deepEqual([same.min, same.max, same.std, same.histogram[0]], [-3, -3, 0, 2]);
  });
});

describe("the files of a run", () => {
  const notebook = () =>
    ({
      cells: [cell("code", "1"), cell("code", "2")].map((one) => ({
        ...one,
        metadata: {},
        outputs: [] as CellOutput[],
      })),
      metadata: {},
      nbformat: 4,
      nbformat_minor: 5,
    }) as unknown as Notebook;

  it("say while a cell runs that it did not come to its end, and keep what it had printed by then", () => {
    const out = temporaryFolder();
    const read = notebook();
    const files = new RunFiles(join(out, "..", "some.ipynb"), read, { out });
    assert.deepEqual(
      [files.name, files.notebookPath, files.pagePath],
      ["some", join(out, "some.ipynb"), join(out, "some.html")],
    );
    const stored = () =>
      JSON.parse(readFileSync(files.notebookPath, "utf8")).cells.map((one: NotebookCell) => one.outputs);
    read.cells[1]!.outputs!.push({ output_type: "stream", name: "stdout", text: "a" });
    files.begin(read.cells[1]!);
    const [first, second] = stored();
    assert.deepEqual([first, second.length, second[0].text, second[1].ename], [[], 2, ["a"], "Unfinished"]);
    assert.equal(read.cells[1]!.outputs!.length, 1, "the notebook itself knows nothing of it");
    assert.equal(existsSync(files.pagePath!), false);
  });

  it("are not the notebook itself, by any name, and have no page where none is wanted", () => {
    const folder = temporaryFolder();
    const source = join(folder, "own.ipynb");
    writeFileSync(source, "{}");
    assert.throws(
      () => new RunFiles(source, notebook(), { out: folder }),
      isLuvitError("bad-argument", "would overwrite"),
    );
    const linked = temporaryFolder();
    symlinkSync(source, join(linked, "own.ipynb"));
    assert.throws(
      () => new RunFiles(source, notebook(), { out: linked }),
      isLuvitError("bad-argument", "would overwrite"),
    );
    assert.equal(
      new RunFiles(source, notebook(), { out: join(folder, "deep", "er"), html: false }).pagePath,
      undefined,
    );
    assert.ok(existsSync(join(folder, "deep", "er")));
  });
});
