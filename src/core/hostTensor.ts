/** Stored element types the readers understand. */
export type StoredDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

/** A tensor in host memory, row-major, widened to float32 whatever it was stored as. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** The numbers, to be read only and let go: a tensor that keeps its stored type goes on keeping it. */
  peek?(): Float32Array;
  /** How it was stored; "F32" for tensors made in memory. */
  readonly dtype?: StoredDtype;
  /** Why its numbers cannot be had; asking for them is an error. */
  readonly problem?: string;
}

/** Parameter path -> tensor, in the official PyTorch names and layouts. */
export type StateDict = Map<string, HostTensor>;

/** Number of elements of a shape; 1 for scalars. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** `[4096, 11008]`, for messages. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
