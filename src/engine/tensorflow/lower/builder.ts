import { contents } from "../../lower";
import type { TfAttributes, TfDtype, TfNode } from "../graphDef";

/** A value of the TensorFlow graph under construction. */
export interface TfValue {
  /** "node:output". */
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TfDtype;
  /** The number it holds, where that is known and the same everywhere. */
  readonly number?: number;
}

export type TfType = Pick<TfValue, "shape" | "dtype">;

/** How a call differs from a plain one. */
export interface CallOptions {
  attributes?: TfAttributes;
  /** Values that must be there before the call begins. */
  after?: readonly TfValue[];
}

/** What waits for a value: its node, without the output. */
export const waitFor = (name: string): string => `^${name.split(":")[0]}`;

/** Collects nodes. A call written twice is made once; a number written twice is stored once. */
export class TfBuilder {
  readonly nodes: TfNode[] = [];
  private readonly calls = new Map<string, TfValue[]>();
  private readonly stored = new Map<string, TfValue>();

  /** One op call with any number of results; equal calls are one. */
  call(
    op: string,
    operands: readonly TfValue[],
    results: readonly TfType[],
    { attributes = {}, after = [] }: CallOptions = {},
  ): TfValue[] {
    const inputs = [...operands.map(({ name }) => name), ...after.map(({ name }) => waitFor(name))];
    const key = JSON.stringify([op, inputs, attributes]);
    const known = this.calls.get(key);
    if (known) return known;
    const name = this.addNode(op, inputs, attributes);
    const values = results.map(({ shape, dtype }, i) => ({ name: `${name}:${i}`, shape, dtype }));
    this.calls.set(key, values);
    return values;
  }

  /** A call with one result. */
  make(op: string, operands: readonly TfValue[], result: TfType, options?: CallOptions): TfValue {
    return this.call(op, operands, [result], options)[0];
  }

  /** A node with effects, or one that must be there twice; gives back its name. */
  addNode(op: string, inputs: readonly string[], attributes: TfAttributes = {}): string {
    const name = `n${this.nodes.length}`;
    this.nodes.push({ name, op, inputs, attributes });
    return name;
  }

  /** A single number. */
  scalar(number: number, dtype: TfDtype = "float32"): TfValue {
    return { ...this.store([], dtype, arrayOf(dtype, [number])), number };
  }

  /** int32 numbers, as TensorFlow wants axes and shapes. */
  integers(values: readonly number[]): TfValue {
    return this.store([values.length], "int32", Int32Array.from(values));
  }

  /** Any other numbers known beforehand. Short ones are shared by their contents. */
  store(shape: readonly number[], dtype: TfDtype, numbers: Float32Array | Int32Array | Uint8Array): TfValue {
    const key = numbers.length <= 64 ? `${dtype} ${shape} = ${contents(numbers)}` : undefined;
    const known = key === undefined ? undefined : this.stored.get(key);
    if (known) return known;
    const data = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    const name = this.addNode("Const", [], {
      dtype: { type: dtype },
      value: { tensor: { dtype, shape, data } },
    });
    const value = { name: `${name}:0`, shape, dtype };
    if (key !== undefined) this.stored.set(key, value);
    return value;
  }
}

function arrayOf(dtype: TfDtype, values: readonly number[]): Float32Array | Int32Array | Uint8Array {
  if (dtype === "float32") return Float32Array.from(values);
  return dtype === "int32" ? Int32Array.from(values) : Uint8Array.from(values);
}
