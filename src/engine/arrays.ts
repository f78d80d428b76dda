import { LuvitError, listOffenders } from "../core/errors";
import { sizeOf } from "../core/hostTensor";
import type { GraphInput } from "../graph/ir";
import type { ArraysByName } from "./executor";

/** The array that holds numbers of an element type. */
export const arrayTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

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

/** @throws LuvitError("bad-argument") naming those that are no state entries. */
export function expectEntries(names: readonly string[], entries: ReadonlyMap<string, unknown>): void {
  const unknown = names.filter((name) => !entries.has(name));
  if (unknown.length === 0) return;
  throw new LuvitError("bad-argument", `state: no such entries\n${listOffenders(unknown)}`);
}

/** @throws LuvitError("bad-argument") naming results to fetch that a graph does not have. */
export function expectOutputs(fetch: readonly string[], isKnown: (name: string) => boolean): void {
  const unknown = fetch.filter((name) => !isKnown(name));
  if (unknown.length === 0) return;
  throw new LuvitError("bad-argument", `fetch: the graph has no output ${unknown.join(", ")}`);
}

/** @throws LuvitError("bad-argument") naming entries that nobody has written; none is good. */
export function expectNoneEmpty(empty: readonly string[]): void {
  if (empty.length === 0) return;
  throw new LuvitError("bad-argument", `state: not written yet\n${listOffenders(empty)}`);
}
