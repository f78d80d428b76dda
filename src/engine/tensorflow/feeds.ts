import type { GraphDtype } from "../../graph/ir";
import { arrayTypes } from "../arrays";
import type { TypedArray } from "../executor";
import { elementTypes } from "./graphDef";
import type { TfValue } from "./lower/builder";
import type { TfOps } from "./lower/ops";

/** What a run may be fed with. */
export interface FeedPlace {
  /** The placeholder's name. */
  readonly name: string;
  readonly dtype: GraphDtype;
}

/** Something fed: where it goes, and what. */
export interface Feed {
  readonly place: FeedPlace;
  readonly shape: readonly number[];
  readonly array: TypedArray;
}

/**
 * Adds what a run is fed, of any shape where none is given. The addon copies every array but int32 to the GPU and back
 * before TensorFlow copies it there for good, so float32 crosses as int32, bit for bit.
 */
export function addFeed(
  ops: TfOps,
  dtype: GraphDtype,
  shape?: readonly number[],
): { place: FeedPlace; value: TfValue } {
  const crossing = dtype === "float32" ? "int32" : dtype;
  const attributes = { dtype: { type: crossing }, ...(shape ? { shape: { shape } } : {}) } as const;
  const name = `${ops.addNode("Placeholder", [], attributes)}:0`;
  const fed: TfValue = { name, shape: shape ?? [], dtype: crossing };
  return { place: { name, dtype }, value: ops.bitcast(fed, dtype) };
}

/** What the addon makes a tensor of. */
export function crossingOf({ place: { dtype }, array }: Feed): { dtype: number; values: TypedArray } {
  const typed = arrayTypes[dtype];
  const values = array instanceof typed ? array : typed.from(array);
  if (!(values instanceof Float32Array)) return { dtype: elementTypes[dtype], values };
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  return { dtype: elementTypes.int32, values: bits };
}
