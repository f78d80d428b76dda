import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, mock } from "node:test";
import type { LuvitError } from "../../../src/core/errors";
import { cellTitle } from "../../../src/notebook/cellTitle";
import { highlight } from "../../../src/notebook/highlight";
import * as htmlParts from "../../../src/notebook/html";
import { headingId, renderMarkdown } from "../../../src/notebook/markdown";
import {
  type CellOutput,
  joinLines,
  type Notebook,
  type NotebookCell,
  readNotebook,
  writeNotebook,
} from "../../../src/notebook/nbformat";
import { label } from "../../../src/notebook/options";
import { overwriteLines, StreamText } from "../../../src/notebook/outputs";
import { type CellReport, renderOutput, renderPage } from "../../../src/notebook/page";
import { pageStyle } from "../../../src/notebook/pageStyle";
import { isSafeAddress, safeHtml } from "../../../src/notebook/safeMarkup";
import * as styles from "../../../src/notebook/styles";
import { jupyterDisplay } from "../../../src/notebook/symbols";
import { RunTerminal } from "../../../src/notebook/terminal";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";

const code = (source: string, more: Partial<NotebookCell> = {}): NotebookCell => ({
  id: "c",
  cell_type: "code",
  source,
  metadata: {},
  outputs: [],
  execution_count: null,
  ...more,
});
const words = (source: string, more: Partial<NotebookCell> = {}): NotebookCell => ({
  id: "m",
  cell_type: "markdown",
  source,
  metadata: {},
  ...more,
});
const notebookOf = (...cells: NotebookCell[]): Notebook => ({
  cells,
  metadata: {},
  nbformat: 4,
  nbformat_minor: 5,
});

