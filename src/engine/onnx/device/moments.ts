import { sizeOf } from "../../../core/hostTensor";
import type { GraphInput } from "../../../graph/ir";
import type { TypedArray } from "../../executor";
import type { OnnxTensor } from "../runtime";
import type { Chunk } from "./chunks";
import type { Transfer } from "./transfer";

/** Where one entry lies in a chunk's array. */
interface Place {
  readonly array: MomentArray;
  readonly start: number;
  readonly size: number;
}

/** One kind of moment of a chunk. What is written piece by piece waits here until all of it, or a run, needs it there. */
class MomentArray {
  tensor: OnnxTensor | undefined;
  staged: Float32Array | undefined;
  /** Numbers of `staged` that were written since it was fetched. */
  private written = 0;
  private readonly input: GraphInput;

  constructor(
    private readonly transfer: Transfer,
    private readonly size: number,
  ) {
    this.input = { name: "moments", value: { id: 0, shape: [size], dtype: "float32" } };
  }

  async read(): Promise<Float32Array> {
    return this.staged ?? ((await this.transfer.down("float32", this.tensor!)) as Float32Array);
  }

  async write(start: number, values: TypedArray): Promise<void> {
    this.staged ??= this.tensor ? Float32Array.from(await this.read()) : new Float32Array(this.size);
    this.staged.set(values, start);
    this.written += values.length;
    if (this.written >= this.size) await this.settle();
  }

  /** Brings what waits to the device; moments that nobody has written are zeros. */
  async settle(): Promise<void> {
    if (this.tensor && !this.staged) return;
    const { staged } = this;
    this.replace(await (staged ? this.transfer.up(this.input, staged) : this.transfer.zeros(this.size)));
  }

  replace(tensor: OnnxTensor): void {
    this.tensor?.dispose();
    this.tensor = tensor;
    this.staged = undefined;
    this.written = 0;
  }
}

/** Averages and squares of two chunks: entries are asked for in their order, and chunks follow it. */
const MOST_FETCHED = 4;

/** AdamW's moments of all chunks, as state entries by name. */
export class Moments {
  private readonly places = new Map<string, Place>();
  /** Chunks that came down last. */
  private fetched: { tensor: OnnxTensor; numbers: Float32Array }[] = [];
  private readonly arrays = new Map<Chunk, Record<"average" | "squares", MomentArray>>();

  constructor(transfer: Transfer, chunks: readonly Chunk[]) {
    for (const chunk of chunks) {
      const average = new MomentArray(transfer, chunk.size);
      const squares = new MomentArray(transfer, chunk.size);
      this.arrays.set(chunk, { average, squares });
      for (const [i, update] of chunk.updates.entries()) {
        const [start, size] = [chunk.starts[i], sizeOf(update.shape)];
        this.places.set(update.average, { array: average, start, size });
        this.places.set(update.squares, { array: squares, start, size });
      }
    }
  }

  has(entry: string): boolean {
    return this.places.has(entry);
  }

  /** Copies of entries; each chunk comes down once, the last few are kept for those who ask piece by piece. */
  async read(entries: readonly string[]): Promise<Map<string, Float32Array>> {
    const arrays = new Map<MomentArray, string[]>();
    for (const entry of entries) {
      const { array } = this.places.get(entry)!;
      arrays.set(array, [...(arrays.get(array) ?? []), entry]);
    }
    const found = new Map<string, Float32Array>();
    for (const [array, names] of arrays) {
      const numbers = await this.fetch(array);
      for (const name of names) {
        const { start, size } = this.places.get(name)!;
        found.set(name, numbers.slice(start, start + size));
      }
    }
    return found;
  }

  private async fetch(array: MomentArray): Promise<Float32Array> {
    await array.settle();
    const known = this.fetched.find(({ tensor }) => tensor === array.tensor);
    if (known) return known.numbers;
    const numbers = await array.read();
    this.fetched = [...this.fetched.slice(1 - MOST_FETCHED), { tensor: array.tensor!, numbers }];
    return numbers;
  }

  async write(entry: string, values: TypedArray): Promise<void> {
    const { array, start } = this.places.get(entry)!;
    await array.write(start, values);
  }

  /** Both arrays of a chunk, on the device. */
  async of(chunk: Chunk): Promise<Record<"average" | "squares", OnnxTensor>> {
    const { average, squares } = this.arrays.get(chunk)!;
    await average.settle();
    await squares.settle();
    return { average: average.tensor!, squares: squares.tensor! };
  }

  replace(chunk: Chunk, average: OnnxTensor, squares: OnnxTensor): void {
    this.fetched = [];
    const arrays = this.arrays.get(chunk)!;
    arrays.average.replace(average);
    arrays.squares.replace(squares);
  }

  dispose(): void {
    this.fetched = [];
    for (const { average, squares } of this.arrays.values())
      for (const array of [average, squares]) array.tensor?.dispose();
  }
}
