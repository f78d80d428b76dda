import { formatShape, sizeOf } from "../core/hostTensor";
import type { GraphConstant, GraphDtype, GraphValue } from "./ir";

export type GraphData = GraphConstant["data"];

/** The array that holds a constant of an element type. */
export function typedArray(dtype: GraphDtype, numbers: ArrayLike<number> | ArrayLike<boolean>): GraphData {
  const values = numbers as ArrayLike<number>;
  if (dtype === "float32") return Float32Array.from(values);
  return dtype === "int32" ? Int32Array.from(values) : Uint8Array.from(values);
}

/** One number if the constant is the same everywhere. */
export function compactData(data: GraphData): GraphData {
  for (let i = 1; i < data.length; i++) if (!Object.is(data[i], data[0])) return data;
  return data.slice(0, 1);
}

/** The number a uniform constant has everywhere; undefined for one that varies. */
export function uniformValue({ data, value }: GraphConstant): number | undefined {
  return data.length === 1 && sizeOf(value.shape) > 0 ? data[0] : undefined;
}

/** "float32[2, 3]", for messages. */
export function formatValue({ dtype, shape }: Pick<GraphValue, "dtype" | "shape">): string {
  return `${dtype}${formatShape(shape)}`;
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((length, i) => length === b[i]);
