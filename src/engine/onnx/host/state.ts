import { sizeOf } from "../../../core/hostTensor";
import type { GraphDtype, GraphInput } from "../../../graph/ir";
import type { AdamWPool } from "../../adamw/pool";
import { arrayTypes, checkArrays, expectEntries, expectNoneEmpty } from "../../arrays";
import type { ArraysByName, TypedArray } from "../../executor";
import type { Int8Weights } from "../int8/weights";
import { type OnnxRuntime, type OnnxTensor, tensorOf } from "../runtime";

/** Where a state entry lives: its numbers, and for an entry that a program writes, where the next ones go. */
interface Entry {
  readonly input: GraphInput;
  /** Undefined until somebody writes it. */
  current?: OnnxTensor;
  next?: OnnxTensor;
}

/**
 * The state of the programs in host memory. Entries of AdamW lie in its memory; other entries that a program writes have
 * two arrays that change places; the rest never changes and stays the caller's array.
 */
export class HostState {
  private readonly entries = new Map<string, Entry>();
  private readonly pooled: ReadonlyMap<string, Float32Array>;
  private readonly runtime: OnnxRuntime;
  private readonly int8: Int8Weights;

  constructor(parts: {
    runtime: OnnxRuntime;
    inputs: readonly GraphInput[];
    written: ReadonlySet<string>;
    pool: AdamWPool;
    int8: Int8Weights;
  }) {
    const { runtime, inputs, written, pool, int8 } = parts;
    this.runtime = runtime;
    this.int8 = int8;

    this.pooled = pool.state();
    const startsAtZero = new Set(pool.slots.flatMap(({ update }) => [update.average, update.squares]));
    for (const input of inputs) {
      const own = this.pooled.get(input.name);
      const next = !own && written.has(input.name) ? tensorOf(runtime, input, newArray(input)) : undefined;
      const current = own && startsAtZero.has(input.name) ? tensorOf(runtime, input, own) : undefined;
      this.entries.set(input.name, { input, current, next });
    }
  }

  /** What a program reads; undefined if there is no such entry or nobody has written it. */
  current(name: string): OnnxTensor | undefined {
    return this.entries.get(name)?.current;
  }

  /** What a model's input is fed: an entry, or what stands for one in eight bits. */
  operand(input: string): OnnxTensor | undefined {
    return this.int8.tensor(input) ?? this.current(input);
  }

  /** Where a program writes an entry's new numbers, if it may. */
  next(name: string): OnnxTensor | undefined {
    return this.entries.get(name)?.next;
  }

  /** What was written becomes what is read. */
  advance(names: readonly string[]): void {
    for (const name of names) {
      const entry = this.entries.get(name)!;
      [entry.current, entry.next] = [entry.next, entry.current];
    }
  }

  /** @throws LuvitError("bad-argument") naming every entry behind these inputs that nobody has written. */
  requireWritten(inputs: readonly string[]): void {
    const empty = inputs.filter((name) => !this.operand(name));
    expectNoneEmpty([...new Set(empty.map((name) => this.int8.entryOf(name) ?? name))]);
  }

  /** @throws LuvitError("bad-argument") naming entries that are none. */
  read(names?: readonly string[]): Record<string, Float32Array> {
    const views = Object.entries(this.view(names));
    return Object.fromEntries(views.map(([name, view]) => [name, view.slice()]));
  }

  /**
   * The arrays themselves where they are float32; of entries in eight bits what these stand for.
   * @throws LuvitError("bad-argument") naming entries that are none.
   */
  view(names: readonly string[] = this.changing()): Record<string, Float32Array> {
    expectEntries(names, this.entries);
    const arrays = names.map((name) => [name, this.current(name)?.data ?? this.int8.read(name)] as const);
    expectNoneEmpty(arrays.filter(([, array]) => !array).map(([name]) => name));
    return Object.fromEntries(
      arrays.map(([name, array]) => [
        name,
        array instanceof Float32Array ? array : Float32Array.from(array as TypedArray),
      ]),
    );
  }

  /** @throws LuvitError("bad-argument") naming entries that are none or do not fit; nothing has changed then. */
  write(values: ArraysByName): void {
    const names = Object.keys(values);
    expectEntries(names, this.entries);
    const entries = names.map((name) => this.entries.get(name)!);
    const inputs = entries.map(({ input }) => input);
    checkArrays("state", inputs, values);
    for (const entry of entries) this.writeEntry(entry, values[entry.input.name]);
  }

  private writeEntry(entry: Entry, array: TypedArray): void {
    const { input } = entry;
    if (this.int8.has(input.name)) {
      this.int8.write(input.name, array as Float32Array);
      return;
    }
    const pooled = this.pooled.get(input.name);
    if (pooled) entry.current ??= tensorOf(this.runtime, input, pooled);
    else if (entry.next) entry.current ??= tensorOf(this.runtime, input, newArray(input));
    else entry.current = tensorOf(this.runtime, input, array);
    const own = entry.current.data as TypedArray;
    if (pooled || entry.next) own.set(array);
  }

  private changing(): string[] {
    const changes = ({ input, next }: Entry) => this.pooled.has(input.name) || next !== undefined;
    return [...this.entries.values()].filter(changes).map(({ input }) => input.name);
  }
}

function newArray({ value }: GraphInput): TypedArray {
  return new arrayTypes[value.dtype satisfies GraphDtype](sizeOf(value.shape));
}
