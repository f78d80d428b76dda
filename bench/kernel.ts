import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packageRoot } from "../src/core/packageRoot";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { KernelProcess, Unanswered } from "./core/kernelProcess";
import type { BenchOptions } from "./core/options";
import type { Report } from "./core/report";
import { median, type Spread, spreadOf } from "./core/statistics";

/** Milliseconds, as a frontend sees them: from the request to its reply, at the end to the process's exit. */
interface Phases {
  /** From the start of the process to the reply to `1 + 1`. */
  start: number;
  /** Of ordinary cells, the median of each session. */
  cell: number;
  /** The first `import "luvit"`. */
  import: number;
  /** Of ordinary cells after it. */
  cell_after_import: number;
  /** One of 5,000 lines, the first of its kind, and the same again. */
  long_cell: number;
  long_cell_again: number;
  shutdown: number;
}
const phases = [
  ...(["start", "cell", "import", "cell_after_import"] as const),
  ...(["long_cell", "long_cell_again", "shutdown"] as const),
];

/** One session per run, ours and tslab's in turn. */
export interface KernelResult extends Heading {
  ms: Record<keyof Phases, Spread>;
  /** tslab's own kernel, over the same cells. */
  tslab_ms: Record<keyof Phases, Spread>;
  tslab_version: string;
  /** Sessions of tslab's that gave no answer and were begun anew. */
  tslab_repeated: number;
}

/** What a notebook mostly has: declarations, uses of earlier ones, a function, an import, text. */
const ordinary = [
  "const width = 12;",
  "const squares = [1, 2, 3].map((x) => x * x * width);",
  "squares.length",
  "function area(side: number): number {\n  return side * side;\n}\narea(width)",
  'console.log("text", area(2));',
  'import { join } from "node:path";\njoin("a", "b")',
  "let total = 0;\nfor (const square of squares) total += square;\ntotal",
  "await Promise.resolve(total)",
  "interface Point { x: number; y: number }\nconst origin: Point = { x: 0, y: 0 };",
  "({ ...origin, x: total })",
];

/** Constants, functions, lists and conditions, each of which uses the one before it. */
function longCell(lines: number): string {
  const pieces: string[] = [];
  for (let i = 0, count = 0; count < lines; i += 4, count += 8) {
    pieces.push(
      `const value${i} = ${i} * 2;`,
      `function area${i}(side: number): number {\n  return side * side + value${i};\n}`,
      `const list${i} = [1, 2, ${i}].map((x) => x * area${i}(x));`,
      `if (list${i}.length > 3) {\n  console.log(list${i}[0], "text ${i}");\n}`,
    );
  }
  return pieces.join("\n");
}

const tslab = dirname(require.resolve("tslab/package.json"));
const kernels = {
  ours: [join(packageRoot(), "dist", "kernel", "main.js")],
  tslab: [join(tslab, "bin", "tslab"), "kernel", "--config-path"],
};

/** Sessions of our kernel and of tslab's, each started, used and ended. */
export async function kernel(options: BenchOptions): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "luvit-bench-notebooks-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(packageRoot(), join(folder, "node_modules", "luvit")); // tslab's kernel needs it installed
  let repeated = 0;
  const measured: Record<keyof typeof kernels, Phases[]> = { ours: [], tslab: [] };
  try {
    for (let step = -options.warmup; step < options.steps; step++) {
      for (const side of ["ours", "tslab"] as const) {
        const times = await session(kernels[side], folder).catch((error) => {
          if (side === "ours" || !(error instanceof Unanswered)) throw error;
          repeated++;
          return session(kernels.tslab, folder);
        });
        if (step >= 0) measured[side].push(times);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const json: KernelResult = {
    ...headingOf(options, null),
    ms: spreads(measured.ours),
    tslab_ms: spreads(measured.tslab),
    tslab_version: (require("tslab/package.json") as { version: string }).version,
    tslab_repeated: repeated,
  };
  return { json: { ...json, ...noFigures }, text: kernelText(json) };
}

async function session(argv: readonly string[], folder: string): Promise<Phases> {
  const started = performance.now();
  const process = await KernelProcess.start(argv, folder);
  await process.run("1 + 1");
  const start = performance.now() - started;
  const timed = async (body: () => Promise<void>) => {
    const from = performance.now();
    await body();
    return performance.now() - from;
  };
  const cells = async () => {
    const times: number[] = [];
    for (const cell of ordinary) times.push(await timed(() => process.run(cell)));
    return median(times);
  };
  const cell = await cells();
  const imported = await timed(() => process.run('import * as luvit from "luvit";'));
  const cell_after_import = await cells();
  const long = longCell(5000);
  const long_cell = await timed(() => process.run(long));
  const long_cell_again = await timed(() => process.run(long));
  const shutdown = await timed(() => process.shutdown());
  return { start, cell, import: imported, cell_after_import, long_cell, long_cell_again, shutdown };
}

function spreads(sessions: readonly Phases[]): Record<keyof Phases, Spread> {
  const of = (phase: keyof Phases) => spreadOf(sessions.map((times) => times[phase]));
  return Object.fromEntries(phases.map((phase) => [phase, of(phase)])) as Record<keyof Phases, Spread>;
}

const titles: Record<keyof Phases, string> = {
  start: "start to first result",
  cell: "ordinary cell",
  import: 'first import "luvit"',
  cell_after_import: "ordinary cell after it",
  long_cell: "cell of 5,000 lines",
  long_cell_again: "the same again",
  shutdown: "shutdown",
};

function kernelText(result: KernelResult): string {
  const times = ({ median: middle, min, max }: Spread) =>
    `${middle.toFixed(0).padStart(5)} ms (${min.toFixed(0)} to ${max.toFixed(0)})`.padEnd(24);
  return [
    ...headingText(result),
    `${"".padEnd(24)}  ${"luvit".padEnd(24)}  tslab ${result.tslab_version}`,
    ...phases.map(
      (phase) => `${titles[phase].padEnd(24)}  ${times(result.ms[phase])}  ${times(result.tslab_ms[phase])}`,
    ),
    ...(result.tslab_repeated > 0 ? [`!! ${result.tslab_repeated} of tslab's gave no answer, repeated`] : []),
  ].join("\n");
}
