import type { Place, Places, ReadNumbers } from "./writeNumbers";

/** Stored element types the readers understand. */
export type StoredDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

/** Where numbers lie in a file of this machine: good as long as the file is the one of that identity. */
export interface FilePlace extends Place {
  readonly path: string;
  /** What changes with the file, see `identityOf`. */
  readonly identity: string;
  readonly dtype: "F32" | "F16" | "BF16";
}

/** A tensor in host memory, row-major, widened to float32 whatever it was stored as. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** The numbers, to be read only and let go: a tensor that keeps its stored type goes on keeping it. */
  peek?(): Float32Array;
  /** Lets numbers go that can be had again, from a file; they are read when they are needed. */
  release?(): void;
  /** Where the same numbers can be read from; undefined where nowhere, or they may have been changed since. */
  place?(): FilePlace | undefined;
  /** How it was stored; "F32" for tensors made in memory. */
  readonly dtype?: StoredDtype;
  /** Why its numbers cannot be had; asking for them is an error. */
  readonly problem?: string;
}

/** Parameter path -> tensor, in the official PyTorch names and layouts. */
export type StateDict = Map<string, HostTensor>;

/** Tensors whose numbers come in groups when they are asked for, so that they are never all in memory. */
export interface TensorStream {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly read: ReadNumbers;
  /**
   * Writes them, float32, at their places in a file that is there, where that goes without `read`. Gives back the names of
   * those that hold NaN or infinities.
   */
  writeInto?(path: string, places: Places): Promise<readonly string[]>;
}

/** Tensors that are there already; what keeps its stored type goes on keeping it. */
export function streamOf(tensors: ReadonlyMap<string, HostTensor>): TensorStream {
  const numbersOf = (name: string) => {
    const tensor = tensors.get(name)!;
    return tensor.peek?.() ?? tensor.data;
  };
  return {
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    read: async (names) => Object.fromEntries(names.map((name) => [name, numbersOf(name)])),
  };
}

/** Number of elements of a shape; 1 for scalars. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** `[4096, 11008]`, for messages. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
