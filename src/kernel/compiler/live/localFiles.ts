import { extname } from "node:path";
import type * as ts from "typescript";
import type { SideOutput } from "../cellCompiler";
import type { TypeScript } from "../typescript";
import { emitFile } from "./emit";
import type { CellFile, LiveProgram } from "./program";

/** The user's own files that cells import: checked with the cell, compiled once until they change. */
export class LocalFiles {
  /** The file that was checked, and the one that was compiled, by path. */
  private readonly checked = new Map<string, ts.SourceFile>();
  private readonly compiled = new Map<string, ts.SourceFile>();
  private checkedIn: ts.Program | undefined;

  constructor(
    private readonly compiler: TypeScript,
    private readonly live: LiveProgram,
  ) {}

  /** Those that a cell imports, directly or by others. */
  of(specifiers: readonly string[]): ts.SourceFile[] {
    const { live } = this;
    const found = new Set<ts.SourceFile>();
    const add = (file: ts.SourceFile | undefined): void => {
      if (!file || found.has(file) || !live.isLocal(file)) return;
      found.add(file);
      for (const { text } of (file as CellFile).imports) add(live.resolve(text, file));
    };
    for (const specifier of specifiers) add(live.resolve(specifier));
    return [...found].filter(({ fileName }) => /(?<!\.d)\.[cm]?[jt]sx?$/.test(fileName));
  }

  /** The file of this name alone. */
  ofPath(path: string): ts.SourceFile[] {
    const file = this.live.current.getSourceFile(path);
    return file ? [file] : [];
  }

  /** What is wrong in them. */
  findings(files: readonly ts.SourceFile[]): ts.Diagnostic[] {
    if (this.checkedIn !== this.live.current) this.checked.clear(); // a change elsewhere may be the end of them
    this.checkedIn = this.live.current;
    const found: ts.Diagnostic[] = [];
    for (const file of files) {
      if (this.checked.get(file.fileName) === file) continue;
      const wrong = this.live.findings(file);
      if (wrong.length === 0) this.checked.set(file.fileName, file);
      found.push(...wrong);
    }
    return found;
  }

  /** The code of those that are new or have changed. */
  outputs(files: readonly ts.SourceFile[]): SideOutput[] {
    const changed = files.filter((file) => this.compiled.get(file.fileName) !== file);
    return changed.map((file) => {
      this.compiled.set(file.fileName, file);
      const { code, locate } = emitFile(this.compiler, file.text, file.fileName);
      const stem = file.fileName.slice(0, -extname(file.fileName).length);
      return { path: `${stem}.js`, data: code, locate, source: file.fileName, text: file.text };
    });
  }
}
