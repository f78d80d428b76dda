import { sizeOf } from "../../core/hostTensor";
import type { GraphDtype, GraphInput } from "../../graph/ir";
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
  /** Whether it takes bytes, four in each number that crosses. */
  readonly isBytes?: boolean;
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

/** Bytes in an int32 number. */
const WORD = 4;

/** Adds what a program is fed; bytes cross as they are and become float32 where the graph is. */
export function addInput(
  ops: TfOps,
  { value: { dtype, shape }, isBytes }: GraphInput,
): { place: FeedPlace; value: TfValue } {
  if (!isBytes) return addFeed(ops, dtype, shape);
  const count = sizeOf(shape);
  const words = Math.ceil(count / WORD);
  const { place, value } = addFeed(ops, "int32", [words]);
  const bytes = ops.reshape(ops.bytesOf(value), [words * WORD]);
  const given = ops.reshape(ops.slice(bytes, [0], [count]), shape);
  return { place: { ...place, isBytes }, value: ops.cast(given, dtype) };
}

/** Bytes as int32 numbers, the last one filled up with zeros. */
function wordsOf(array: TypedArray): Int32Array {
  const bytes = array instanceof Uint8Array ? array : Uint8Array.from(array);
  const words = Math.ceil(bytes.length / WORD);
  if (bytes.byteOffset % WORD === 0 && bytes.length % WORD === 0)
    return new Int32Array(bytes.buffer, bytes.byteOffset, words);
  const whole = new Int32Array(words);
  new Uint8Array(whole.buffer).set(bytes);
  return whole;
}

/** What the addon makes a tensor of. */
export function crossingOf({ place: { dtype, isBytes }, array }: Feed): {
  dtype: number;
  values: TypedArray;
  /** Where it is not the feed's own. */
  shape?: readonly number[];
} {
  if (isBytes) {
    const values = wordsOf(array);
    return { dtype: elementTypes.int32, values, shape: [values.length] };
  }
  const typed = arrayTypes[dtype];
  const values = array instanceof typed ? array : typed.from(array);
  if (!(values instanceof Float32Array)) return { dtype: elementTypes[dtype], values };
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  return { dtype: elementTypes.int32, values: bits };
}
