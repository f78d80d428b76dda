import type { GraphInput } from "../../graph/ir";
import { addFeed, type FeedPlace } from "./feeds";
import type { TfDtype } from "./graphDef";
import { type TfValue, waitFor } from "./lower/builder";
import type { TfOps } from "./lower/ops";

/** A state entry as a TensorFlow variable. */
export interface Variable {
  readonly input: GraphInput;
  /** Element type it is kept in. */
  readonly dtype: TfDtype;
  /** The resource. */
  readonly handle: string;
  /** To be fetched to read it. */
  readonly read: string;
}

/** Adds a resource that lives as long as the session. */
export function addHandle(ops: TfOps, name: string, dtype: TfDtype, shape: readonly number[]): string {
  const attributes = {
    dtype: { type: dtype },
    shape: { shape },
    shared_name: { text: name },
    container: { text: "" },
  } as const;
  return `${ops.addNode("VarHandleOp", [], attributes)}:0`;
}

export function addRead(
  ops: TfOps,
  handle: string,
  { dtype, shape }: Pick<TfValue, "dtype" | "shape">,
): TfValue {
  const node = ops.addNode("ReadVariableOp", [handle], { dtype: { type: dtype } });
  return { name: `${node}:0`, shape, dtype };
}

/** Adds a node that replaces a variable's numbers; gives back what waits for it. */
export function addAssignment(
  ops: TfOps,
  handle: string,
  value: TfValue,
  after: readonly string[] = [],
): string {
  const attributes = { dtype: { type: value.dtype } };
  return waitFor(ops.addNode("AssignVariableOp", [handle, value.name, ...after], attributes));
}

/** Something to fetch that is there when everything it waits for has happened. */
export function addToken(ops: TfOps, after: readonly string[]): string {
  const one = ops.scalar(1, "int32");
  return `${ops.addNode("Identity", [one.name, ...after], { T: { type: one.dtype } })}:0`;
}

/** Adds a state entry. */
export function addVariable(ops: TfOps, input: GraphInput, dtype: TfDtype): Variable {
  const { shape, dtype: outer } = input.value;
  const handle = addHandle(ops, input.name, dtype, shape);
  return { input, dtype, handle, read: ops.cast(addRead(ops, handle, { shape, dtype }), outer).name };
}

/** What sets variables to zero. */
export interface Zeroing {
  /** Names of the variables. */
  readonly names: ReadonlySet<string>;
  /** Fed with 0: a zero known beforehand would be written out into the graph. */
  readonly zero: FeedPlace;
  /** To be fetched. */
  readonly done: string;
}

export function addZeroing(ops: TfOps, variables: readonly Variable[]): Zeroing {
  const zero = addFeed(ops, "float32", []);
  const set = variables.map(({ input: { value }, dtype, handle }) =>
    addAssignment(ops, handle, ops.expand(ops.cast(zero.value, dtype), value.shape)),
  );
  const names = new Set(variables.map(({ input }) => input.name));
  return { names, zero: zero.place, done: addToken(ops, set) };
}
