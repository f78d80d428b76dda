import { dirname, sep } from "node:path";
import { inspect } from "node:util";
import { packageRoot } from "../../core/packageRoot";
import type { Diagnostic } from "../compiler/cellCompiler";
import { diagnosticLines, firstDiagnostic, missingModule } from "../compiler/diagnostics";
import type { CellFailure } from "./outputs";

const red = (text: string) => `\x1b[31m${text}\x1b[39m`;

/** A cell that the compiler rejects. */
export function rejection(diagnostics: readonly Diagnostic[], source: string, cell: string): CellFailure {
  return {
    ename: "TypeScriptError",
    evalue: firstDiagnostic(diagnostics),
    traceback: diagnosticLines(diagnostics, source, cell),
  };
}

/** Something thrown, with the frames of the user's own code; `sourceOf` gives the text of a cell by its name. */
export function failure(error: unknown, sourceOf: (cell: string) => string | undefined): CellFailure {
  const isError = error instanceof Error || (typeof error === "object" && error !== null && "stack" in error);
  const shown = safely(() => missing(error) ?? inspect(error));
  const text = shown ?? "[a value that cannot be shown]";
  if (!isError)
    return { ename: "thrown value", evalue: text, traceback: [`${red("thrown value")}: ${text}`] };
  const ename = String(safely(() => (error as Error).name) ?? "Error");
  const evalue = String(safely(() => withoutRequireStack((error as Error).message)) ?? "");
  const lines = userLines(text);
  const head = lines.findIndex(isFrame);
  const quoted = excerpt(lines, sourceOf);
  if (quoted.length > 0) lines.splice(head, 0, ...quoted);
  if (lines[0]?.startsWith(ename)) lines[0] = red(ename) + lines[0].slice(ename.length);
  return { ename, evalue, traceback: lines };
}

/** A module that is not there, with what to do about it instead of where Node has looked. */
function missing(error: unknown): string | undefined {
  const { code, message, stack } = (error ?? {}) as { code?: unknown; message: string; stack?: string };
  if (code !== "MODULE_NOT_FOUND" && code !== "ERR_MODULE_NOT_FOUND") return undefined;
  const name = /^Cannot find (?:module|package) '([^']+)'/.exec(message)?.[1];
  if (name === undefined) return undefined;
  const head = withoutRequireStack(message);
  return stack?.replace(message, () => `${head}\n${missingModule(name)}`);
}

function withoutRequireStack(message: string): string {
  return message.replace(/\nRequire stack:\n[\s\S]*$/, "");
}

/** Most frames that are shown; a recursion without an end has many. */
const mostFrames = 12;

const isFrame = (line: string) => /^\s+at /.test(line);

/** Where the library's own compiled files are: its frames say nothing about the user's code. */
const library = [`${packageRoot()}${sep}dist${sep}`, `${dirname(dirname(__dirname))}${sep}`];

function userLines(text: string): string[] {
  let frames = 0;
  const kept = text
    .split("\n")
    .filter((line) => !isFrame(line) || (isUserFrame(line) && frames++ < mostFrames));
  return kept.filter((line) => line.trim() !== "" || text.trim() === "");
}

function isUserFrame(line: string): boolean {
  if (line.includes("cell [")) return true;
  if (/node:|node_modules|<anonymous>|\(native\)|evalmachine|luvit-kernel/.test(line)) return false;
  return !library.some((folder) => line.includes(folder));
}

/** The line of the cell that the first frame names. */
function excerpt(lines: readonly string[], sourceOf: (cell: string) => string | undefined): string[] {
  const frame = /(cell \[[^\]]*\]):(\d+):(\d+)/.exec(lines.find(isFrame) ?? "");
  const line = frame ? sourceOf(frame[1]!)?.split("\n")[Number(frame[2]) - 1] : undefined;
  if (!frame || line === undefined || line.trim() === "") return [];
  const column = Math.min(Number(frame[3]) - 1, line.length);
  return [`  ${frame[2]} ${line}`, `  ${" ".repeat(frame[2]!.length)} ${" ".repeat(column)}^`];
}

function safely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
