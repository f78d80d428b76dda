import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Rng } from "../../../src/core/rng";
import { table } from "../../../src/notebook";
import { cellTitle } from "../../../src/notebook/cellTitle";
import { highlight } from "../../../src/notebook/highlight";
import { stripAnsi } from "../../../src/notebook/html";
import { headingId, renderMarkdown } from "../../../src/notebook/markdown";
import {
  joinLines,
  type Notebook,
  type NotebookCell,
  readNotebook,
  writeNotebook,
} from "../../../src/notebook/nbformat";
import { columnFormats, columnTitle } from "../../../src/notebook/numberColumns";
import { overwriteLines, StreamText } from "../../../src/notebook/outputs";
import { renderOutput } from "../../../src/notebook/page";
import { isSafeAddress, safeHtml } from "../../../src/notebook/safeMarkup";
import { bar, container, problemHtml, stateMark } from "../../../src/notebook/styles";
import { RunTerminal } from "../../../src/notebook/terminal";
import { packState, unpackState } from "../../../src/notebook/widgetState";
import { temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";

describe("carriage returns", () => {
  /** Letter by letter, as a terminal has it: after a return, what comes next begins the line anew. */
  function slowly(text: string): string {
    let [lines, line, returned] = ["", "", false];
    for (const letter of text) {
      if (letter === "\r") returned = true;
      else if (letter === "\n") [lines, line, returned] = [`${lines}${line}\n`, "", false];
      else [line, returned] = [(returned ? "" : line) + letter, false];
    }
    return lines + line + (returned ? "\r" : "");
  }

  it("replace their line, in one piece or in any pieces", () => {
    const rng = new Rng(3);
    for (let round = 0; round < 400; round++) {
      const pieces = Array.from({ length: 1 + rng.integer(5) }, () =>
        Array.from(
          { length: rng.integer(7) },
          () => ["a", "b", "\r", "\n", "\r\n", "long "][rng.integer(6)],
        ).join(""),
      );
      const stream = new StreamText();
      let shown = "";
      for (const piece of pieces) shown = stream.add(piece);
      const whole = pieces.join("");
      assert.equal(shown, slowly(whole), JSON.stringify(pieces));
      assert.equal(overwriteLines(whole), slowly(whole), JSON.stringify(whole));
    }
  });
});

describe("a notebook's file", () => {
  const read = (content: unknown) => {
    const path = join(temporaryFolder(), "n.ipynb");
    writeFileSync(path, JSON.stringify(content));
    return readNotebook(path);
  };
  const code = { cell_type: "code", source: "1", metadata: {} };

  it("is of format 4, neither older nor newer, and keeps what is said of it", () => {
    for (const nbformat of [3, 5, "4", null, undefined])
      assert.throws(() => read({ nbformat, cells: [code] }), isLuvitError("bad-file", "format 4"));
    const metadata = { kernelspec: { name: "luvit", language: "typescript" }, other: [1] };
    const notebook = read({ nbformat: 4, nbformat_minor: 2, metadata, cells: [code] });
    assert.deepEqual([notebook.metadata, notebook.nbformat, notebook.nbformat_minor], [metadata, 4, 5]);
  });

  it("may lack ids and metadata, not texts; each line of a source is text", () => {
    const { cells } = read({
      nbformat: 4,
      cells: [
        { ...code, id: undefined, metadata: null },
        { ...code, id: null, attachments: null },
      ],
    });
    assert.deepEqual(cells.map(({ id, metadata }) => [id, metadata]), [["cell-0", {}], ["cell-1", {}]]); // biome-ignore format: one line
    for (const source of [["a", 3], [null, "a"], 3, null, undefined, {}])
      assert.throws(
        () => read({ nbformat: 4, cells: [{ ...code, source }] }),
        isLuvitError("bad-file", "cells[0].source"),
      );
    for (const cell_type of ["Code", "heading", undefined]) assert.throws(() => read({ nbformat: 4, cells: [{ ...code, cell_type }] }), isLuvitError("bad-file", "cells[0].cell_type")); // biome-ignore format: one line
    assert.equal(read({ nbformat: 4, cells: [{ ...code, cell_type: "raw", source: ["é\n", "b"] }] }).cells[0]!.source, "é\nb"); // biome-ignore format: one line
  });

  it("has text in lines, also none, and everything else as it is", () => {
    const path = join(temporaryFolder(), "n.ipynb");
    const notebook = read({ nbformat: 4, cells: [{ ...code, source: "" }] });
    const data = { "text/plain": { a: 1 }, "text/html": "", "application/x": "a\nb", "image/png": "AA\n" };
    notebook.cells[0]!.outputs!.push({
      output_type: "execute_result",
      execution_count: 3,
      data,
      metadata: {},
    });
    const before = JSON.stringify(notebook);
    writeNotebook(path, notebook);
    const { cells } = JSON.parse(readFileSync(path, "utf8"));
    assert.deepEqual([cells[0].source, cells[0].outputs[0].data], [[], { ...data, "text/html": [] }]);
    assert.equal(JSON.stringify(notebook), before, "the notebook in memory stays as it was");
    assert.deepEqual(
      [joinLines(undefined), joinLines(null), joinLines(["a\n", "b"]), joinLines(3)],
      ["", "", "a\nb", "3"],
    );
  });
});

describe("what a cell is called", () => {
  const cell = (cell_type: "code" | "markdown", source: string) => ({ cell_type, source }) as NotebookCell;
  const title = (above: string, source: string) => {
    const cells = [cell("markdown", above), cell("code", source)];
    return cellTitle({ cells } as unknown as Notebook, cells[1]!);
  };
  it("is a heading of one to six signs without its marks, a comment of two strokes or more, or a first line", () => {
    assert.equal(title("# One\n###### ** Six ** \n####### seven\n#none", "x"), "Six");
    assert.equal(title("text\n  # indented", "let y;"), "let y;");
    assert.equal(title("# One", "/// a\nx"), "a");
    assert.equal(title("# One", "//\nx"), "One");
    assert.equal(title("none", "//\nx"), "//");
    assert.equal(title("# One", "x // late"), "One");
  });
});

describe("columns of numbers", () => {
  const written = (values: unknown[], head = "x") => values.filter((one): one is number => typeof one === "number").map(columnFormats([head], [values])[0]!); // biome-ignore format: one line
  it("have four digits of the largest, two of the smallest, and no more decimals than one of them needs", () => {
    const cases: readonly (readonly [values: unknown[], written: string[]])[] = [
      [
        [1, 2.25],
        ["1.00", "2.25"],
      ],
      [
        [12.345, 1],
        ["12.35", "1.00"],
      ],
      [
        [123.456, 0.5],
        ["123.5", "0.5"],
      ],
      [
        [123.456, 0.055],
        ["123.456", "0.055"],
      ],
      [
        [1.5, 0],
        ["1.5", "0.0"],
      ],
      [
        [-2.5, -0.001],
        ["-2.500", "-0.001"],
      ],
      [
        [99_999.5, 0.25],
        ["99,999.50", "0.25"],
      ],
      [
        [999_999.5, 0.25],
        ["999,999.50", "0.25"],
      ],
      [
        [9_999_999.5, 0.25],
        ["1.00e+7", "2.50e-1"],
      ],
      [
        [1e9, 2],
        ["1,000,000,000", "2"],
      ],
      [
        [1e9, 2.5],
        ["1.00e+9", "2.50e+0"],
      ],
      [
        [1e9 - 1, 2.5],
        ["1.00e+9", "2.50e+0"],
      ],
      [
        [0.001, 0.0005],
        ["0.0010", "0.0005"],
      ],
      [
        [0.0009, 0.0005],
        ["9.00e-4", "5.00e-4"],
      ],
      [
        [0.5, Number.NaN, Number.POSITIVE_INFINITY],
        ["0.5", "NaN", "Infinity"],
      ],
      [
        [0.0005, Number.NaN],
        ["5.00e-4", "NaN"],
      ],
      [
        [3, "–", 4],
        ["3", "4"],
      ],
      [
        [3, Number.NaN],
        ["3", "NaN"],
      ],
      [[], []],
    ];
    for (const [values, expected] of cases) assert.deepEqual(written(values), expected, `${values}`);
  });

  it("are rates in the column of that name, and alike with columns of their unit alone", () => {
    assert.deepEqual(written([0.002, 1], "learning rate"), ["2.00e-3", "1.00e+0"]);
    const [a, b, c] = columnFormats(["a (%)", "b", "c (s)"], [[1.25], [1.5], [1.125]]);
    assert.deepEqual([a!(2), b!(2), c!(2)], ["2.00", "2.0", "2.000"]);
    assert.deepEqual(["meanLossOfAll", "original", "top1", "x1y", "aB2C"].map((name) => columnTitle(name)), ["mean loss of all", "original", "top-1 (%)", "x1y", "a b2 c"]); // biome-ignore format: one line
    assert.equal(columnTitle("loss", ["mixedSame"]), "loss");
    const units = { boxAP: "AP of boxes (%)", maskAP: "AP of masks (%)", squareMIoU: "mIoU in squares (%)", mixedSame: "mixed-same (%)", mixedRand: "mixed-rand (%)", backgroundGap: "background gap (points)", percentBackgroundGreater: "background > foreground (%)", top5: "top-5 (%)" }; // biome-ignore format: one line
    for (const [name, title] of Object.entries(units)) assert.equal(columnTitle(name), title);
  });
});

describe("a table", () => {
  const records = [{ a: 1, b: "x" }, { b: "a longer text", c: null, a: 20 }, { a: 3, d: { e: [1] } }]; // biome-ignore format: one line
  const frozen = () => Object.freeze(records.map((one) => Object.freeze({ ...one })));

  it("has a column for each field as it first appears, numbers to the right, nothing where nothing is", () => {
    assert.deepEqual(table(frozen()).columns, ["a", "b", "c", "d"]);
    assert.equal(
      String(table(frozen())),
      [
        " a  b              c  d",
        "──  ─────────────  ─  ────────────",
        " 1  x",
        "20  a longer text",
        " 3                    { e: [ 1 ] }",
      ].join("\n"),
    );
    assert.equal(String(table([])), "\n");
    assert.equal(String(table(frozen(), { columns: ["b", "none"] })).split("\n")[3], "a longer text");
  });

  it("has as many rows as it is told, and says how many more there are", () => {
    const html = (limit: number) => table(frozen(), { limit }).toHtml();
    assert.equal(html(1).match(/<tr>/g)!.length, 1 + 1 + 1);
    assert.match(html(1), /<td colspan="4">… and 2 more rows<\/td>/);
    assert.deepEqual([html(2).includes("… and 1 more"), html(3).includes("more")], [true, false]);
    assert.equal(
      String(table(frozen(), { limit: 1 }))
        .split("\n")
        .at(-1),
      "… and 2 more rows",
    );
    const many = (rows: number) => table(Array.from({ length: rows }, (_, i) => ({ i }))).toHtml();
    assert.doesNotMatch(many(16), /sticky|overflow/);
    assert.match(many(17), /max-height:460px.*position:sticky/);
    const wide = (columns: number) =>
      table([Object.fromEntries(Array.from({ length: columns }, (_, i) => [`c${i}`, i]))]).toHtml();
    assert.doesNotMatch(wide(3), /overflow:auto/);
    assert.match(wide(4), /^<div style="max-width:100%[^"]*overflow:auto/);
    const text = (length: number) => table([{ a: "x".repeat(length) }]).toHtml();
    assert.doesNotMatch(text(12), /overflow-wrap/);
    assert.match(text(13), /overflow-wrap:anywhere/);
    assert.match(
      table([{ "<a>": "<b>" }]).toHtml(),
      /<th [^>]*>&lt;a&gt;<\/th>.*<td style="text-align:left">&lt;b&gt;<\/td>/,
    );
    for (const wrong of [{ columns: [] }, { limit: 0 }, { limit: 1.5 }, { rows: 3 }]) assert.throws(() => table([], wrong as never), isLuvitError("bad-argument", "table")); // biome-ignore format: one line
  });
});

