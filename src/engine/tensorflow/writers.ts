import type { GraphDtype } from "../../graph/ir";
import type { TypedArray } from "../executor";
import { addFeed, type FeedPlace } from "./feeds";
import type { TfValue } from "./lower/builder";
import type { TfOps } from "./lower/ops";
import type { TfSession } from "./session";
import { addAssignment, addToken, type Variable } from "./variables";

/** Writes one variable of several in a run. */
export interface Writer {
  /** Fed with the variable's number among them. */
  readonly which: FeedPlace;
  /** Fed with its new numbers. */
  readonly source: FeedPlace;
  /** To be fetched. */
  readonly written: string;
}

/** A variable's writer and its number there. */
export interface WriterPlace {
  readonly writer: Writer;
  readonly number: number;
}

/** What is prepared for a run grows faster than the number of its nodes. */
const MOST_VARIABLES = 256;

/**
 * Adds what writes variables, by name. TensorFlow prepares a graph of its own for everything that is fetched, which takes
 * longer than most writes; so which variable is written is not fetched but fed.
 */
export function addWriters(ops: TfOps, variables: readonly Variable[]): Map<string, WriterPlace> {
  const places = new Map<string, WriterPlace>();
  for (const dtype of new Set(variables.map(({ input }) => input.value.dtype))) {
    const alike = variables.filter(({ input }) => input.value.dtype === dtype);
    for (let first = 0; first < alike.length; first += MOST_VARIABLES) {
      const group = alike.slice(first, first + MOST_VARIABLES);
      const writer = addWriter(ops, group, dtype);
      for (const [number, { input }] of group.entries()) places.set(input.name, { writer, number });
    }
  }
  return places;
}

/** Gives a variable new numbers. */
export function writeVariable(
  session: TfSession,
  { writer, number }: WriterPlace,
  shape: readonly number[],
  array: TypedArray,
): void {
  const which = { place: writer.which, shape: [], array: Int32Array.of(number) };
  session.run([which, { place: writer.source, shape, array }], [writer.written]);
}

function addWriter(ops: TfOps, variables: readonly Variable[], dtype: GraphDtype): Writer {
  const [which, source] = [addFeed(ops, "int32", []), addFeed(ops, dtype)];
  const N = variables.length;
  const attributes = { T: { type: dtype }, num_outs: { integer: N } } as const;
  const types = variables.map(({ input }) => input.value);
  // Of its results only that with the fed number is there, and only what waits for that one happens.
  const fed = ops.call("_SwitchN", [source.value, which.value], types, { attributes });
  const written = variables.map(({ handle, dtype: inner }, i) => {
    return addToken(ops, [addAssignment(ops, handle, own(ops, fed[i], inner))]);
  });
  const merged = ops.addNode("Merge", written, { T: { type: "int32" }, N: { integer: N } });
  return { which: which.place, source: source.place, written: `${merged}:0` };
}

/** What is fed may be JavaScript's memory, which a variable must not keep. */
function own(ops: TfOps, fed: TfValue, dtype: TfValue["dtype"]): TfValue {
  if (dtype !== fed.dtype) return ops.cast(fed, dtype);
  return ops.make("DeepCopy", [fed], fed, { attributes: { T: { type: dtype } } });
}
