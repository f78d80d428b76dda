import type { GraphInput } from "../../../graph/ir";
import type { OnnxValueInfo } from "../model";
import type { OnnxRuntime, OnnxTensor } from "../runtime";
import { dequantizeWeight, type Int8Weight, quantizeWeight } from "./weight";

/** The inputs of a model that stand for one entry. */
export interface Int8Inputs {
  readonly rows: OnnxValueInfo;
  readonly columns: OnnxValueInfo;
  readonly scales: OnnxValueInfo;
}

/** What a model is fed instead of an entry [out, in]. */
export function int8Inputs({ name, value }: GraphInput): Int8Inputs {
  const [outputs, inputs] = value.shape;
  return {
    rows: { name: `${name} int8`, shape: [outputs, inputs], dtype: "int8" },
    columns: { name: `${name} int8 transposed`, shape: [inputs, outputs], dtype: "int8" },
    scales: { name: `${name} int8 scales`, shape: [outputs], dtype: "float32" },
  };
}

/** State entries kept in eight bits, and nothing else of them. */
export class Int8Weights {
  private readonly weights = new Map<string, Int8Weight>();
  private readonly tensors = new Map<string, OnnxTensor>();
  private readonly inputs: ReadonlyMap<string, Int8Inputs>;
  /** Entries by the inputs that stand for them. */
  private readonly owners: ReadonlyMap<string, string>;

  constructor(
    private readonly runtime: OnnxRuntime,
    entries: readonly GraphInput[],
    /** Inputs that the models have; of others there need be no array. */
    private readonly needed: ReadonlySet<string>,
  ) {
    this.inputs = new Map(entries.map((entry) => [entry.name, int8Inputs(entry)]));
    const owners = [...this.inputs].flatMap(([entry, { rows, columns, scales }]) =>
      [rows, columns, scales].map(({ name }) => [name, entry] as const),
    );
    this.owners = new Map(owners);
  }

  has(entry: string): boolean {
    return this.inputs.has(entry);
  }

  write(entry: string, values: Float32Array): void {
    const { rows, columns, scales } = this.inputs.get(entry)!;
    const wanted = { rows: this.needed.has(rows.name), columns: this.needed.has(columns.name) };
    if (!wanted.rows) wanted.columns = true;
    const weight = quantizeWeight(values, scales.shape[0], wanted);
    this.weights.set(entry, weight);
    const { Tensor } = this.runtime;
    this.tensors.set(scales.name, new Tensor("float32", weight.scales, scales.shape));
    if (weight.rows) this.tensors.set(rows.name, new Tensor("int8", weight.rows, rows.shape));
    if (weight.columns) this.tensors.set(columns.name, new Tensor("int8", weight.columns, columns.shape));
  }

  /** An entry as its integers stand for it, or undefined before it was written. */
  read(entry: string): Float32Array | undefined {
    const weight = this.weights.get(entry);
    return weight && dequantizeWeight(weight);
  }

  /** What a model's input is fed; undefined before it was written. */
  tensor(input: string): OnnxTensor | undefined {
    return this.tensors.get(input);
  }

  /** The entry that a model's input stands for, if it does for one. */
  entryOf(input: string): string | undefined {
    return this.owners.get(input);
  }
}
