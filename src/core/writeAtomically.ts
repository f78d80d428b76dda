import { renameSync, writeFileSync } from "node:fs";

/** Writes a small file under a temporary name beside its target, then renames it into place. */
export function writeAtomically(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}
