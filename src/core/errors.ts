import { inspect } from "node:util";
import { printable, printableLines } from "./printable";

/** What kind of thing went wrong; stable, for programs. Messages are for people. */
export type LuvitErrorCode =
  | "bad-argument"
  | "bad-file"
  | "refused-file"
  | "missing-file"
  | "shape-mismatch"
  | "key-mismatch"
  | "non-finite"
  | "bad-image"
  | "bad-dataset"
  | "engine"
  | "engine-died"
  | "network"
  | "no-access"
  | "interrupted";

/**
 * The error of this library: says where, what was expected, what came and what to do. In a notebook it prints as
 * its message alone, not as a stack of frames inside the library. Names in it cannot steer a terminal.
 */
export class LuvitError extends Error {
  override readonly name: string = "LuvitError";

  constructor(
    readonly code: LuvitErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(printableLines(String(message)), options);
  }

  [inspect.custom](): string {
    return `${this.name} [${this.code}]: ${this.message}`;
  }
}

/** Joins many offenders into one readable list: the first `limit` lines, then how many more. */
export function listOffenders(lines: readonly string[], limit = 40): string {
  const shown = lines.slice(0, limit).map((line) => `  ${line}`);
  if (lines.length > limit) shown.push(`  … and ${lines.length - limit} more`);
  return shown.join("\n");
}

/** Runs a step on what a file holds and puts the file's name in front of what it complains about. */
export function withPath<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof LuvitError)) throw error;
    throw new LuvitError(error.code, `${printable(path)}: ${error.message}`, { cause: error });
  }
}
