import { dirname, resolve } from "node:path";
import { setImmediate as deliverSignals } from "node:timers/promises";
import { LuvitError } from "../core/errors";
import { cellTitle } from "../notebook/cellTitle";
import { stripAnsi } from "../notebook/html";
import { type CellOutput, type Notebook, type NotebookCell, readNotebook } from "../notebook/nbformat";
import type { CellReport, PageFacts } from "../notebook/page";
import { RunTerminal, type TerminalStream } from "../notebook/terminal";
import { CellRunner } from "./executor/cellRunner";
import type { CellFailure, CellOutputs } from "./executor/outputs";
import { type Parameters, parameterNotes, setParameters } from "./parameters";
import { OutputRecorder } from "./recorder";
import { RunFiles } from "./runFiles";
import { createSignals } from "./signals";
import { Watch } from "./watch/watch";

/** How to run a notebook. */
export interface RunOptions {
  /** Folder for the executed notebook and its page; default `out/<name>` in the current folder. */
  out?: string;
  /** Whether to write the HTML page; default true. */
  html?: boolean;
  /** Seconds one cell may take; default unlimited. */
  timeout?: number;
  /** Values for the notebook's parameters, by name. */
  parameters?: Parameters;
  /** Where progress goes; default the process's stdout. */
  terminal?: TerminalStream;
}

/** What happened. */
export interface RunReport {
  readonly cells: readonly CellReport[];
  readonly outcome: "ok" | "failed" | "interrupted";
  readonly seconds: number;
  readonly notebookPath: string;
  readonly pagePath: string | undefined;
  /** The last line that the last cell printed; a notebook's last word. */
  readonly closingText: string;
}

/**
 * Runs the code cells of a TypeScript notebook in order and writes the executed notebook, cell by cell, and a page of it.
 * @throws LuvitError("bad-file" | "bad-argument") for what is no TypeScript notebook, or would be overwritten.
 */
export async function runNotebook(path: string, options: RunOptions = {}): Promise<RunReport> {
  const source = resolve(path);
  const parameters = options.parameters ?? {};
  const plain = readNotebook(source);
  const session = new RunSession(source, setParameters(plain, parameters), options);
  session.say(parameterNotes(plain, parameters));
  try {
    await session.run();
  } finally {
    session.close();
  }
  return session.report();
}

class RunSession {
  private readonly files: RunFiles;
  private readonly cells: NotebookCell[];
  private readonly reports: CellReport[];
  private readonly recorder: OutputRecorder;
  private readonly startedAt = new Date();
  private readonly terminal: RunTerminal;
  private readonly executor: CellRunner;
  private readonly watch: Watch;
  /** What failed in the background while no cell ran. */
  private orphan: CellFailure | undefined;
  private running: { report: CellReport; outputs: CellOutputs; startedAt: number } | undefined;
  private signals = 0;
  private saved = false;

  constructor(
    source: string,
    notebook: Notebook,
    private readonly options: RunOptions,
  ) {
    const language = languageOf(notebook, source);
    this.files = new RunFiles(source, notebook, options);
    this.cells = notebook.cells.filter((cell) => cell.cell_type === "code");
    this.reports = this.cells.map((_, index) => ({
      index: index + 1,
      title: cellTitle(notebook, this.cells[index]!),
      status: "not run",
      seconds: 0,
    }));
    this.terminal = new RunTerminal(options.terminal ?? originalStdout(), this.cells.length);
    this.recorder = new OutputRecorder((line) => this.terminal.note(line));
    process.chdir(dirname(source));
    const signals = createSignals();
    this.watch = new Watch(signals, {
      full: () => this.executor.endForMemory(),
      overdue: () => this.executor.expire(),
    });
    this.executor = new CellRunner({
      folder: dirname(source),
      language,
      signals,
      listen: false,
      onWait: (wait) => this.watch.waits(wait),
      onExit: (code) => this.endWith(code),
      onOrphan: (failure) => {
        this.orphan ??= failure;
      },
    });
    process.on("SIGINT", this.onSignal);
  }

  /** Lines for the terminal. */
  say(lines: readonly string[]): void {
    for (const line of lines) this.terminal.say(line);
  }

  async run(): Promise<void> {
    // What a compiler has to read first, Node's names too, is no part of the first cell's time.
    if (this.cells.some(({ source }) => source.trim() !== "")) this.executor.compiler.compile("console");
    for (const [index, cell] of this.cells.entries()) {
      await deliverSignals();
      if (this.signals > 0) break;
      const status = cell.source.trim() === "" ? "ok" : await this.runCell(cell, this.reports[index]!);
      this.reports[index]!.status = status;
      if (status !== "ok") break;
    }
  }

  close(): void {
    this.executor.close();
    this.watch.close();
    process.off("SIGINT", this.onSignal);
    this.save();
  }

  /** Writes the files, once. */
  private save(): void {
    if (this.saved) return;
    this.saved = true;
    this.files.finish(this.facts());
  }

