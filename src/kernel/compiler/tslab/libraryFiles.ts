import { sep } from "node:path";
import type * as ts from "typescript";
import { packageRoot } from "../../../core/packageRoot";

type Changed = (path: string) => void;

/**
 * Declaration files of packages. Two fifths of the time of parsing them is that of their doc comments, which only
 * `inspect` wants: they are read without, until it asks. They are not watched; what Node has loaded does not change in
 * a session either.
 */
export class LibraryFiles {
  private documented = false;
  private readonly readers = new Map<string, Changed>();

  /** `system` with another way to read such files. */
  wrap(system: ts.System): Partial<ts.System> {
    return {
      readFile: (path, encoding) => {
        const text = system.readFile(path, encoding);
        return text === undefined || this.documented || !isLibraryFile(path) ? text : withoutDocs(text);
      },
      watchFile: (path, callback, ...rest) => {
        if (!isLibraryFile(path)) return system.watchFile!(path, callback, ...rest);
        this.readers.set(path, () => callback(path, changedKind));
        return { close: () => this.readers.delete(path) };
      },
    };
  }

  /** Has everything read again, with its doc comments; the next compilation takes longer. */
  document(): void {
    if (this.documented) return;
    this.documented = true;
    for (const [path, changed] of this.readers) changed(path);
  }
}

/** `FileWatcherEventKind.Changed`. */
const changedKind = 1;

const own = `${packageRoot().replaceAll(sep, "/")}/dist/`;

function isLibraryFile(path: string): boolean {
  return path.endsWith(".d.ts") && (path.includes("/node_modules/") || path.startsWith(own));
}

/** Only the mark of what is deprecated counts for completion. */
function withoutDocs(text: string): string {
  return text.replace(/^[ \t]*\/\*\*[\s\S]*?\*\//gm, (comment) =>
    comment.includes("@deprecated") ? "/** @deprecated */" : "",
  );
}
