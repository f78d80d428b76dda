import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning } from "../../core/processes";
import { murmur2 } from "./murmur2";

/** How folders of cells are called: by the process that they belong to. */
const folderName = /^luvit-debug-(\d+)-/;

/**
 * The files that stand for cells in the debug protocol: frontends compute the same names from what is in a cell, and so
 * find the cell that a stop is in.
 */
export class CellFiles {
  /** What the hash begins with, 32 bits. */
  readonly seed = 0x6c757669;
  readonly suffix = ".ts";
  private readonly texts = new Map<string, string>();
  private readonly folder = join(tmpdir(), `luvit-debug-${process.pid}-${randomUUID()}`);
  /** What paths begin with: a folder of this user alone, made when the first cell is written. */
  readonly prefix = join(this.folder, "cell-");

  path(text: string): string {
    return `${this.prefix}${murmur2(text, this.seed)}${this.suffix}`;
  }

  /** Writes a cell's file; returns its path. */
  dump(text: string): string {
    const path = this.path(text);
    if (this.texts.size === 0) removeOrphans();
    mkdirSync(this.folder, { recursive: true, mode: 0o700 }); // it may be swept away while a kernel rests
    writeFileSync(path, text, { mode: 0o600 });
    this.texts.set(path, text);
    return path;
  }

  /** What is in the cell of a path that was dumped. */
  text(path: string): string | undefined {
    return this.texts.get(path);
  }

  remove(): void {
    if (this.texts.size > 0) rmSync(this.folder, { recursive: true, force: true });
    this.texts.clear();
  }
}

/** Removes the folders of kernels that were killed. Those of others, or of another user, are left. */
function removeOrphans(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(folderName.exec(name)?.[1] ?? Number.NaN);
    if (!Number.isSafeInteger(pid) || isRunning(pid)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {} // not ours to remove
  }
}
