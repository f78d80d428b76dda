import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The nearest folder above (or at) `folder` that holds `name`. */
export function findUp(folder: string, name: string): string {
  if (existsSync(join(folder, name))) return folder;
  if (dirname(folder) === folder) throw new Error(`no ${name} above this file`);
  return findUp(dirname(folder), name);
}
