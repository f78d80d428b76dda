import { LuvitError, listOffenders } from "../../core/errors";
import { sizeOf } from "../../core/hostTensor";
import type { GraphDtype, GraphInput } from "../../graph/ir";
import type { AdamWPool } from "../adamw/pool";
import type { ArraysByName, TypedArray } from "../executor";
import type { OnnxRuntime, OnnxTensor } from "./runtime";

const arrayTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** Where a state entry lives: its numbers, and for an entry the graph writes, where the next ones go. */
interface Entry {
  readonly input: GraphInput;
  current: OnnxTensor;
  next?: OnnxTensor;
}

/** A tensor over an array of the right element type; the array is not copied where it has it already. */
export function tensorOf(runtime: OnnxRuntime, { value }: GraphInput, array: TypedArray): OnnxTensor {
  const typed = arrayTypes[value.dtype];
  return new runtime.Tensor(value.dtype, array instanceof typed ? array : typed.from(array), value.shape);
}

/** Every array whose length is not that of the entry, and every entry without an array, in one error. */
export function checkArrays(what: string, entries: readonly GraphInput[], arrays: ArraysByName): void {
  const problems = entries.flatMap(({ name, value }) => {
    const [found, expected] = [arrays[name]?.length, sizeOf(value.shape)];
    if (found === undefined) return [`missing: ${name} [${value.shape.join(", ")}]`];
    return found === expected
      ? []
      : [`${name}: ${found} numbers, expected ${expected} = [${value.shape.join(", ")}]`];
  });
  if (problems.length === 0) return;
  throw new LuvitError("bad-argument", `${what}: ${problems.length} entries\n${listOffenders(problems)}`);
}

/**
 * The state of a graph in host memory. Entries of AdamW lie in its memory; other entries that the graph writes have two
 * arrays that change places; the rest never changes and stays the caller's array.
 */
export class GraphState {
  private readonly entries = new Map<string, Entry>();
  private readonly pooled: ReadonlyMap<string, Float32Array>;

  constructor(
    private readonly runtime: OnnxRuntime,
    inputs: readonly GraphInput[],
    written: ReadonlySet<string>,
    initial: ArraysByName,
    pool: AdamWPool,
  ) {
    this.pooled = pool.state();
    const startsAtZero = new Set(pool.slots.flatMap(({ update }) => [update.average, update.squares]));
    const given = inputs.filter(({ name }) => name in initial || !startsAtZero.has(name));
    checkArrays("initial state", given, initial);
    for (const input of inputs) {
      this.entries.set(input.name, this.makeEntry(input, initial[input.name], written.has(input.name)));
    }
  }

  private makeEntry(input: GraphInput, initial: TypedArray | undefined, isWritten: boolean): Entry {
    const pooled = this.pooled.get(input.name);
    if (pooled) {
      if (initial) pooled.set(initial);
      return { input, current: tensorOf(this.runtime, input, pooled) };
    }
    if (!isWritten) return { input, current: tensorOf(this.runtime, input, initial!) };
    const [current, next] = [arrayFor(input, initial), arrayFor(input)];
    return {
      input,
      current: tensorOf(this.runtime, input, current),
      next: tensorOf(this.runtime, input, next),
    };
  }

  /** What the graph reads. */
  current(name: string): OnnxTensor | undefined {
    return this.entries.get(name)?.current;
  }

  /** Entries the graph writes, and where. */
  next(): Map<string, OnnxTensor> {
    const written = [...this.entries].filter(([, { next }]) => next);
    return new Map(written.map(([name, { next }]) => [name, next!]));
  }

  /** What was written becomes what is read. */
  advance(): void {
    for (const entry of this.entries.values()) {
      if (entry.next) [entry.current, entry.next] = [entry.next, entry.current];
    }
  }

  /** @throws LuvitError("bad-argument") naming entries that are none. */
  read(names: readonly string[] = this.changing()): Record<string, Float32Array> {
    this.refuseUnknown(names);
    return Object.fromEntries(
      names.map((name) => [name, Float32Array.from(this.entries.get(name)!.current.data as TypedArray)]),
    );
  }

  /** @throws LuvitError("bad-argument") naming entries that are none or do not fit; nothing has changed then. */
  write(values: ArraysByName): void {
    const names = Object.keys(values);
    this.refuseUnknown(names);
    const entries = names.map((name) => this.entries.get(name)!);
    checkArrays(
      "state",
      entries.map(({ input }) => input),
      values,
    );
    for (const entry of entries) {
      const array = values[entry.input.name];
      const isOurs = entry.next !== undefined || this.pooled.has(entry.input.name);
      if (isOurs) (entry.current.data as TypedArray).set(array);
      else entry.current = tensorOf(this.runtime, entry.input, array);
    }
  }

  private changing(): string[] {
    return [...this.entries.keys()].filter(
      (name) => this.pooled.has(name) || this.entries.get(name)!.next !== undefined,
    );
  }

  private refuseUnknown(names: readonly string[]): void {
    const unknown = names.filter((name) => !this.entries.has(name));
    if (unknown.length === 0) return;
    throw new LuvitError("bad-argument", `state: no such entries\n${listOffenders(unknown)}`);
  }
}

function arrayFor({ value }: GraphInput, initial?: TypedArray): TypedArray {
  const array = new arrayTypes[value.dtype satisfies GraphDtype](sizeOf(value.shape));
  if (initial) array.set(initial);
  return array;
}
