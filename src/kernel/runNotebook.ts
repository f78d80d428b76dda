import { mkdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setImmediate as deliverSignals } from "node:timers/promises";
import { LuvitError } from "../core/errors";
import { writeAtomically } from "../core/writeAtomically";
import { cellTitle } from "../notebook/cellTitle";
import { stripAnsi } from "../notebook/html";
import {
  type CellOutput,
  type Notebook,
  type NotebookCell,
  readNotebook,
  writeNotebook,
} from "../notebook/nbformat";
import { type CellReport, renderPage } from "../notebook/page";
import { RunTerminal, type TerminalStream } from "../notebook/terminal";
import { Executor } from "./executor/executor";
import type { CellFailure } from "./executor/outputs";
import { type Parameters, setParameters } from "./parameters";
import { OutputRecorder } from "./recorder";

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
  /** What the last cell printed; a notebook's last word. */
  readonly closingText: string;
}

/** Runs the code cells of a TypeScript notebook in order and writes the executed notebook and a page of it. */
export async function runNotebook(path: string, options: RunOptions = {}): Promise<RunReport> {
  const source = resolve(path);
  const notebook = setParameters(readNotebook(source), options.parameters ?? {});
  const session = new RunSession(source, notebook, options);
  try {
    await session.run();
  } finally {
    session.close();
  }
  return session.report();
}

class RunSession {
  private readonly name: string;
  private readonly folder: string;
  private readonly cells: NotebookCell[];
  private readonly reports: CellReport[];
  private readonly recorder: OutputRecorder;
  private readonly startedAt = new Date();
  private readonly terminal: RunTerminal;
  private readonly executor: Executor;
  /** What failed in the background while no cell ran. */
  private orphan: CellFailure | undefined;
  private signals = 0;
  private saved = false;

  constructor(
    source: string,
    private readonly notebook: Notebook,
    private readonly options: RunOptions,
  ) {
    this.name = basename(source, ".ipynb");
    this.folder = resolve(options.out ?? join("out", this.name));
    if (isSameFile(this.notebookPath, source)) {
      throw new LuvitError(
        "bad-argument",
        `--out ${this.folder} would overwrite the notebook itself; choose another folder`,
      );
    }
    mkdirSync(this.folder, { recursive: true });
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
    this.executor = new Executor({
      folder: dirname(source),
      language: languageOf(notebook, source),
      listen: false,
      onOrphan: (failure) => {
        this.orphan ??= failure;
      },
    });
    process.on("SIGINT", this.onSignal);
    process.on("exit", this.save);
  }

  async run(): Promise<void> {
    for (const [index, cell] of this.cells.entries()) {
      await deliverSignals();
      if (this.signals > 0) break;
      const status = cell.source.trim() === "" ? "ok" : await this.runCell(cell, this.reports[index]!);
      this.reports[index]!.status = status;
      if (status !== "ok") break;
    }
  }

  /** Writes the files now; also called when a cell ends the process. */
  readonly save = (): void => {
    if (this.saved) return;
    this.saved = true;
    writeNotebook(this.notebookPath, this.notebook);
    if (this.pagePath) writeAtomically(this.pagePath, renderPage(this.notebook, this.facts()));
  };

  close(): void {
    this.executor.close();
    process.off("SIGINT", this.onSignal);
    process.off("exit", this.save);
    this.save();
  }

  report(): RunReport {
    const failed = this.reports.some((cell) => cell.status === "failed");
    const interrupted = this.signals > 0 || this.reports.some((cell) => cell.status === "interrupted");
    const outcome = interrupted ? "interrupted" : failed ? "failed" : "ok";
    const { cells, seconds } = this.facts();
    const { notebookPath, pagePath } = this;
    return { cells, outcome, seconds, notebookPath, pagePath, closingText: printedBy(this.cells.at(-1)) };
  }

  private async runCell(cell: NotebookCell, report: CellReport): Promise<CellReport["status"]> {
    const started = Date.now();
    const outputs: CellOutput[] = [];
    Object.assign(cell, { outputs, execution_count: report.index });
    this.terminal.startCell(report.index, report.title);
    report.status = "failed";
    const timer = this.startTimer();
    const recorded = this.recorder.cell(outputs, report.index);
    const outcome = await this.executor.execute(cell.source, `cell [${report.index}]`, recorded);
    clearTimeout(timer);
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

  private startTimer(): NodeJS.Timeout | undefined {
    const { timeout } = this.options;
    if (timeout === undefined) return undefined;
    return setTimeout(() => this.executor.expire(`the cell took longer than ${timeout} s`), timeout * 1000);
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

  private facts(): { title: string; startedAt: Date; seconds: number; cells: readonly CellReport[] } {
    const seconds = (Date.now() - this.startedAt.getTime()) / 1000;
    return { title: this.name, startedAt: this.startedAt, seconds, cells: this.reports };
  }

  private get notebookPath(): string {
    return join(this.folder, `${this.name}.ipynb`);
  }

  private get pagePath(): string | undefined {
    return this.options.html === false ? undefined : join(this.folder, `${this.name}.html`);
  }
}

/** Whether two paths lead to one file, through links too. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }));
  return one === other || (a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino);
}

function printedBy(cell: NotebookCell | undefined): string {
  const texts = (cell?.outputs ?? []).map((output) => (output.output_type === "stream" ? output.text : ""));
  return stripAnsi(texts.join("")).trim();
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
