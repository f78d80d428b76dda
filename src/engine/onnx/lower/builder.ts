import { contents } from "../../lower";
import { halfBits } from "../half";
import type { OnnxAttributes, OnnxDtype, OnnxInitializer, OnnxNode } from "../model";

/** A value of the ONNX graph under construction. */
export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: OnnxDtype;
  /** The number it holds, where that is known and the same everywhere. */
  readonly number?: number;
}

export type OnnxType = Pick<OnnxValue, "shape" | "dtype">;

/** Collects nodes and numbers. A call written twice is made once; a number written twice is stored once. */
export class OnnxBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxInitializer>();
  private readonly calls = new Map<string, OnnxValue[]>();
  private readonly stored = new Map<string, OnnxValue>();
  private names = 0;

  /** One operator call with any number of results. An operand that is undefined is left out. */
  call(
    op: string,
    operands: readonly (OnnxValue | undefined)[],
    results: readonly OnnxType[],
    attributes: OnnxAttributes = {},
    domain = "",
  ): OnnxValue[] {
    const inputs = operands.map((value) => value?.name ?? "");
    const key = JSON.stringify([op, domain, inputs, attributes]);
    const known = this.calls.get(key);
    if (known && known.length >= results.length) return known;
    const values = results.map(({ shape, dtype }) => ({ name: this.freshName(), shape, dtype }));
    this.nodes.push({ op, domain, inputs, outputs: values.map(({ name }) => name), attributes });
    this.calls.set(key, values);
    return values;
  }

  /** A call with one result. */
  make(
    op: string,
    operands: readonly (OnnxValue | undefined)[],
    result: OnnxType,
    attributes: OnnxAttributes = {},
    domain = "",
  ): OnnxValue {
    return this.call(op, operands, [result], attributes, domain)[0];
  }

  /** A single number of any element type. */
  scalar(number: number, dtype: OnnxDtype = "float32"): OnnxValue {
    return { ...this.store([], dtype, arrayOf(dtype, [number])), number };
  }

  /** int64 numbers, as ONNX wants axes, shapes and indices. */
  integers(values: readonly number[]): OnnxValue {
    return this.store([values.length], "int64", arrayOf("int64", values));
  }

  /** Any other numbers known beforehand. Short ones are shared by their contents. */
  store(shape: readonly number[], dtype: OnnxDtype, data: OnnxInitializer["data"]): OnnxValue {
    const key = data.length <= 64 ? `${dtype} ${shape} = ${contents(data)}` : undefined;
    const known = key === undefined ? undefined : this.stored.get(key);
    if (known) return known;
    const value = { name: `#${this.initializers.size}`, shape, dtype };
    this.initializers.set(value.name, { ...value, data });
    if (key !== undefined) this.stored.set(key, value);
    return value;
  }

  private freshName(): string {
    return `%${this.names++}`;
  }
}

function arrayOf(dtype: OnnxDtype, values: readonly number[]): OnnxInitializer["data"] {
  if (dtype === "float32") return Float32Array.from(values);
  if (dtype === "int32") return Int32Array.from(values);
  if (dtype === "int64") return BigInt64Array.from(values, BigInt);
  if (dtype === "float16") return Uint16Array.from(values, halfBits);
  return Uint8Array.from(values);
}