  /** The process ends, by a second Ctrl-C or because a cell ends it: that is said, and what ran is saved. */
  private endWith(code: number): void {
    const { running } = this;
    if (this.saved) return;
    this.watch.close();
    if (running && this.signals < 2) {
      const evalue = `process.exit(${code}) ended the run in this cell`;
      running.outputs.error({ ename: "ProcessExit", evalue, traceback: [`ProcessExit: ${evalue}`] });
      this.terminal.endCell("failed", (Date.now() - running.startedAt) / 1000);
      this.terminal.say(`cell [${running.report.index}]: ${evalue}; the cells after it were not run`);
      if (code === 0) process.exitCode = 1; // not all cells ran
    }
    this.save();
    this.say([this.files.notebookPath, this.files.pagePath].flatMap((path) => (path ? [`  ${path}`] : [])));
  }

  report(): RunReport {
    const failed = this.reports.some((cell) => cell.status === "failed");
    const interrupted = this.signals > 0 || this.reports.some((cell) => cell.status === "interrupted");
    const outcome = interrupted ? "interrupted" : failed ? "failed" : "ok";
    const { cells, seconds } = this.facts();
    const { notebookPath, pagePath } = this.files;
    return { cells, outcome, seconds, notebookPath, pagePath, closingText: printedBy(this.cells.at(-1)) };
  }

  private async runCell(cell: NotebookCell, report: CellReport): Promise<CellReport["status"]> {
    const started = Date.now();
    const outputs: CellOutput[] = [];
    const seconds = this.options.timeout;
    const recorded = this.recorder.cell(outputs, report.index);
    Object.assign(cell, { outputs, execution_count: report.index });
    this.terminal.startCell(report.index, report.title);
    report.status = "failed";
    this.running = { report, outputs: recorded, startedAt: started };
    this.files.begin(cell);
    this.watch.begin(seconds === undefined ? undefined : 1000 * seconds);
    const outcome = await this.executor.execute(cell.source, `cell [${report.index}]`, recorded, { seconds });
    this.watch.end();
    this.running = undefined;
    if (this.orphan) recorded.error(this.orphan);
    const ran = outcome.status === "ok" && !this.orphan;
    this.orphan = undefined;
    report.seconds = (Date.now() - started) / 1000;
    cell.metadata.execution = {
      "iopub.execute_input": new Date(started).toISOString(),
      "shell.execute_reply": new Date().toISOString(),
    };
    const stopped = this.signals > 0 || (outcome.status === "error" && outcome.interrupted);
    const allowed = (cell.metadata.tags ?? []).includes("raises-exception");
    const status = ran ? "ok" : stopped ? "interrupted" : allowed ? "ok" : "failed";
    this.terminal.endCell(status, report.seconds);
    if (status === "failed") this.sayWhy(cell, outputs);
    return status;
  }

  private sayWhy(cell: NotebookCell, outputs: readonly CellOutput[]): void {
    const error = outputs.find((output) => output.output_type === "error");
    const source = cell.source
      .trimEnd()
      .split("\n")
      .map((line) => `  | ${line}`);
    const why =
      error?.output_type === "error"
        ? error.traceback.join("\n").split("\n").slice(0, 20)
        : ["no reason given"];
    for (const line of ["", ...source, "", ...why.map((text) => `  ${text}`), ""]) this.terminal.say(line);
  }

  /** The first Ctrl-C lets the library finish its step and save; where nobody listens it ends the cell. */
  private readonly onSignal = (): void => {
    this.signals++;
    if (this.signals > 1) process.exit(130);
    this.terminal.say("interrupted: finishing the step; Ctrl-C again to stop at once");
    if (process.listenerCount("SIGINT") === 1) this.executor.interrupt();
  };

  private facts(): PageFacts {
    const seconds = (Date.now() - this.startedAt.getTime()) / 1000;
    return { title: this.files.name, startedAt: this.startedAt, seconds, cells: this.reports };
  }
}

/** The longest last line that is repeated on the terminal. */
const longestClosing = 400;

function printedBy(cell: NotebookCell | undefined): string {
  const texts = (cell?.outputs ?? []).map((output) => (output.output_type === "stream" ? output.text : ""));
  const line = stripAnsi(texts.join("").trimEnd().split("\n").at(-1)!).trim();
  return line.length > longestClosing ? `${line.slice(0, longestClosing)}…` : line;
}

function languageOf(notebook: Notebook, path: string): "typescript" | "javascript" {
  const info = notebook.metadata.language_info as { name?: string } | undefined;
  const language = (notebook.metadata.kernelspec?.language ?? info?.name ?? "typescript").toLowerCase();
  if (language === "typescript" || language === "javascript") return language;
  throw new LuvitError("bad-file", `${path}: written in ${language}; this command runs TypeScript notebooks`);
}

/** The real stdout: cells' output is captured by replacing `process.stdout.write`. */
function originalStdout(): TerminalStream {
  const { stdout } = process;
  const write = stdout.write.bind(stdout);
  return { write: (text) => write(text), isTTY: stdout.isTTY === true, columns: stdout.columns };
}
