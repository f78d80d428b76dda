import { statSync } from "node:fs";
import type * as ts from "typescript";

interface Watched {
  path: string;
  stamp: string;
  changed: ts.FileWatcherCallback;
}

/** `FileWatcherEventKind`. */
const kinds = { created: 0, changed: 1, deleted: 2 };

/**
 * Local files that cells import. Whether they have changed is looked up when a cell is compiled: an event of the file
 * system may come later than the cell that is run to see the edit.
 */
export class EditedFiles {
  private readonly watched = new Set<Watched>();

  /** Stands for the `watchFile` of a system. */
  readonly watchFile = (path: string, changed: ts.FileWatcherCallback): ts.FileWatcher => {
    const entry = { path, stamp: stampOf(path), changed };
    this.watched.add(entry);
    return { close: () => this.watched.delete(entry) };
  };

  /** Tells the compiler about the files that have changed since the last call. */
  check(): void {
    for (const entry of [...this.watched]) {
      const stamp = stampOf(entry.path);
      if (stamp === entry.stamp) continue;
      const kind = entry.stamp === "" ? kinds.created : stamp === "" ? kinds.deleted : kinds.changed;
      entry.stamp = stamp;
      entry.changed(entry.path, kind);
    }
  }
}

/** What differs after an edit, also one that replaces the file; empty where there is none. */
function stampOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}` : "";
}
