import { existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parameterNotes, parseParameter, setParameters } from "../../../src/kernel/parameters";
import { OutputRecorder } from "../../../src/kernel/recorder";
import { RunFiles } from "../../../src/kernel/runFiles";
import { runNotebook } from "../../../src/kernel/runNotebook";
import { stripAnsi } from "../../../src/notebook/html";
import type { CellOutput, Notebook } from "../../../src/notebook/nbformat";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";
import { taken } from "./support";

const folder = realpathSync(temporaryFolder("runs"));

test("what is recorded of cells' outputs is approved", () => {
  const calls = new Calls();
  const lines: string[] = [];
  const recorder = new OutputRecorder((line) => void lines.push(line));
  const outputs: CellOutput[] = [];
  const cell = recorder.cell(outputs, 4);
  const step = (name: string, act: (to: typeof cell) => void, to = cell, into = outputs) => {
    act(to);
    calls.note(name, [structuredClone(into), taken(lines)]);
  };
  step("text", (to) => to.stream("stdout", "a\nb"));
  step("more", (to) => to.stream("stdout", "c\n\n  \r\nd \n"));
  step("of the other stream", (to) => to.stream("stderr", "e"));
  step("back", (to) => to.stream("stdout", "10 %\r20 %"));
  step("over the line", (to) => to.stream("stdout", "\r30 %\n"));
  step("empty", (to) => to.stream("stdout", ""));
  step("blank", (to) => to.stream("stdout", " \n"));
  step("cleared when more comes", (to) => to.clear(true));
  step("more comes", (to) => to.stream("stdout", "new"));
  step("behind it", (to) => to.stream("stdout", "er"));
  step("cleared when more comes", (to) => to.clear(true));
  step("a display comes", (to) =>
    to.display({
      data: { "text/html": '<svg aria-label="a figure"></svg>' },
      transient: { display_id: "d1" },
    }),
  );
  step("an update", (to) =>
    to.display({ data: { "text/plain": "new" }, metadata: { m: 1 }, transient: { display_id: "d1" } }, true),
  );
  step("an update of what is not there", (to) =>
    to.display({ data: { "text/plain": "x" }, transient: { display_id: "d2" } }, true),
  );
  step("an update without a name", (to) => to.display({ data: { "text/plain": "y" } }, true));
  step("a display of the same name", (to) =>
    to.display({ data: { "text/plain": "z" }, transient: { display_id: "d1" } }),
  );
  step("cleared at once", (to) => to.clear(false));
  step("text", (to) => to.stream("stderr", "f"));
  step("an update of what was cleared", (to) =>
    to.display({ data: { "text/plain": "gone" }, transient: { display_id: "d1" } }, true),
  );
  step("a result", (to) => to.result({ "text/plain": "1", "image/png": "AAAA" }));
  step("an error", (to) => to.error({ ename: "E", evalue: "v", traceback: ["t"] }));
  step("cleared when more comes", (to) => to.clear(true));
  step("cleared at once after all", (to) => to.clear(false));
  step("text", (to) => to.stream("stdout", "g"));
  step("cleared when more comes", (to) => to.clear(true));
  step("an error comes", (to) => to.error({ ename: "E", evalue: "", traceback: [] }));
  const second: CellOutput[] = [];
  const other = recorder.cell(second, 5);
  step(
    "another cell's update",
    (to) => to.display({ data: { "text/plain": "by another" }, transient: { display_id: "d3" } }),
    cell,
  );
  step(
    "of the first cell's",
    (to) => to.display({ data: { "text/plain": "changed" }, transient: { display_id: "d3" } }, true),
    other,
    second,
  );
  calls.note("the first", outputs);
  new OutputRecorder().cell([], 1).stream("stdout", "nobody listens");
  calls.approve("kernel/recorder");
});

const code = (source: string, tags?: string[]) => ({
  cell_type: "code" as const,
  source,
  metadata: tags ? { tags } : {},
  outputs: [],
  execution_count: null,
});
const notebook = (cells: object[], metadata: object = {}): Notebook =>
  ({ cells, metadata, nbformat: 4, nbformat_minor: 5 }) as never;

test("parameters of notebooks are approved", async () => {
  const calls = new Calls();
  for (const text of [
    "a=1",
    "a=",
    "a=b=c",
    'a={"x":[1,2]}',
    "a='q'",
    'a="q"',
    "a=true",
    "a=null",
    "a=1e3",
    "a= 1",
    "a=01",
    "a=line\nbreak",
    "$_x9=2",
    "ü=1",
    "9a=1",
    "=1",
    "a",
    "",
    "a b=1",
    "a.b=1",
    "a=NaN",
    "a=undefined",
  ])
    await calls.of(parseParameter, text);
  const plain = notebook([
    code("1"),
    { cell_type: "markdown", source: "parameters", metadata: { tags: ["parameters"] } },
    code("let { a, b: [c] } = x; const d = 1;", ["other", "parameters"]),
    code("let e", ["parameters"]),
  ]);
  for (const given of [{}, { a: 1 }, { a: 'te"xt', c: [1, { k: null }], d: undefined, z: true }]) {
    await calls.does(`set ${JSON.stringify(given)}`, () =>
      setParameters(plain, given).cells.map((one) => [one.source, one.metadata.tags, one.id]),
    );
    await calls.does("  where none is tagged", () =>
      setParameters(notebook([code("1"), code("2")]), given).cells.map(({ source }) => source),
    );
    await calls.does("  noted", () => parameterNotes(plain, given));
    await calls.does("  noted where none is tagged", () => parameterNotes(notebook([code("1")]), given));
    await calls.does("  noted where none is declared", () =>
      parameterNotes(notebook([code("1", ["parameters"])]), given),
    );
  }
  calls.note("left as it was", plain.cells.length);
  calls.approve("kernel/parameters");
});

