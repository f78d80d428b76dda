import { isSingle, type OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

/** Ops that only rename places leave a single number alone. */
function unlessSingle(call: Call, name: string, otherwise: (x: OnnxValue) => OnnxValue): OnnxValue {
  const small = call.small(name);
  return isSingle(small) ? call.ops.reshape(small, []) : otherwise(call.input(name));
}

const reshape = (name: string) => (call: Call) =>
  unlessSingle(call, name, (x) => call.ops.reshape(x, call.shape()));

function tile(call: Call): OnnxValue {
  const reps = call.attribute<readonly number[]>("reps");
  return unlessSingle(call, "x", (x) => {
    if (reps.every((times, axis) => times === 1 || x.shape[axis] === 1)) return x; // broadcasts where it is used
    const operands = [x, call.ops.integers(reps)];
    return call.ops.make("Tile", operands, { shape: call.shape(), dtype: x.dtype });
  });
}

function slice(call: Call): OnnxValue {
  const { ops } = call;
  const shape = call.shape();
  const rank = shape.length;
  const begin = [call.attribute<number | readonly number[]>("begin")].flat();
  return unlessSingle(call, "x", (x) => {
    const axes = Array.from({ length: rank }, (_, axis) => axis).filter(
      (axis) => shape[axis] !== x.shape[axis],
    );
    if (axes.length === 0) return x;
    const starts = axes.map((axis) => begin[axis] ?? 0);
    const ends = axes.map((axis, i) => starts[i] + shape[axis]);
    const operands = [x, ops.integers(starts), ops.integers(ends), ops.integers(axes)];
    return ops.make("Slice", operands, { shape, dtype: x.dtype });
  });
}

/** Below every index: the end of a slice that runs backwards through the first element. */
const BEFORE_THE_FIRST = -(2 ** 31);

function reverse(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.input("x");
  const axes = call.axes("dims", x.shape.length);
  if (axes.length === 0) return x;
  const all = (value: number) => ops.integers(axes.map(() => value));
  return ops.make("Slice", [x, all(-1), all(BEFORE_THE_FIRST), ops.integers(axes), all(-1)], x);
}

function pad(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.input("x");
  const paddings = call.attribute<readonly (readonly [number, number])[]>("paddings");
  const pads = [...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)];
  const filling = ops.scalar(call.attribute<number | undefined>("constantValue") ?? 0, x.dtype);
  return ops.make("Pad", [x, ops.integers(pads), filling], { shape: call.shape(), dtype: x.dtype });
}

function pack(call: Call): OnnxValue {
  const axis = call.axis("axis", call.shape().length);
  const parts = call.inputs().map((x) => {
    const shape = [...x.shape];
    shape.splice(axis, 0, 1);
    return call.ops.reshape(x, shape);
  });
  return call.ops.concat(parts, axis);
}

function unpack(call: Call): OnnxValue[] {
  const x = call.input("value");
  const axis = call.axis("axis", x.shape.length);
  const parts = call.ops.split(x, Array(x.shape[axis]).fill(1), axis);
  return parts.map((part) => call.ops.reshape(part, call.shape()));
}

function split(call: Call): OnnxValue[] {
  const x = call.input("x");
  const axis = call.axis("axis", x.shape.length);
  const lengths = call.node.outputs.map(({ shape }) => shape[axis]);
  return call.ops.split(x, lengths, axis);
}

const uniform = (number: number) => (call: Call) => call.ops.scalar(number, call.node.outputs[0].dtype);

/** Ops that move, repeat, cut and join. */
export const shapes: Rules = {
  Cast: (call) => call.small("x"),
  Concat: (call) => call.ops.concat(call.inputs(), call.axis("axis", call.shape().length)),
  ExpandDims: reshape("input"),
  Fill: (call) => uniform(call.attribute("value"))(call),
  Identity: (call) => call.small("x"),
  OnesLike: uniform(1),
  Pack: pack,
  PadV2: pad,
  Reshape: reshape("x"),
  Reverse: reverse,
  Slice: slice,
  SplitV: split,
  Tile: tile,
  Transpose: (call) => unlessSingle(call, "x", (x) => call.ops.transpose(x, call.attribute("perm"))),
  Unpack: unpack,
  ZerosLike: uniform(0),
};
