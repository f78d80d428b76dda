import type { FilePlace } from "../core/hostTensor";
import type { Places } from "../core/writeNumbers";
import type { SumPrecision } from "../distributed/group";
import type { Graph } from "../graph/ir";
import type { EngineName, OpenOptions, Precision } from "./options";

export type { EngineName, OpenOptions, Precision } from "./options";

export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** Arrays by name: a parameter path, a moment's path, or the name of a graph's input. */
export type ArraysByName = Readonly<Record<string, TypedArray>>;

/** A graph to run. Programs that are opened together share the state entries that have the same name. */
export interface Program {
  readonly graph: Graph;
  /** A result, "loss" say: a run in which it is not finite gives its results but leaves the state as it was. */
  readonly guard?: string;
  /**
   * Greatest norm of all gradients of a step taken together, held ones included; larger ones are scaled down to it before
   * AdamW sees them. Default: as they are.
   */
  readonly clipGradNorm?: number;
  /**
   * An input [1] that the loss is multiplied by before its gradients, which an engine that computes in float16 divides by
   * it before AdamW. Where they are not finite the state is left as it was; a run that is not held also gives their norm.
   */
  readonly lossScale?: string;
  /**
   * The gradients of a step are summed over the workers of the job before AdamW sees them, and sent so: every worker runs
   * this program, in the same order. A step that is not finite for one of them changes the state of none.
   */
  readonly shared?: SumPrecision;
}

/** Norm of a step's gradients [1], divided by the scale of the loss: a result beside the graph's where there is one. */
export const GRADIENT_NORM = "gradient norm";

export type Programs = Readonly<Record<string, Program>>;

/** What programs run on. */
export interface EngineDescription {
  readonly engine: EngineName;
  /** "cpu", "cuda", "webgpu", "GPU". */
  readonly device: string;
  /** What is behind WebGPU, where that can be told: "NVIDIA H200". */
  readonly adapter?: string;
  readonly threads?: number;
  readonly precision: Precision;
  /** How far products of 4096 numbers in float16 were found to be off: relative, root mean square. */
  readonly productError?: number;
  readonly frozen?: "int8";
  /** Whether products take their operands in TensorFloat-32. */
  readonly tf32?: boolean;
  /** Why op by op, where it is. */
  readonly reason?: string;
}

/** "onnxruntime cpu (2 threads, float32)", "onnxruntime webgpu (NVIDIA H200, float32)". */
export function describeEngine(description: EngineDescription): string {
  const { engine, device, adapter, threads, precision, productError, frozen, tf32 } = description;
  const notes = [
    tf32 ? "tf32 products" : "",
    productError === undefined ? "" : `products off by ${(100 * productError).toPrecision(2)} %`,
  ].filter(Boolean);
  const parts = [
    adapter ?? "",
    threads === undefined ? "" : `${threads} ${threads === 1 ? "thread" : "threads"}`,
    notes.length > 0 ? `${precision} (${notes.join(", ")})` : precision,
    frozen ? `frozen weights ${frozen}` : "",
  ];
  return `${engine} ${device} (${parts.filter(Boolean).join(", ")})`;
}

/** The same for people: "onnxruntime cpu (2 threads, float32), one graph", "tfjs wasm, op by op (asked for)". */
export function describeRunning(description: EngineDescription): string {
  const { engine, device, reason } = description;
  const how = engine === "eager" ? `${device}, op by op` : `${describeEngine(description)}, one graph`;
  return reason === undefined ? how : `${how} (${reason})`;
}

/** How one run differs from a plain one. */
export interface RunOptions {
  /** Outputs to give back; default every output that is not state (the loss). */
  fetch?: readonly string[];
  /** Change no state, but keep this run's gradients and add them to those of the next run without this. */
  hold?: boolean;
}

/** Bytes of arrays that have moved since an engine was opened: what its runs were fed and gave, and state read or set. */
export interface Traffic {
  /** Between this process and the engine's, both ways; 0 where it is the same. */
  readonly process: number;
  /** Between host memory and the device's, both ways; 0 where the processor computes in host memory. */
  readonly device: number;
}

/** Something that holds programs and their common state, and runs them. */
export interface Engine {
  readonly description: EngineDescription;
  readonly traffic: Traffic;
  /**
   * One run of a program. `feeds` has every input of the graph by name, row-major. State entries with an output of
   * their own name take their new values.
   *
   * @throws LuvitError("bad-argument") for feeds that do not fit, or state entries nobody has written yet.
   */
  run(program: string, feeds: ArraysByName, options?: RunOptions): Promise<Record<string, Float32Array>>;
  /** Copies of state entries; without `names`, of all that a program changes (frozen weights never do). */
  readState(names?: readonly string[]): Promise<Record<string, Float32Array>>;
  /** The same without copying where an engine can: good until the next run or change of state, for those who pass it on. */
  viewState?(names?: readonly string[]): Promise<Readonly<Record<string, Float32Array>>>;
  /** See the function of this name; only engines that live in another process have it. */
  saveState?(path: string, places: Places): Promise<readonly string[]>;
  /**
   * Sets state entries from files, whose numbers then never come to this process; gives back those whose file is no longer
   * as it was. Only engines that live in another process have it.
   */
  loadState?(places: ReadonlyMap<string, FilePlace>): Promise<readonly string[]>;
  /**
   * Sets state entries; all must be set before a run, but moments of AdamW, which begin at zero. Arrays of entries that
   * no program changes become the executor's own and are not copied; hand large weights over one by one.
   */
  writeState(values: ArraysByName): Promise<void>;
  /**
   * Gives every entry that a program changes the first worker's numbers; gives back the entries which no program changes
   * and in which workers differ. Only engines that live in another process, which has joined a group, have it.
   */
  alignState?(): Promise<readonly string[]>;
  /** Whether all workers have the same numbers, to the bit, in what programs change. As `alignState`. */
  sameState?(): Promise<boolean>;
  /** Gives memory and threads back; the executor is of no use afterwards. */
  dispose(): Promise<void>;
}

/** Compiles programs; their state is written afterwards. */
export type OpenEngine = (programs: Programs, options?: OpenOptions) => Promise<Engine>;
