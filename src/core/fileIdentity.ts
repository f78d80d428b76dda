import type { Stats } from "node:fs";

/** What is another for another file, and after a change of the same one. */
export function identityOf({ dev, ino, size, mtimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs].join(":");
}
