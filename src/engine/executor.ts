export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** Arrays by name: a parameter path, a moment's path, or the name of a graph's input. */
export type ArraysByName = Readonly<Record<string, TypedArray>>;

/** How one run differs from a plain one. */
export interface RunOptions {
  /** Change no state, but keep this run's gradients and add them to those of the next run without this. */
  hold?: boolean;
}

/** Something that holds a traced graph and its state, and runs it. */
export interface Executor {
  /** For people, e.g. "onnxruntime cpu (2 threads, float32)". */
  readonly name: string;
  /**
   * One run of the graph. `feeds` has every input of the graph by name, row-major. State entries with an output of
   * their own name take their new values. Gives back the outputs named in `fetch`; without it, every output that is
   * not state (the loss).
   */
  run(
    feeds: ArraysByName,
    fetch?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Float32Array>>;
  /** Copies of state entries; without `names`, of all that the graph changes (frozen weights never do). */
  readState(names?: readonly string[]): Promise<Record<string, Float32Array>>;
  /** Replaces state entries. */
  writeState(values: ArraysByName): Promise<void>;
  /** Gives memory and threads back; the executor is of no use afterwards. */
  dispose(): Promise<void>;
}
