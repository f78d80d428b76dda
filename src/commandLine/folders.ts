import { readdirSync, statSync } from "node:fs";
import { LuvitError } from "../core/errors";

/**
 * Refuses a folder to write to that is something else, before anything is computed for it.
 * @throws LuvitError("bad-argument") where a file, a pipe or a folder that cannot be read is there.
 */
export function expectFolderOrNothing(path: string | undefined): void {
  if (path !== undefined) entriesOf(path);
}

/**
 * Refuses what is no file before it is read: a folder, a pipe that nobody may ever write to.
 * @throws LuvitError("missing-file" | "bad-file") saying what is there.
 */
export function expectFile(path: string, what: string): void {
  try {
    if (statSync(path).isFile()) return;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const problem = code === "ENOENT" ? "no such file" : message;
    throw new LuvitError("missing-file", `${path}: ${problem}; expected ${what}`, { cause });
  }
  throw new LuvitError("bad-file", `${path} is no file, expected ${what}`);
}

/**
 * What a folder holds; nothing where there is none yet.
 *
 * @throws LuvitError("bad-argument") where no folder can be.
 */
export function entriesOf(path: string): string[] {
  try {
    if (path !== "" && statSync(path).isDirectory()) return readdirSync(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    const problem = `--out ${path}: expected a folder to write to, but ${message}`;
    throw new LuvitError("bad-argument", problem, { cause });
  }
  const found = path === "" ? "an empty name" : "something that is no folder";
  throw new LuvitError("bad-argument", `--out ${path}: expected a folder to write to, got ${found}`);
}
