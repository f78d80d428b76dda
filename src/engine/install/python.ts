import { LuvitError } from "../../core/errors";
import { runCommand } from "./command";

/** A Python interpreter that has pip. */
export interface Python {
  readonly command: string;
  readonly args: readonly string[];
  /** "3.12". */
  readonly version: string;
}

const VERSION = "import sys; print('%d.%d' % sys.version_info[:2])";

/**
 * Finds the interpreter that PYTHON names, or the usual ones.
 *
 * @throws LuvitError("engine") when none has pip.
 */
export async function findPython(): Promise<Python> {
  const named = process.env.PYTHON;
  const candidates: [string, ...string[]][] = named
    ? [[named]]
    : [["python3"], ["python"], ...(process.platform === "win32" ? [["py", "-3"] as [string, string]] : [])];
  const tried: string[] = [];
  for (const [command, ...args] of candidates) {
    const found = await runCommand(command, [...args, "-c", VERSION]);
    if (found.status !== 0) {
      tried.push(`${command}: not found or not working`);
      continue;
    }
    const pip = await runCommand(command, [...args, "-m", "pip", "--version"]);
    if (pip.status === 0) return { command, args, version: found.output.trim() };
    tried.push(`${command} ${found.output.trim()}: has no pip`);
  }
  throw new LuvitError(
    "engine",
    `no Python with pip (${tried.join("; ")}). The TensorFlow library comes from pip's wheel: install Python 3 with pip ` +
      "(Debian and Ubuntu: apt install python3-pip), or name one in PYTHON, or use --stock, which needs no Python for it",
  );
}