describe("markup from outside", () => {
  it("keeps addresses that lead somewhere, and no other, in any disguise", () => {
    for (const address of [
      "https://a.b/c?d=e:f",
      "HTTP://a",
      "mailto:a@b",
      "a/b.png",
      "#part",
      "?a=b:c",
      "../x",
      "",
      "data:image/png;base64,AA==",
      "DATA:image/webp;base64,AA",
    ])
      assert.ok(isSafeAddress(address), address);
    for (const address of [
      "javascript:1",
      "JavaScript:1",
      " java\nscript:1",
      "java\u0000script:1",
      "vbscript:1",
      "file:///etc",
      "data:text/html,x",
      "data:image/svg+xml;base64,AA",
      "data:image/png,AA",
      "java&#x3a;x",
      "javascript&colon;1",
      "x:y",
    ])
      assert.equal(isSafeAddress(address), false, address);
  });

  it("keeps harmless elements with harmless attributes; the rest is text", () => {
    assert.equal(
      safeHtml(`<B title='a "q"'>x</B><img src="a.png" onerror="x" width=3>`),
      '<B title="a &quot;q&quot;">x</B>&lt;img src="a.png" onerror="x" width=3&gt;',
    );
    assert.equal(safeHtml('<img src="a.png" onerror="x" width="3">'), '<img src="a.png" width="3">');
    assert.equal(
      safeHtml('<a href="java&#115;cript:x">a</a><a href="&#x6a;avascript:x">b</a>'),
      "<a>a</a><a>b</a>",
    );
    assert.equal(safeHtml('<script>x</script><style>y</style><iframe src="a"></iframe>'), "&lt;script&gt;x&lt;/script&gt;&lt;style&gt;y&lt;/style&gt;&lt;iframe src=&quot;a&quot;&gt;&lt;/iframe&gt;"); // biome-ignore format: one line
    assert.equal(safeHtml("<!-- <b> -->a<br/>1 < 2 > 1"), "a<br/>1 &lt; 2 &gt; 1");
    assert.equal(safeHtml("<details open><b hidden>"), '<details open=""><b>');
  });

  it("has images that are attached, headings that can be linked to, and text where it runs too deep", () => {
    const attachments = { "a b.png": { "image/jpeg": "AAAA" } };
    assert.match(
      renderMarkdown("![x](<attachment:a b.png>)", attachments),
      /<img src="data:image\/jpeg;base64,AAAA" alt="x">/,
    );
    assert.doesNotMatch(renderMarkdown("![x](attachment:none.png)"), /<img/);
    assert.deepEqual(["Two & <b>more</b>", "  Ärger 3!", "a&amp;b"].map(headingId), [
      "two-more",
      "ärger-3",
      "ab",
    ]);
    assert.match(renderMarkdown("## A b\n"), /<h2 id="a-b">A b<\/h2>/);
  });

  it("too deep to be rendered is shown as it is, a formula within its text", () => {
    const braces = `${"{".repeat(4000)}x${"}".repeat(4000)}`;
    assert.equal(renderMarkdown(`a <b> $${braces}$ c`).trim(), `<p>a <b> <pre>${braces}</pre> c</p>`);
    const deep = `${">".repeat(19_000)}<x>`;
    assert.equal(renderMarkdown(deep), `<pre>${"&gt;".repeat(19_000)}&lt;x&gt;</pre>`);
  });

  it("of a cell's output is the richest that a page shows, and text without colors of a terminal", () => {
    const shown = (data: Record<string, unknown>) =>
      renderOutput({ output_type: "display_data", data, metadata: {} });
    const inside = (html: string) => `<div class="output">${html}</div>`;
    assert.equal(shown({ "text/html": ["<i>", "x</i>"], "image/png": "AA" }), inside("<i>x</i>"));
    assert.equal(
      shown({ "image/svg+xml": "<svg/>", "image/png": "AA", "text/plain": 'a "b"' }),
      inside(
        `<img alt="a &quot;b&quot;" src="data:image/svg+xml;base64,${Buffer.from("<svg/>").toString("base64")}">`,
      ),
    );
    assert.equal(
      shown({ "image/jpeg": "A\nA==", "text/plain": "p" }),
      inside('<img alt="p" src="data:image/jpeg;base64,AA==">'),
    );
    assert.equal(shown({ "image/webp": '"><b>', "text/plain": "p\u001b[31mq" }), inside("<pre>pq</pre>"));
    assert.equal(shown({ "a/b": 1, "c/d": 2 }), inside("<pre>(a/b, c/d)</pre>"));
    const text = (lines: number) =>
      renderOutput({ output_type: "stream", name: "stderr", text: "x\n".repeat(lines) });
    assert.match(text(40), /^<div class="output stderr"><pre>/);
    assert.match(text(41), /^<div class="output stderr scroll">/);
    assert.doesNotMatch(
      renderOutput({ output_type: "error", ename: "", evalue: "", traceback: Array(60).fill("x") }),
      /scroll/,
    );
    assert.equal(stripAnsi("\u001b[1;31ma\u001b[0m\u001b[?25lb\u001b[Kc"), "abc");
  });

  it("of code colors words that are keywords there, not fields of that name", () => {
    const of = (kind: string, source: string) =>
      [...highlight(source).matchAll(new RegExp(`<span class="t-${kind}">([^<]*)<`, "g"))].map(
        ([, text]) => text,
      );
    assert.deepEqual(
      of("keyword", "const a = b.delete({ new: 1, default : 2 }) as number; for (;;) await x"),
      ["const", "as", "for", "await"],
    );
    assert.deepEqual(of("number", "0x1F 1_000 1.5e-3 2n a1"), ["0x1F", "1_000", "1.5e-3", "2n"]);
    assert.deepEqual(of("comment", "a // b\nc /* d\ne */ f"), ["// b", "/* d\ne */"]);
    assert.deepEqual(of("string", "'it\\'s' `a\nb` 'open"), ["'it\\'s'", "`a\nb`"]);
    assert.deepEqual([of("call", "f(1) g (2) Type(3)"), of("type", "Type a.B c"), of("literal", "null undefined x.true")], [["f"], ["Type", "B"], ["null", "undefined", "true"]]); // biome-ignore format: one line
  });
});