test("the files of a run are approved", async () => {
  const calls = new Calls({ folder });
  const startedIn = process.cwd();
  process.chdir(folder);
  const source = join(folder, "book one.ipynb");
  writeFileSync(source, "{}");
  const book = notebook([code("1"), { cell_type: "markdown", source: "# Title", metadata: {} }, code("2")]);
  const files = new RunFiles(source, book, {});
  calls.note("paths", [
    files.name,
    files.notebookPath,
    files.pagePath,
    existsSync(join(folder, "out", "book one")),
  ]);
  for (const given of [{ out: "else/where" }, { html: false }, { out: "." }])
    await calls.does(`files ${JSON.stringify(given)}`, () => {
      const made = new RunFiles(join(folder, "other.ipynb"), book, given);
      return [made.notebookPath, made.pagePath];
    });
  await calls.does("over the notebook itself", () => new RunFiles(source, book, { out: "." }));
  mkdirSync(join(folder, "linked"));
  symlinkSync(source, join(folder, "linked", "book one.ipynb"));
  await calls.does("over it by a link", () => new RunFiles(source, book, { out: "linked" }));
  const read = () =>
    (JSON.parse(readFileSync(files.notebookPath, "utf8")) as Notebook).cells.map((one) => [
      one.cell_type,
      one.outputs,
    ]);
  files.begin(book.cells[2]!);
  calls.note("begun", read());
  calls.note("in memory nothing is added", book.cells[2]!.outputs);
  calls.note("no page yet", existsSync(files.pagePath!));
  files.begin(book.cells[0]!);
  calls.note("another begun", read());
  files.finish({ title: "t", startedAt: new Date(0), seconds: 1, cells: [] });
  calls.note("finished", [read(), existsSync(files.pagePath!)]);
  process.chdir(startedIn);
  calls.approve("kernel/runFiles");
});

test("runs of notebooks are approved", async () => {
  const calls = new Calls({ folder });
  const startedIn = process.cwd();
  const run = async (name: string, book: Notebook, options: object = {}) => {
    const path = join(folder, `${name}.ipynb`);
    writeFileSync(path, JSON.stringify(book));
    const terminal: string[] = [];
    try {
      const report = await runNotebook(path, {
        out: join(folder, "runs"),
        html: false,
        terminal: { write: (text: string) => void terminal.push(text), isTTY: false, columns: 80 } as never,
        ...options,
      });
      const { cells, outcome, closingText, pagePath } = report;
      calls.note(name, [
        outcome,
        closingText,
        pagePath,
        cells.map((one) => [one.index, one.title, one.status]),
      ]);
      const written = JSON.parse(readFileSync(report.notebookPath, "utf8")) as Notebook;
      for (const [i, one] of written.cells.entries())
        if (one.cell_type === "code")
          calls.note(`  ${i}`, [
            one.execution_count,
            Object.keys(one.metadata),
            (one.outputs ?? []).map((output) =>
              stripAnsi(JSON.stringify(output)).replace(/\\u001b\[\d+m/g, ""),
            ),
          ]);
    } catch (error) {
      calls.note(name, error);
    }
    calls.note(
      "  said",
      terminal
        .map((text) => stripAnsi(text).replace(/\d+(\.\d+)? (ms|s)\b/g, "TIME"))
        .join("")
        .split("\n")
        .map((line) => line.trimEnd()),
    );
    process.chdir(startedIn);
  };
  const typescript = { kernelspec: { name: "luvit", display_name: "T", language: "typescript" } };
  await run(
    "good",
    notebook(
      [
        { cell_type: "markdown", source: "# The title", metadata: {} },
        code("const a = 1;\nconsole.log('one\\ntwo');\na"),
        code("  \n"),
        code("console.error('err'); console.log(a + 1, 'last'); console.log('')"),
      ],
      typescript,
    ),
  );
  await run(
    "failing",
    notebook([code("let b = 2; b"), code("throw new RangeError('no')"), code("b")], typescript),
  );
  await run("allowed", notebook([code("null.x", ["raises-exception"]), code("'after'")], {}));
  await run("rejected", notebook([code("let c: number = 'x'")], { language_info: { name: "TypeScript" } }));
  await run("slow", notebook([code("for (;;);"), code("1")], typescript), { timeout: 0.2 });
  await run(
    "parameters",
    notebook([code("let p = 1; let q = 'x'", ["parameters"]), code("[p, q]")], typescript),
    { parameters: { p: 5, z: [1] } },
  );
  await run("empty", notebook([], typescript));
  await run(
    "script",
    notebook([code("let s = 1; s = 'text'; s")], { kernelspec: { language: "JavaScript" } }),
  );
  await run("python", notebook([code("1")], { kernelspec: { language: "python" } }));
  await run(
    "closing",
    notebook(
      [
        code(
          `console.log('x'.repeat(401)); process.stdout.write('\\x1b[31mred\\x1b[39m ' + 'y'.repeat(400) + '  \\n\\n')`,
        ),
      ],
      typescript,
    ),
  );
  calls.approve("kernel/runs");
});
