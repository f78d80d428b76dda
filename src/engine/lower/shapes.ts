import type { SharedCall, SharedRules } from "./call";
import { isSingle, type Value } from "./ops";

const dtypeOf = <V extends Value>({ node }: SharedCall<V>): V["dtype"] => node.outputs[0].dtype;

/** Ops that only rename places leave a single number alone. */
export function unlessSingle<V extends Value>(call: SharedCall<V>, name: string, otherwise: (x: V) => V): V {
  const stored = call.scope.stored(call.id(name));
  return isSingle(stored) ? call.ops.reshape(call.small(name), []) : otherwise(call.moved(name));
}

function reshape<V extends Value>(call: SharedCall<V>, name: string): V {
  return unlessSingle(call, name, (x) => call.ops.reshape(x, call.shape()));
}

function slice<V extends Value>(call: SharedCall<V>): V {
  const begin = [call.attribute<number | readonly number[]>("begin")].flat();
  const starts = call.shape().map((_, axis) => begin[axis] ?? 0);
  return unlessSingle(call, "x", (x) => call.ops.slice(x, starts, call.shape()));
}

function pack<V extends Value>(call: SharedCall<V>): V {
  const axis = call.axis("axis", call.shape().length);
  const parts = call
    .inputs()
    .map((x) => call.ops.reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]));
  return call.ops.concat(parts, axis);
}

function unpack<V extends Value>(call: SharedCall<V>): V[] {
  const x = call.input("value");
  const axis = call.axis("axis", x.shape.length);
  const parts = call.ops.split(x, Array(x.shape[axis]).fill(1), axis);
  return parts.map((part) => call.ops.reshape(part, call.shape()));
}

function split<V extends Value>(call: SharedCall<V>): V[] {
  const x = call.moved("x");
  const axis = call.axis("axis", x.shape.length);
  const lengths = call.node.outputs.map(({ shape }) => shape[axis]);
  return call.ops.split(x, lengths, axis);
}

function numbers<V extends Value>(call: SharedCall<V>, at: (i: number) => number): V {
  const [length] = call.shape();
  const data = Float32Array.from({ length }, (_, i) => at(i));
  return call.ops.cast(call.ops.store([length], "float32", data), dtypeOf(call));
}

function range<V extends Value>(call: SharedCall<V>): V {
  const [start, step] = [call.attribute<number>("start"), call.attribute<number>("step")];
  return numbers(call, (i) => start + i * step);
}

function linSpace<V extends Value>(call: SharedCall<V>): V {
  const [start, stop, num] = ["start", "stop", "num"].map((name) => call.attribute<number>(name));
  return numbers(call, (i) => start + (i * (stop - start)) / Math.max(1, num - 1));
}

function uniform<V extends Value>(call: SharedCall<V>, number: number): V {
  return call.ops.scalar(number, dtypeOf(call));
}

/** Ops that move, cut and join, and those whose result is known beforehand. */
export const shapes: SharedRules = {
  /** The scope brings the result to the element type the trace says. */
  Cast: (call) => call.small("x"),
  Concat: (call) => call.ops.concat(call.inputs(), call.axis("axis", call.shape().length)),
  ExpandDims: (call) => reshape(call, "input"),
  Fill: (call) => uniform(call, call.attribute("value")),
  Identity: (call) => call.small("x"),
  LinSpace: linSpace,
  OnesLike: (call) => uniform(call, 1),
  Pack: pack,
  Range: range,
  Reshape: (call) => reshape(call, "x"),
  Slice: slice,
  SplitV: split,
  Transpose: (call) => unlessSingle(call, "x", (x) => call.ops.transpose(x, call.attribute("perm"))),
  Unpack: unpack,
  ZerosLike: (call) => uniform(call, 0),
};
