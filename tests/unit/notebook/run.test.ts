import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { main } from "../../../src/cli";
import { runNotebook } from "../../../src/kernel/runNotebook";
import { temporaryFolder } from "../../support/temporaryFolder";
import { type CliRun, cliPath, joined, runCli, streamText, writeTestNotebook } from "./helpers";

const figureMimes = ["application/vnd.plotly.v1+json", "image/png", "text/html", "text/plain"];
const library = join(__dirname, "../../../src");
const externalResource = /(src|href)\s*=\s*["']?https?:|@import|url\(\s*["']?https?:/i;

describe("luvit run", () => {
  it("stores what cells print, return, display and update as Jupyter would", async () => {
    const path = writeTestNotebook([
      { markdown: "# A small notebook\n\nEntropy $H = -\\sum_j p_j \\ln p_j$ and `code`." },
      '// greet\nconsole.log("hello", 1 + 1);\nconsole.error("careful");\n[1, 2].map((x) => 2 * x)',
      'import * as tslab from "tslab";\nconst box = tslab.newDisplay();\nbox.html("<b>first</b>");\ntslab.display.png(new Uint8Array([137, 80, 78, 71]));',
      'await new Promise((resolve) => setTimeout(resolve, 20));\nbox.html("<b>second</b>");',
      'process.stdout.write("10 %\\r");\nprocess.stdout.write("20 %\\r");\nprocess.stdout.write("100 %\\n");',
      `const { show } = require(${JSON.stringify(join(library, "notebook"))});\nconst { lossCurves } = require(${JSON.stringify(join(library, "figures"))});\nshow(lossCurves({ series: [{ name: "a", steps: [0, 1, 2], values: [3, 2, 1] }] }));`,
      'console.log("early");\nshow(new Promise((resolve) => setTimeout(() => resolve("late"), 50)));\nconsole.log("end");\nshow(Promise.resolve("last"))',
    ]);
    const run = await runCli(path);
    assert.equal(run.status, 0, run.stdout + run.stderr);
    assert.deepEqual(run.counts, [1, 2, 3, 4, 5, 6]);
    checkLateDisplay(run);
    checkStreams(run);
    checkDisplays(run);
    checkPage(run);
    assert.match(run.stdout, /\[1\/6\] greet … {2}[\d.]+ m?s\n/);
    const files = readdirSync(join(dirname(path), "out")).sort();
    assert.deepEqual(files, ["test.html", "test.ipynb"], "no temporary files stay behind");
  });

  it("writes both files, names the failing cell and exits with 1 when a cell throws", async () => {
    const path = writeTestNotebook([
      'console.log("before")',
      '// the bad cell\nthrow new RangeError("too far");',
      "1 + 1",
    ]);
    const run = await runCli(path);
    assert.equal(run.status, 1);
    assert.match(run.stdout, /\[2\/3\] the bad cell … .* failed/);
    assert.match(run.stdout, /RangeError: too far/);
    assert.deepEqual(run.counts, [1, 2, null]);
    const error = run.outputs[1]!.find((output) => output.output_type === "error");
    assert.ok(error?.output_type === "error" && error.ename === "RangeError" && error.evalue === "too far");
    assert.doesNotMatch(error.traceback.join("\n"), /tslab|node:internal|kernel\.js/);
    assert.match(run.page, /failed in cell 2/);
    assert.match(run.page, /not run/);
  });

  it("reports what TypeScript rejects, and goes on after cells tagged raises-exception, failures behind them too", async () => {
    const late =
      "void Promise.reject(new RangeError('late')); await new Promise((done) => setTimeout(done, 20));";
    const path = writeTestNotebook([
      { code: "const n: number = 'one';", tags: ["raises-exception"] },
      "console.log('still here')",
      { code: late, tags: ["raises-exception"] },
      "console.log('and here')",
    ]);
    const run = await runCli(path);
    assert.equal(run.status, 0);
    assert.match(JSON.stringify(run.outputs[0]), /Type 'string' is not assignable to type 'number'/);
    assert.equal(streamText(run.outputs[1]!, "stdout"), "still here\n");
    assert.match(JSON.stringify(run.outputs[2]), /"evalue":"late"/);
    assert.equal(streamText(run.outputs[3]!, "stdout"), "and here\n");
    assert.equal(run.outputs[3]!.length, 1, "the failure was the cell's before");
  });

  it("writes notebook and page into out/<name> of the current folder where nothing is said", async () => {
    const [path, elsewhere] = [writeTestNotebook(["1 + 1"]), temporaryFolder("elsewhere")];
    const { status, stdout } = spawnSync(process.execPath, [cliPath, "run", path], {
      cwd: elsewhere,
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
    assert.deepEqual(readdirSync(join(elsewhere, "out", "test")).sort(), ["test.html", "test.ipynb"]);
    assert.ok(!existsSync(join(dirname(path), "out")));
  });

  it("sets parameters behind the cell that declares them, or first, as JSON or as text", async () => {
    const use = 'console.log(rate * 2, [...names].join("+"), JSON.stringify(nested));';
    const path = writeTestNotebook([
      { code: 'let rate = 0.1, names = ["a"], nested = {};', tags: ["parameters"] },
      use,
    ]);
    const given = ["-p", "rate=21", "-p", 'names=["x", "y"]', "--parameter", 'nested={"deep": "a = b"}'];
    const run = await runCli(path, given);
    assert.equal(run.status, 0, run.stdout + run.stderr);
    assert.equal(streamText(run.outputs[2]!, "stdout"), '42 x+y {"deep":"a = b"}\n');
    assert.deepEqual(run.counts, [1, 2, 3]);
    const untagged = await runCli(writeTestNotebook(["console.log(word.toUpperCase())"]), [
      "-p",
      "word=free text",
    ]);
    assert.equal(streamText(untagged.outputs[1]!, "stdout"), "FREE TEXT\n");
    const wrong = await runCli(path, ["-p", "no value"]);
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /-p no value: expected name=value/);
  });

  it("ends a cell at the time limit and does not wait for what it left open", async () => {
    const path = writeTestNotebook(["setInterval(() => {}, 1000);\nawait new Promise(() => {});"]);
    const run = await runCli(path, ["--timeout", "1", "--no-html"]);
    assert.equal(run.status, 1);
    assert.match(JSON.stringify(run.outputs[0]), /took longer than 1 s/);
    assert.equal(run.page, "");
  });

  it("ends at the time limit what no event reaches: a loop, library code, a regular expression, a process", async () => {
    for (const code of [
      "while (true) {}",
      "await null;\nwhile (true) {}",
      'await null;\n"a".repeat(40).match(/^(a+)+b/);',
      '"a".repeat(40).match(/^(a+)+b/);',
      'require("child_process").execSync("sleep 100");',
    ]) {
      const run = await runCli(writeTestNotebook(['console.log("before")', code]), ["--timeout", "2"]);
      assert.equal(run.status, 1, code);
      assert.equal(streamText(run.outputs[0]!, "stdout"), "before\n");
      assert.match(JSON.stringify(run.outputs[1]), /TimeLimit.*took longer than 2 s/, code);
      assert.match(run.page, /failed in cell 2/);
    }
  });

  it("goes on after errors that nobody catches, whatever listeners packages add", async () => {
    const again = "const again = (e: unknown) => { throw e; };";
    const on = 'process.on("uncaughtException", again);\nvoid process.on("unhandledRejection", again);';
    const run = await runCli(
      writeTestNotebook([
        `${again}\n${on}`,
        'setTimeout(() => { throw new Error("in a timer"); }, 5);\nawait new Promise((done) => setTimeout(done, 100));',
        "console.log('never')",
      ]),
    );
    assert.equal(run.status, 1, run.stderr);
    assert.match(JSON.stringify(run.outputs[1]), /in a timer/);
    assert.match(run.page, /failed in cell 2/);
  });

  it("stores 200,000 printed lines, and lines without an end", async () => {
    const run = await runCli(
      writeTestNotebook([
        "for (let i = 0; i < 200_000; i++) console.log(i);",
        'for (let i = 0; i < 200_000; i++) process.stdout.write(".");',
        "for (let i = 0; i < 50_000; i++) process.stdout.write('\\r' + i);",
      ]),
    );
    assert.equal(run.status, 0, run.stderr);
    const lines = streamText(run.outputs[0]!, "stdout").split("\n");
    assert.deepEqual([lines.length, lines[123_456], lines.at(-2)], [200_001, "123456", "199999"]);
    assert.equal(streamText(run.outputs[1]!, "stdout").length, 200_000);
    assert.equal(streamText(run.outputs[2]!, "stdout"), "49999");
  });

  it("has every cell in the file before the next one begins", async () => {
    const stored = 'JSON.parse(require("fs").readFileSync("out/test.ipynb", "utf8")).cells';
    const run = await runCli(
      writeTestNotebook([
        'console.log("one")',
        `const cells = ${stored};\nconsole.log(cells[0].outputs[0].text[0], cells[1].outputs[0].ename);`,
        'console.log("two");\nprocess.kill(process.pid, "SIGKILL");\nawait new Promise(() => {});',
      ]),
    );
    assert.equal(run.status, null);
    assert.equal(streamText(run.outputs[1]!, "stdout"), "one\n Unfinished\n");
    assert.match(JSON.stringify(run.outputs[2]), /the process ended while this cell ran/);
  });

  it("ends a cell that fills the memory, bit by bit or by much at once, and keeps what ran", async () => {
    for (const code of [
      "while (true) all.push([all.length]);",
      "while (true) all.push(new Array(2_000_000).fill(0.5));",
    ]) {
      const path = writeTestNotebook(['console.log("before")', `const all: unknown[] = [];\n${code}`]);
      const run = await runCli(path, [], ["--max-old-space-size=600"]);
      const said = `${code} ${run.status}\n${run.stdout}\n${run.stderr}`;
      assert.equal(run.status, 1, said);
      assert.equal(streamText(run.outputs[0]!, "stdout"), "before\n", said);
      assert.match(JSON.stringify(run.outputs[1]), /OutOfMemory/, said);
    }
  });

  it("ends with a cell that ends the process while the memory is nearly full", async () => {
    const code =
      "const all: unknown[] = [];\nwhile (all.length < 7e6) all.push([all.length]);\nprocess.exit(3);";
    const run = await runCli(writeTestNotebook([code]), [], ["--max-old-space-size=600"]);
    assert.equal(run.status, 3, run.stdout);
    assert.equal(run.stderr, "");
  });

  it("names the parameters there are where another is given, and says when a notebook has none", async () => {
    const path = writeTestNotebook([
      { code: "let rate = 1, { a, b: [c] } = { a: 1, b: [2] };\nconst epochs = 2;", tags: ["parameters"] },
    ]);
    const run = await runCli(path, ["-p", "nosuch=1", "-p", "rate=2", "-p", "other=3"]);
    assert.equal(run.status, 0);
    assert.match(run.stdout, /no parameter nosuch, other; it has rate, a, c, epochs\n/);
    assert.doesNotMatch((await runCli(path, ["-p", "rate=2"])).stdout, /note:/);
    const none = await runCli(writeTestNotebook(["1"]), ["-p", "rate=2"]);
    assert.match(
      none.stdout,
      /no cell of the notebook is tagged "parameters": rate set before its first cell/,
    );
  });

  it("repeats the last line of the last cell only", async () => {
    const run = await runCli(
      writeTestNotebook(['console.log("many");\nconsole.log("lines");\nconsole.log("end")']),
    );
    assert.match(run.stdout, /\nend\n$/);
    assert.doesNotMatch(run.stdout.slice(run.stdout.indexOf("done:")), /many|lines/);
  });

  it("reports a failure in the background as the running cell's", async () => {
    const path = writeTestNotebook([
      'setTimeout(() => { throw new Error("from a timer"); }, 10);\nawait new Promise(() => {});',
    ]);
    const run = await runCli(path);
    assert.equal(run.status, 1);
    assert.match(JSON.stringify(run.outputs[0]), /from a timer/);
  });

  it("hands the first Ctrl-C to the library, lets the cell finish, then writes what ran", async () => {
    const path = writeTestNotebook([
      'let stop = false;\nvoid process.once("SIGINT", () => { stop = true; });',
      'console.log("training");\nsetTimeout(() => process.kill(process.pid, "SIGINT"), 100);\nwhile (!stop) await new Promise((resolve) => setTimeout(resolve, 10));\nconsole.log("saved");',
      'console.log("never")',
    ]);
    const run = await runCli(path);
    assert.equal(run.status, 130, run.stdout);
    assert.equal(streamText(run.outputs[1]!, "stdout"), "training\nsaved\n");
    assert.equal(run.counts[2], null);
    assert.match(run.page, /interrupted/);
  });

  it("saves what ran when a cell ends the process", async () => {
    const run = await runCli(writeTestNotebook(['console.log("last words");\nprocess.exit(3);']));
    assert.equal(run.status, 3);
    assert.equal(streamText(run.outputs[0]!, "stdout"), "last words\n");
    assert.match(run.page, /last words/);
    assert.match(run.stdout, /cell \[1\]: process\.exit\(3\) ended the run in this cell/);
    assert.match(JSON.stringify(run.outputs[0]), /ProcessExit.*process\.exit\(3\)/);
    const quiet = await runCli(writeTestNotebook(["await null;\nprocess.exit(0);", "1"]));
    assert.equal(quiet.status, 1, "not all cells ran");
  });

  it("leaves no listener of SIGINT behind when it is done, well or not", async (t) => {
    const [before, place] = [process.listeners("SIGINT"), process.cwd()];
    t.after(() => process.chdir(place));
    const terminal = { write: () => true, isTTY: false };
    for (const [code, outcome] of [
      ["1 + 1", "ok"],
      ['throw new Error("no")', "failed"],
    ] as const) {
      const path = writeTestNotebook([code]);
      const report = await runNotebook(path, { out: join(dirname(path), "out"), terminal });
      assert.equal(report.outcome, outcome);
      assert.deepEqual(process.listeners("SIGINT"), before);
    }
  });

  it("explains itself", async () => {
    assert.equal(await main(["--help"]), 0);
    assert.equal(await main(["dance"]), 2);
  });

  it("refuses unknown options, other languages and missing files", async () => {
    const path = writeTestNotebook(["1"], "python");
    const [unknown, python, missing] = await Promise.all([
      runCli(path, ["--fast"]),
      runCli(path),
      runCli(`${path}.gone`),
    ]);
    assert.equal(unknown.status, 2);
    assert.match(unknown.stderr, /--fast/);
    assert.equal(python.status, 1);
    assert.match(python.stderr, /written in python/);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /no such file; expected a notebook/);
  });
});

function checkStreams(run: CliRun): void {
  assert.equal(streamText(run.outputs[0]!, "stdout"), "hello 2\n");
  assert.equal(streamText(run.outputs[0]!, "stderr"), "careful\n");
  const result = run.outputs[0]!.find((output) => output.output_type === "execute_result");
  assert.ok(result?.output_type === "execute_result" && result.execution_count === 1);
  assert.equal(joined(result.data["text/plain"]), "[ 2, 4 ]");
  assert.equal(streamText(run.outputs[3]!, "stdout"), "100 %\n");
}

function checkDisplays(run: CliRun): void {
  const [box, png] = run.outputs[1]!;
  assert.ok(box?.output_type === "display_data" && png?.output_type === "display_data");
  assert.equal(
    joined(box.data["text/html"]),
    "<b>second</b>",
    "the update changed the first display in place",
  );
  assert.equal(png.data["image/png"], "iVBORw==");
  assert.deepEqual(run.outputs[2], [], "the updating cell has no output of its own");
  const [figure] = run.outputs[4]!;
  assert.ok(figure?.output_type === "display_data");
  assert.match(joined(figure.data["text/html"]), /data:image\/svg\+xml;base64,.*class="luvit-figure"/s);
  assert.deepEqual(Object.keys(figure.data).sort(), figureMimes);
  assert.deepEqual(figure.metadata, { "image/png": { width: 720, height: 400 } });
}

function checkPage({ page }: CliRun): void {
  const own = page.replace(/<script[\s\S]*?<\/script>/g, "");
  assert.doesNotMatch(own, externalResource);
  assert.match(page, /<title>A small notebook<\/title>/);
  assert.match(page, /<math/);
  assert.match(page, /prefers-color-scheme: dark/);
  assert.match(page, new RegExp(`Node ${process.versions.node.replaceAll(".", "\\.")}`));
}

function checkLateDisplay(run: CliRun): void {
  const said = run.outputs[5]!.map((output) =>
    output.output_type === "display_data" ? joined(output.data["text/plain"]) : "text",
  );
  assert.deepEqual(
    said,
    ["text", "late", "text", "last"],
    "in the order of the calls, and no value for show() itself",
  );
}
