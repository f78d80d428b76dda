import type * as ts from "typescript";
import type { Locate } from "./sourceMaps";

/** Where in a cell, counted from 0; offsets in UTF-16 units. */
export interface Position {
  offset: number;
  line: number;
  character: number;
}

/** What the compiler objects to. */
export interface Diagnostic {
  start: Position;
  end: Position;
  messageText: string;
  /** The compiler's number for it; 0 for what the kernel objects to. */
  code: number;
  /** A file other than the cell. */
  fileName?: string;
  /** What would mend it, in a line. */
  fix?: string;
}

/** A name that is not there yet: `text` stands for it and brings its import. */
export interface ImportCompletion {
  name: string;
  module: string;
  text: string;
}

/** Candidates for the token around the cursor; offsets in UTF-16 units. */
export interface Completion {
  start: number;
  end: number;
  candidates: string[];
  /** What could be imported, for the same place. */
  imports?: ImportCompletion[];
  original?: ts.CompletionInfo;
}

/** A local file as CommonJS. */
export interface SideOutput {
  path: string;
  data: string;
  locate: Locate;
  /** The TypeScript file itself, and what is in it. */
  source: string;
  text: string;
}

/** A cell ready to run. */
export interface CompiledCell {
  /** CommonJS code; undefined when there is nothing to run. */
  code?: string;
  locate: Locate;
  /** Whether the code awaits outside functions. */
  awaits: boolean;
  /** Modules it imports by statements. */
  imports: readonly string[];
  /** Name of the export that holds the value of the last expression. */
  lastExpression?: string;
  /** Local TypeScript files that are new or have changed: where their code belongs, the code, and what it is from. */
  sideOutputs: readonly SideOutput[];
  /** Makes the cell's declarations known to the cells after it. */
  commit(): void;
}

/** Whether a text is a whole cell. */
export type Completeness = { status: "complete" | "invalid" } | { status: "incomplete"; indent: string };

export type CellLanguage = "typescript" | "javascript";

/** Checks and compiles the cells of one notebook; remembers what they declare. */
export interface CellCompiler {
  /** The cell's code, or what the compiler objects to. */
  compile(source: string): CompiledCell | Diagnostic[];
  /** Candidates at an offset in UTF-16 units. */
  complete(source: string, offset: number): Completion;
  /**
   * What the compiler knows about the name at an offset in UTF-16 units, or about the function whose arguments are
   * there; undefined for unknown names.
   */
  inspect(source: string, offset: number): ts.QuickInfo | undefined;
  /** Whether more lines are to be waited for. */
  completeness(source: string): Completeness;
  /** Sees the cells from now on as files of another folder, the current one. */
  moveTo(folder: string): void;
  close(): void;
}