describe("of a notebook's texts", () => {
  it("what titles, colors and styles come to is approved", async () => {
    const calls = new Calls();
    calls.title("titles of cells");
    const titled = (name: string, ...cells: NotebookCell[]) =>
      calls.does(name, () => cellTitle(notebookOf(...cells), cells.at(-1)!));
    for (const source of [
      "// Load it  \nx",
      "//x",
      "///  three ",
      "// ",
      "/* x */ a",
      "\n\n  const a = 1;\nb",
      "",
      " ",
      "x".repeat(60),
      "x".repeat(61),
      `// ${"y".repeat(70)}`,
    ]) {
      await titled(JSON.stringify(source).slice(0, 30), code(source));
      await titled("  below a heading", words("# *A* `b` _c_ \ntext\n### Last  one\nmore"), code(source));
    }
    await titled("two texts above", words("# First"), words("no heading"), code("x"));
    await titled("code between", words("# First"), code("y"), code("x"));
    await titled("no heading at all", words("#none"), words("####### seven"), code("x"));
    calls.title("highlight");
    for (const source of [
      "const a: Map<string, number> = new Map(); // end <b>",
      "/* a\nb */ let x = 0xFF_0 + 1_000.5e-3 + 10n + 1.",
      "\"a\\\"b\" + 'c\\'d' + `e\\`#{f}\ng`",
      '"open',
      "obj.delete(of) ; { return: 1, new : 2 }; x.if",
      "true && null || undefined, NaN, Infinity; nullable",
      "f(2); F(3); async () => await y",
      "type T = keyof typeof x; readonly A satisfies B",
      "a < b && c > d",
      "",
      'ä = "日" // 😀',
      "x//y\nz",
    ])
      await calls.of(highlight, source);
    calls.title("html");
    for (const text of [
      "a",
      "\u001b[31mred\u001b[0m",
      "\u001b[2K\u001b[?25lx\u001b[1;2;3Hy",
      "\u001b[",
      "\u001b]0;t\u0007",
    ])
      await calls.of(htmlParts.stripAnsi, text);
    await calls.of(htmlParts.escapeHtml, `<a href="x">'&amp;'</a>`);
    await calls.of(htmlParts.dataUrl, "image/svg+xml", '<svg a="ä#%">\n</svg>');
    calls.title("styles");
    calls.note("words", [styles.muted, styles.bad]);
    for (const state of ["running", "done", "stopped", "failed"] as const) {
      for (const share of [-1, 0, 0.12345, 0.5, 1, 2]) await calls.of(styles.bar, share, state);
      await calls.of(styles.bar, 0.3, state, "margin:1px");
      await calls.of(styles.stateMark, state);
    }
    await calls.of(styles.container, "luvit-x", "", "<b>inner</b>");
    await calls.of(styles.container, "luvit-x", 'a "b" <c>', "inner");
    await calls.of(styles.aside, "a < b");
    await calls.of(styles.problemHtml, "");
    await calls.of(styles.problemHtml, "a\n<b>");
    calls.note("jupyterDisplay", jupyterDisplay === Symbol.for("Jupyter.display"));
    calls.note("label", [label.expected, label.holds?.(""), label.holds?.(5)]);
    calls.title("the page's style");
    for (const line of pageStyle.split("\n")) calls.note("line", line);
    calls.approve("notebook/styles");
  });

  it("what Markdown and HTML in it become is approved", async () => {
    const calls = new Calls();
    const texts = [
      "# Head *ing* `x`\n\n## A & B <i>c</i>",
      'a **b** _c_ ~~d~~ [e](https://f.g "ti<p") ![h](i.png)',
      "- one\n- two\n\n1. a\n2. b\n\n> quoted\n\n---",
      "| a | b |\n|--|:-:|\n| 1 | 2 |",
      "```ts\nconst a = 1 < 2;\n```\n\n```python\nx = 1 < 2\n```\n\n```\n<b>\n```\n\n```javascript\nf()\n```",
      "`$x$` and $a_1 < b$ and $$\\frac{a}{b}$$",
      "costs $5 and $6, a$b$c, \\$x$, $ y $, $z$.",
      "$\\bad{$",
      "![$x$](a.png)",
      "\u0001" + "0\u0001 $x$",
      '<script>alert(1)</script> <b onclick="x">y</b> <!-- gone -->',
      '[x](javascript:alert(1)) ![y](javascript:z) <a href="java&#115;cript:x">z</a>',
      "![a](attachment:p.png) ![b](attachment:none.png)",
      "line\r\nnext  \nbroken\\\nend",
      "",
      "  ",
      "<https://a.b> and www.c.d",
      "- [ ] open\n- [x] done",
      "# 日本 Ä!\n",
      "<details open><summary>s</summary>t</details>",
    ];
    for (const text of texts)
      await calls.does(JSON.stringify(text), () =>
        renderMarkdown(text, { "p.png": { "image/png": "aGk=" } }).split("\n"),
      );
    for (const length of [20_000, 20_001])
      await calls.does(`a paragraph of ${length}`, () =>
        renderMarkdown(
          "<x "
            .repeat(length / 3)
            .padEnd(length, "y")
            .slice(0, length),
        ).slice(0, 20),
      );
    await calls.does("long, in paragraphs", () =>
      renderMarkdown(`${"word ".repeat(3000)}\n\n${"word ".repeat(3000)}`).slice(0, 12),
    );
    await calls.does("long code", () =>
      renderMarkdown(`\`\`\`\n${"x ".repeat(15_000)}\n\`\`\``).slice(0, 30),
    );
    await calls.does("a long image", () =>
      renderMarkdown(`![a](data:image/png;base64,${"A".repeat(30_000)})`).slice(0, 40),
    );
    for (const text of ["Head *ing*", "<em>a</em> &amp; B", "--a--b--", "日本 Ä 1", "", "!!!"])
      await calls.of(headingId, text);
    calls.title("safe HTML");
    for (const text of [
      "a < b > c",
      "<b>x</B>",
      "<BR/>",
      '<p align="left" style=\'x\' onclick="y">',
      '<img src="a.png" alt=\'q"r\' width=5>',
      "<a href='https://x' title=t>",
      '<a href="javascript:x" id="i">',
      '<iframe src="x"></iframe>',
      "<!-- a -- b -->c",
      "<!-- open",
      "<h2 id>",
      "<td colspan=\"2\" rowspan='3'>",
      "<svg><path/></svg>",
      "<b",
      "<1>",
      '<a href="data:image/png;base64,aGk=">',
      '<a href = "mailto:a@b">',
      "<style>x</style>",
      '<b title="<i>">',
    ])
      await calls.of(safeHtml, text);
    for (const address of [
      "",
      "a",
      "/a:b",
      "#a:b",
      "?a:b",
      "a/b:c",
      "http://x",
      "HTTPS://x",
      "mailto:a",
      "ftp://x",
      "javascript:x",
      "java\nscript:x",
      " javascript:x",
      "\u00a0javascript:x",
      ":x",
      "&colon;x",
      "data:image/png;base64,aGk=",
      "data:image/svg+xml;base64,aGk=",
      "data:text/html,x",
      "data:image/GIF;base64,",
      "vbscript:x",
      "file:///x",
      "1a:b",
      "a+b.c-d:e",
    ])
      await calls.of(isSafeAddress, address);
    for (const href of [
      "&#106;avascript:x",
      "&#x6a;avascript:x",
      "javascript&colon;x",
      "java&Tab;script:x",
      "java&NewLine;script:x",
      "&amp;#106;avascript:x",
      "&#1114112;javascript:x",
      "https&colon;//x",
      "&#x68;ttp://x",
    ])
      await calls.of(safeHtml, `<a href="${href}">`);
    calls.approve("notebook/markdown");
  });

  it("what notebooks hold, and what pages show of them, is approved", async () => {
    const tmp = temporaryFolder("notebooks");
    const calls = new Calls({ tmp });
    const path = join(tmp, "n.ipynb");
    const read = async (name: string, content: unknown) => {
      writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
      const ofParser = (error: LuvitError) =>
        error.cause instanceof SyntaxError
          ? `${error.code}: ${error.message.replace(/\(.*/s, "(…)")}`
          : undefined;
      await calls.does(name, () => {
        try {
          return readNotebook(path);
        } catch (error) {
          const told = ofParser(error as LuvitError);
          if (told === undefined) throw error;
          return told;
        }
      });
    };
    const whole = {
      nbformat: 4,
      nbformat_minor: 2,
      metadata: { kernelspec: { name: "tslab" }, more: 1 },
      cells: [
        {
          cell_type: "code",
          source: ["a\n", "b"],
          metadata: { tags: ["x"] },
          outputs: [{ output_type: "stream", name: "stdout", text: "old" }],
          execution_count: 5,
          extra: 1,
        },
        { id: "own", cell_type: "markdown", source: "# x", attachments: { a: { "image/png": "x" } } },
        { cell_type: "raw", source: [], metadata: null, id: null },
      ],
    };
    await read("whole", whole);
    await read("no metadata", { nbformat: 4, cells: [] });
    for (const content of [
      "",
      "{",
      "[]",
      "null",
      "5",
      { nbformat: 3, cells: [] },
      { nbformat: 4 },
      { nbformat: 4, cells: {} },
      { nbformat: "4", cells: [] },
    ])
      await read(`${JSON.stringify(content)}`, content);
    await read("a pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
    await read("faults", {
      nbformat: 4,
      metadata: 5,
      cells: [
        5,
        null,
        [],
        { cell_type: "code", source: 5 },
        { cell_type: "heading", source: "x", id: 5, metadata: [], attachments: "x" },
        { cell_type: "code", source: ["a", 5], metadata: { tags: "x" } },
        { cell_type: "raw" },
      ],
    });
    await read("a wrong kernelspec", { nbformat: 4, metadata: { kernelspec: "x" }, cells: [] });
    await calls.does("none", () => readNotebook(join(tmp, "none")));
    const outputs: CellOutput[] = [
      { output_type: "stream", name: "stderr", text: "a\nb\n\nc" },
      {
        output_type: "display_data",
        data: {
          "text/plain": "x\ny",
          "image/svg+xml": "<svg>\n</svg>",
          "image/png": "aGk=\n",
          "application/json": { a: "b\nc" },
        },
        metadata: { m: 1 },
      },
      { output_type: "execute_result", execution_count: 3, data: { "text/html": "" }, metadata: {} },
      { output_type: "error", ename: "E", evalue: "v\nw", traceback: ["t\nu"] },
    ];
    writeNotebook(path, {
      cells: [code("a\n\nb\n", { outputs, execution_count: 3 }), words("", { id: "m2" })],
      metadata: { x: 1 },
      nbformat: 4,
      nbformat_minor: 2,
    });
    for (const line of readFileSync(path, "utf8").split("\n")) calls.note("line", line);
    calls.note("left", readdirSync(tmp));
    for (const text of ["a", ["a\n", "b"], undefined, null, 5, []]) await calls.of(joinLines, text);
    calls.title("carriage returns");
    for (const text of [
      "a\rb",
      "a\r\nb",
      "a\r\r\nb",
      "abc\rd",
      "a\rb\r",
      "a\r\r",
      "\ra\r",
      "x\ny\rz\nw\r",
      "\r",
      "",
    ])
      await calls.of(overwriteLines, text);
    const stream = new StreamText();
    for (const piece of ["a", "\r", "b", "c\nd", "\r\r", "\n", "e\rf\ng", "", "\rh\r", "i\r\n", "end"])
      calls.note(JSON.stringify(piece), stream.add(piece));
    calls.title("outputs");
    const shown: CellOutput[] = [
      ...outputs,
      { output_type: "stream", name: "stdout", text: "\u001b[1mbold\u001b[0m\r\n<b>\n\n" },
      { output_type: "stream", name: "stdout", text: "x\n".repeat(40) },
      { output_type: "stream", name: "stdout", text: "x\n".repeat(41) },
      { output_type: "error", ename: "", evalue: "", traceback: Array(41).fill("t") },
      ...[
        { "text/html": ["<i>", "x</i>"], "text/plain": "p" },
        { "image/svg+xml": "<svg/>", "text/plain": "<alt>" },
        { "image/jpeg": "aGk=\n", "text/plain": "y".repeat(301) },
        { "image/gif": "aGk" },
        { "image/webp": "aA==" },
        { "image/png": '"><script>', "text/plain": "p" },
        { "image/png": "" },
        { "text/markdown": "**m**" },
        { "text/latex": "$x$" },
        { "text/plain": "\u001b[1ma\u001b[0m<" },
        { "a/b": 1, "c/<d": 2 },
        {},
      ].map((data): CellOutput => ({ output_type: "display_data", data, metadata: {} })),
    ];
    for (const output of shown)
      await calls.does(JSON.stringify(output).slice(0, 90), () => renderOutput(output));
    calls.title("pages");
    const report = (index: number, status: CellReport["status"], seconds = 1.5): CellReport => ({
      index,
      title: "t",
      status,
      seconds,
    });
    const page = async (name: string, notebook: Notebook, cells: CellReport[]) => {
      const text = renderPage(notebook, {
        title: "file <n>",
        startedAt: new Date(Date.UTC(2026, 1, 3, 4, 5, 6)),
        seconds: 75.3,
        cells,
      })
        .replace(pageStyle, "…")
        .replace(/Node [\d.]+[^<]*/, "Node …");
      calls.title(name);
      for (const line of text.split("\n")) calls.note("line", line);
    };
    await page(
      "all ran",
      notebookOf(
        words("# A *title*  ##\nand text"),
        code("a < b  \n", { outputs: outputs.slice(0, 1) }),
        words("## One\n\n## Two"),
        code("  "),
        words("## Three"),
        { ...words("<raw>"), cell_type: "raw" },
      ),
      [report(1, "ok"), report(2, "ok")],
    );
    await page("failed", notebookOf(code("a"), code("b"), code("c"), code("d")), [
      report(1, "ok"),
      report(2, "failed"),
      report(3, "not run"),
    ]);
    await page("interrupted", notebookOf(words("text # no title"), code("a"), code("b")), [
      report(1, "interrupted"),
      report(2, "not run"),
    ]);
    await page("only not run", notebookOf(code("a")), [report(1, "not run")]);
    await page("none", notebookOf(), []);
    calls.approve("notebook/pages");
  });

  it("what a run says on a terminal is approved", async () => {
    const calls = new Calls();
    let now = 1_000_000;
    const clock = mock.method(Date, "now", () => now);
    for (const [name, stream] of Object.entries({
      "a terminal": { isTTY: true, columns: 40 },
      "a terminal that does not say how wide": { isTTY: true },
      "a file": {},
    })) {
      calls.title(name);
      const written: string[] = [];
      const terminal = new RunTerminal({ ...stream, write: (text) => written.push(text) }, 12);
      const told = (step: string, body: () => void) => {
        written.length = 0;
        body();
        calls.note(step, written);
      };
      told("say", () => terminal.say("\u001b[1mhello\u001b[0m"));
      told("start", () => terminal.startCell(3, "load \u0007 the images of a long list that is long"));
      for (const [wait, line] of [
        [50, "early"],
        [49, "still"],
        [1, "\u001b[31m 10 %\u001b[0m \u0007"],
        [99, "no"],
        [1, "a longer line than there is room for"],
        [9_799, "before 10 s"],
        [1, "after 10 s"],
        [9_999, "again before"],
        [1, "again after"],
      ] as const) {
        now += wait;
        told(`note after ${wait}`, () => terminal.note(line));
      }
      told("end", () => terminal.endCell("ok", 12.3));
      told("start", () => terminal.startCell(12, "x".repeat(200)));
      told("end", () => terminal.endCell("failed", 0.01));
    }
    clock.mock.restore();
    calls.approve("notebook/terminal");
  });
});
