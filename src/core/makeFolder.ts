import { existsSync, mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it that are missing. Not left to Node's `recursive`, which tries for ever where a system
 * refuses a folder as if the one above it were missing (/proc, mounts that went away). Gives back those that it made, for
 * `takeBack`.
 *
 * @throws Error of the system, also where something else than a folder is there.
 */
export function makeFolder(folder: string, mode?: number): readonly string[] {
  const missing: string[] = [];
  for (let at = resolve(folder); !existsSync(at); at = dirname(at)) missing.unshift(at);
  if (missing.length === 0 && !statSync(folder).isDirectory()) mkdirSync(folder, mode);
  const made: string[] = [];
  for (const one of missing) {
    try {
      mkdirSync(one, mode);
      made.push(one);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "EEXIST" && existsSync(one)) continue; // another process was faster
      takeBack(made);
      throw cause;
    }
  }
  return made;
}

/** Removes folders that were made for nothing, as far as they are empty. */
export function takeBack(made: readonly string[]): void {
  try {
    for (const folder of [...made].reverse()) rmdirSync(folder);
  } catch {
    // Somebody has put something there since.
  }
}
