import type { ArraysByName } from "../executor";
import type { OnnxProgram, Operands, Results } from "./program";

/** Where the state of programs lives, and what becomes of what their runs give. */
export interface Memory extends Operands {
  /** Whether a result of that name is read from here after the run. */
  holds(entry: string): boolean;
  /**
   * Takes the gradients and the new state of a run over: held back, or made the new state where the run was good. Gives
   * back what this told beside the run's results.
   */
  take(
    program: OnnxProgram,
    results: Results,
    feeds: ArraysByName,
    hold: boolean,
  ): Promise<Record<string, Float32Array>>;
  /**
   * Copies of entries.
   * @throws LuvitError("bad-argument") naming entries that are none or that nobody has written.
   */
  read(names?: readonly string[]): Promise<Record<string, Float32Array>>;
  /** The same, uncopied where that can be. */
  view(names?: readonly string[]): Promise<Record<string, Float32Array>>;
  /** @throws LuvitError("bad-argument") naming entries that are none or do not fit; nothing has changed then. */
  write(values: ArraysByName): Promise<void>;
  dispose(): Promise<void>;
}
