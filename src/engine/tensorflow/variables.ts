import type { GraphInput } from "../../graph/ir";
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
  /** Fed with new numbers, in the entry's own element type. */
  readonly source: string;
  /** To be fetched to write what is fed, to set zeros, to read. */
  readonly written: string;
  readonly zeroed: string;
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

/** Adds a state entry. `zero` is fed with 0: a zero known beforehand would be written out into the graph. */
export function addVariable(ops: TfOps, input: GraphInput, dtype: TfDtype, zero: TfValue): Variable {
  const { shape, dtype: outer } = input.value;
  const handle = addHandle(ops, input.name, dtype, shape);
  const source = ops.addNode("Placeholder", [], { dtype: { type: outer }, shape: { shape } });
  const fed: TfValue = { name: `${source}:0`, shape, dtype: outer };
  // What is fed may be JavaScript's memory, which a variable must not keep.
  const own =
    dtype === outer
      ? ops.make("DeepCopy", [fed], fed, { attributes: { T: { type: outer } } })
      : ops.cast(fed, dtype);
  const zeros = ops.expand(ops.cast(zero, dtype), shape);
  return {
    input,
    dtype,
    handle,
    source: fed.name,
    written: addToken(ops, [addAssignment(ops, handle, own)]),
    zeroed: addToken(ops, [addAssignment(ops, handle, zeros)]),
    read: ops.cast(addRead(ops, handle, { shape, dtype }), outer).name,
  };
}
