import type { CompilerName } from "../compiler/createCompiler";
import type { Wait } from "../watch/syncChildren";
import type { Ask } from "./dialogs";
import type { CellFailure } from "./outputs";

/** What a `CellRunner` is told about its surroundings. */
export interface ExecutorOptions {
  /** The notebook's folder; must be the current folder. */
  folder: string;
  language: "typescript" | "javascript";
  /** Who compiles the cells; default what `LUVIT_COMPILER` says, else TypeScript 6. */
  compiler?: CompilerName;
  /** Numbers shared with the thread that takes interrupts; default: there is no such thread. */
  signals?: Int32Array;
  /** Asks the user for a line of text; default: nobody can be asked. */
  ask?: Ask;
  /** Takes errors that nobody awaits and that happen while no cell runs; default: the last cell's stderr. */
  onOrphan?: (failure: CellFailure) => void;
  /** Whether output that no cell has caused goes to the last cell (the default) or where it would go anyway. */
  stray?: "cell" | "process";
  /** Whether SIGINT ends the running cell; default true. */
  listen?: boolean;
  /** Called first thing when the process ends, e.g. because a cell calls `process.exit()`. */
  onExit?: (code: number) => void;
  /** Called when a cell begins to wait for a process. */
  onWait?: (wait: Wait) => void;
}
