import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it that are missing. Not left to Node's `recursive`, which tries for ever where a system
 * refuses a folder as if the one above it were missing (/proc, mounts that went away).
 *
 * @throws Error of the system, also where something else than a folder is there.
 */
export function makeFolder(folder: string, mode?: number): void {
  const missing: string[] = [];
  for (let at = resolve(folder); !existsSync(at); at = dirname(at)) missing.unshift(at);
  if (missing.length === 0 && !statSync(folder).isDirectory()) mkdirSync(folder, mode);
  for (const one of missing) {
    try {
      mkdirSync(one, mode);
    } catch (cause) {
      // Another process was faster.
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST" || !existsSync(one)) throw cause;
    }
  }
}
