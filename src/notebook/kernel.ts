import { inspect } from "node:util";
import { mimeBundleOf } from "./mime";
import type { OutputRecorder } from "./outputs";
import { displaysFinished, isPendingDisplay } from "./pending";
import { captureDisplays, createTslabExecutor } from "./tslab";

/** Runs cells through tslab in this process and records what they print, show, return and throw. */
export interface Kernel {
  /** Runs one cell; false when it failed, the reason is then in its outputs. */
  execute(source: string): Promise<boolean>;
  /** Ends the running cell with an error; what it started may go on in the background. */
  interrupt(reason: string): void;
  /** Gives the console and the displays back. */
  close(): void;
}

/** Called with each line of text a cell produces, for progress on the terminal. */
export type LineListener = (line: string) => void;

/** Starts tslab for notebooks in `folder` (the current folder) and redirects console output to `recorder`. */
export function createKernel(
  folder: string,
  language: "typescript" | "javascript",
  recorder: OutputRecorder,
  onLine: LineListener,
): Kernel {
  const running: RunningCell = { diagnostics: [] };
  const executor = createTslabExecutor(folder, language, {
    log: (value) => {
      running.value = value;
    },
    error: (...values) => {
      if (typeof values[0] === "string" && values.length === 5)
        running.diagnostics.push(diagnosticLine(values));
      else recordError(recorder, values[0]);
    },
  });
  const restore = redirect(recorder, onLine, (error) => {
    if (running.fail) running.fail(error);
    else running.failedBetween = { error };
  });
  return {
    async execute(source) {
      Object.assign(running, { value: undefined, diagnostics: [] });
      const background = new Promise<never>((_, reject) => {
        running.fail = reject;
        if (running.failedBetween) reject(running.failedBetween.error);
      });
      try {
        const listening = signalListeners();
        const executed = executor.execute(source);
        rearmSigint(listening);
        const ok = await Promise.race([executed, background]);
        const says = running.value !== undefined && !isPendingDisplay(running.value);
        await Promise.race([displaysFinished(), background]);
        if (says) recorder.result(await mimeBundleOf(running.value));
        if (running.diagnostics.length > 0) recordDiagnostics(recorder, running.diagnostics);
        return ok;
      } catch (error) {
        recordError(recorder, error);
        return false;
      } finally {
        running.fail = undefined;
      }
    },
    interrupt(reason) {
      running.fail?.(new InterruptedCell(reason));
    },
    close() {
      restore();
      executor.close();
    },
  };
}

/**
 * Node runs a cell's synchronous part with its own Ctrl-C handler and afterwards puts the default one in place, also
 * over listeners that the cell has just added: the next Ctrl-C would end the process. Adding all of them again arms
 * them.
 */
function rearmSigint(before: readonly NodeJS.SignalsListener[]): void {
  const added = signalListeners().filter((listener) => !before.includes(listener));
  if (added.length === 0) return;
  process.removeAllListeners("SIGINT");
  for (const listener of [...before, ...added]) process.on("SIGINT", listener);
}

function signalListeners(): NodeJS.SignalsListener[] {
  return process.rawListeners("SIGINT") as NodeJS.SignalsListener[];
}

interface RunningCell {
  /** Ends the cell with an error; unset between cells. */
  fail?: ((error: unknown) => void) | undefined;
  /** What earlier cells left running failed while no cell ran; the next cell reports it. */
  failedBetween?: { error: unknown };
  /** Value of the last expression. */
  value?: unknown;
  diagnostics: string[];
}

/** A cell ended from outside: by Ctrl-C or by the time limit. */
export class InterruptedCell extends Error {
  override readonly name = "Interrupted";

  [inspect.custom](): string {
    return `${this.name}: ${this.message}`;
  }
}

function redirect(
  recorder: OutputRecorder,
  onLine: LineListener,
  onFailure: (error: unknown) => void,
): () => void {
  const original = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ["stdout", "stderr"] as const) {
    process[name].write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => {
      const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      recorder.stream(name, text);
      lastLine(text, onLine);
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") process.nextTick(done);
      return true;
    }) as typeof process.stdout.write;
  }
  const restoreDisplays = captureDisplays((message, update) => {
    recorder.display(message, update);
    const label = /aria-label="([^"]*)"/.exec(String(message.data["text/html"] ?? ""));
    if (label) onLine(label[1]!);
  });
  process.on("uncaughtException", onFailure);
  process.on("unhandledRejection", onFailure);
  return () => {
    Object.assign(process.stdout, { write: original.stdout });
    Object.assign(process.stderr, { write: original.stderr });
    restoreDisplays();
    process.off("uncaughtException", onFailure);
    process.off("unhandledRejection", onFailure);
  };
}

function lastLine(text: string, onLine: LineListener): void {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  if (lines.length > 0) onLine(lines[lines.length - 1]!);
}

function diagnosticLine([, file, line, column, message]: unknown[]): string {
  return `${String(file)}${String(line)}:${String(column)} - ${String(message)}`;
}

function recordDiagnostics(recorder: OutputRecorder, lines: string[]): void {
  recorder.error("TypeScript", lines[0]!, ["TypeScript rejects this cell (line:column - reason):", ...lines]);
}

function recordError(recorder: OutputRecorder, error: unknown): void {
  const isError = error instanceof Error || (typeof error === "object" && error !== null && "stack" in error);
  const { name, message } = isError ? (error as Error) : { name: "thrown value", message: inspect(error) };
  recorder.error(name, message, readableTrace(isError ? inspect(error) : `${name}: ${message}`));
}

/** The error as text without the frames of tslab, Node and this runner, which are the same for every cell. */
function readableTrace(text: string): string[] {
  const lines = text
    .split("\n")
    .filter(
      (line) =>
        !/^\s+at .*(tslab[\\/]dist|node:internal|node:vm|\(native\)|notebook[\\/](kernel|run)\.[jt]s)/.test(
          line,
        ),
    )
    .filter((line) => !/^(node:internal|evalmachine)|^\s*throw err;$|^\s*\^*$/.test(line))
    .map((line) => line.replace(/^(\s+at ).*evalmachine\.<anonymous>.*$/, "$1this cell"));
  return lines.filter((line, index) => line !== lines[index - 1]);
}