describe("parts of displays", () => {
  it("are bars from empty to full, words for what has ended, and reasons where there are some", () => {
    assert.deepEqual([-1, 0.123, 2, 1].map((share) => /width:([\d.]+)%/.exec(bar(share, "running"))![1]), ["0.0", "12.3", "100.0", "100.0"]); // biome-ignore format: one line
    assert.ok(bar(0.5, "running", "margin:1px").includes("overflow:hidden;margin:1px"));
    assert.equal(stateMark("running"), "");
    assert.match(stateMark("done"), /background:#157f5f[^>]*>done</);
    for (const state of ["stopped", "failed"] as const) assert.match(stateMark(state), new RegExp(`background:#d0404f[^>]*>${state}<`)); // biome-ignore format: one line
    assert.equal(problemHtml(""), "");
    assert.match(problemHtml("a <b>\nc"), /pre-wrap[^>]*>a &lt;b&gt;\nc</);
    assert.match(
      container("c", 'l "q"', "<i>"),
      /^<div class="c" role="group" aria-label="l &quot;q&quot;" style="[^"]*"><i><\/div>$/,
    );
    assert.doesNotMatch(container("c", "", ""), / aria-| role=/);
  });
});

describe("a widget's state", () => {
  it("is JSON as it is, what writes itself as JSON, and null in lists for what is nothing", () => {
    const date = new Date(0);
    const { state, buffers } = packState({
      a: "x",
      b: true,
      c: undefined,
      d: [undefined, 1, null],
      e: date,
      f: null,
      g: new ArrayBuffer(2),
    });
    assert.deepEqual(state, {
      a: "x",
      b: true,
      c: undefined,
      d: [null, 1, null],
      e: date,
      f: null,
      g: undefined,
    });
    assert.deepEqual(
      buffers.map(({ length }) => length),
      [2],
    );
    for (const [name, value] of [
      ["map", new Map()],
      ["big", 1n],
      ["f", () => 1],
      ["symbol", Symbol("s")],
      ["infinite", Number.POSITIVE_INFINITY],
    ] as const)
      assert.throws(
        () => packState({ [name]: { deep: value } }),
        isLuvitError("bad-argument", `${name}.deep is`, "expected JSON"),
      );
  });

  it("takes bytes at the first place of a list, and refuses them with a code where there is no place", () => {
    const bytes = Uint8Array.of(1);
    assert.deepEqual(
      unpackState({ a: [null, 2], b: { c: 1 } }, [["a", 0], ["b", "d"], ["e"]], [bytes, bytes, bytes]),
      { a: [bytes, 2], b: { c: 1, d: bytes }, e: bytes },
    );
    for (const path of [
      ["s", "x"],
      ["n", "x"],
      ["none", "x", "y"],
      ["o", 0],
    ])
      assert.throws(
        () => unpackState({ s: "text", n: null, o: {} }, [path], [bytes]),
        isLuvitError("bad-argument", JSON.stringify(path)),
      );
    for (const [paths, buffers] of [
      [[["a"]], []],
      [[], [bytes]],
      ["ab", [bytes, bytes]],
    ] as const)
      assert.throws(
        () => unpackState({ a: 1 }, paths, buffers),
        isLuvitError("bad-argument", `${buffers.length} buffers`),
      );
  });
});

it("lines of a run are cut one short of the width, which is 160 where nobody knows", () => {
  const line = (columns: number | undefined, length: number) => {
    let written = "";
    const terminal = new RunTerminal({ isTTY: true, columns, write: (text) => { written = text; } }, 9); // biome-ignore format: one line
    terminal.startCell(1, "x".repeat(length));
    return written.replace("\r\u001b[K", "");
  };
  const around = "[1/9]  …".length;
  assert.equal(line(40, 39 - around).length, 39);
  assert.ok(line(40, 39 - around).endsWith("x …"));
  assert.ok(line(40, 40 - around).length === 39 && line(40, 40 - around).endsWith("x…"));
  assert.equal(line(undefined, 300).length, 159);
});
