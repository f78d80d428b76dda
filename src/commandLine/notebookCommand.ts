import { basename, join, relative } from "node:path";
import { placeIn } from "../distributed/place";
import { formatDuration } from "../figures/format";
import { parseParameter } from "../kernel/parameters";
import { type RunReport, runNotebook } from "../kernel/runNotebook";
import { command, UsageError } from "./command";
import { expectFile, expectFolderOrNothing } from "./folders";

/** Running a notebook changes the current folder to the notebook's. */
const startedIn = process.cwd();

export const notebookCommand = command({
  name: "run",
  help: `  luvit run <notebook.ipynb> [options]   run every code cell, without Python or Jupyter
      --out <folder>                     where the executed notebook and the page go (default out/<name>)
      --no-html                          write only the executed notebook, not the page
      --html                             write the page too (the default)
      --timeout <s>                      seconds one cell may take (default: no limit)
      -p <name=value>                    a parameter of the notebook; JSON or text, may be given several times
`,
  flags: {
    out: { type: "string" },
    html: { type: "boolean" },
    "no-html": { type: "boolean" },
    timeout: { type: "string" },
    parameter: { type: "string", short: "p", multiple: true },
  },
  async run({ words: [path, ...rest], flags, print }) {
    if (path === undefined || rest.length > 0) throw new UsageError("run takes one notebook");
    const timeout = seconds(flags.timeout);
    expectFile(path, "a notebook (.ipynb)");
    expectFolderOrNothing(flags.out);
    const { rank } = placeIn();
    const said: string[] = [];
    const report = await runNotebook(path, {
      ...(rank === 0 ? { out: flags.out } : besideTheFirst(path, flags.out, rank, said)),
      html: flags["no-html"] !== true,
      timeout,
      parameters: Object.fromEntries((flags.parameter ?? []).map(parseParameter)),
    });
    // Why a worker failed is said by itself, whatever else it leaves to the first.
    if (rank > 0 && report.outcome === "failed") process.stderr.write(said.slice(-LAST_LINES).join(""));
    return finish(report, print);
  },
});

/** Lines of its output that a failed worker shows. */
const LAST_LINES = 40;

/** Where another worker than the first writes, and what hears what it says. */
function besideTheFirst(notebook: string, out: string | undefined, rank: number, said: string[]) {
  const folder = out ?? join("out", basename(notebook, ".ipynb"));
  const terminal = { write: (text: string) => said.push(text) > 0 };
  return { out: join(folder, `worker-${rank + 1}`), terminal };
}

function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value) && text.trim() !== "")) {
    throw new UsageError(`--timeout takes a number of seconds above 0, got ${JSON.stringify(text)}`);
  }
  return value;
}

function finish(report: RunReport, print: (line: string) => void): number {
  const ran = report.cells.filter((cell) => cell.status !== "not run").length;
  const word = { ok: "done", failed: "failed", interrupted: "interrupted" }[report.outcome];
  print(`${word}: ${ran} of ${report.cells.length} cells in ${formatDuration(report.seconds)}`);
  for (const path of [report.notebookPath, report.pagePath])
    if (path) print(`  ${relative(startedIn, path)}`);
  if (report.outcome === "ok" && report.closingText) print(report.closingText);
  return { ok: 0, failed: 1, interrupted: 130 }[report.outcome];
}
