import { stridedSlice } from "../../../graph/shapes/strided";
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
  const begin = [call.attribute<number | readonly number[]>("begin")].flat();
  const starts = call.shape().map((_, axis) => begin[axis] ?? 0);
  return unlessSingle(call, "x", (x) => call.ops.slice(x, starts, call.shape()));
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

function strided(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.input("x");
  const { begin, strides, lengths } = stridedSlice(x.shape, call.node.attributes);
  const ends = begin.map((start, axis) => {
    const end = start + strides[axis] * lengths[axis];
    return end < 0 ? BEFORE_THE_FIRST : end;
  });
  const axes = begin.map((_, axis) => axis);
  const places = [begin, ends, axes, strides].map((values) => ops.integers(values));
  const cut = ops.make("Slice", [x, ...places], { shape: lengths, dtype: x.dtype });
  return ops.reshape(cut, call.shape());
}

/** The edge is repeated ("symmetric") or is the mirror itself ("reflect"). */
function mirrorPad(call: Call): OnnxValue {
  const { ops } = call;
  const edge = call.attribute<string>("mode") === "symmetric" ? 0 : 1;
  const paddings = call.attribute<readonly (readonly [number, number])[]>("paddings");
  return paddings.reduce((x, [before, after], axis) => {
    const length = x.shape[axis];
    const backwards = (from: number, count: number) => {
      const shape = x.shape.map((whole, i) => (i === axis ? count : whole));
      const end = from - count < 0 ? BEFORE_THE_FIRST : from - count;
      const places = [from, end, axis, -1].map((value) => ops.integers([value]));
      return ops.make("Slice", [x, ...places], { shape, dtype: x.dtype });
    };
    const head = before > 0 ? [backwards(before - 1 + edge, before)] : [];
    const tail = after > 0 ? [backwards(length - 1 - edge, after)] : [];
    return ops.concat([...head, x, ...tail], axis);
  }, call.input("x"));
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

const numbers = (call: Call, at: (i: number) => number): OnnxValue => {
  const [length] = call.shape();
  const data = Float32Array.from({ length }, (_, i) => at(i));
  return call.ops.cast(call.ops.store([length], "float32", data), call.node.outputs[0].dtype);
};

function range(call: Call): OnnxValue {
  const [start, step] = [call.attribute<number>("start"), call.attribute<number>("step")];
  return numbers(call, (i) => start + i * step);
}

function linSpace(call: Call): OnnxValue {
  const [start, stop, num] = ["start", "stop", "num"].map((name) => call.attribute<number>(name));
  return numbers(call, (i) => start + (i * (stop - start)) / Math.max(1, num - 1));
}

const uniform = (number: number) => (call: Call) => call.ops.scalar(number, call.node.outputs[0].dtype);

/** Ops that move, repeat, cut and join. */
export const shapes: Rules = {
  Cast: (call) => call.small("x"),
  Concat: (call) => call.ops.concat(call.inputs(), call.axis("axis", call.shape().length)),
  ExpandDims: reshape("input"),
  Fill: (call) => uniform(call.attribute("value"))(call),
  Identity: (call) => call.small("x"),
  LinSpace: linSpace,
  MirrorPad: mirrorPad,
  OnesLike: uniform(1),
  Pack: pack,
  PadV2: pad,
  Range: range,
  Reshape: reshape("x"),
  Reverse: reverse,
  Slice: slice,
  SplitV: split,
  StridedSlice: strided,
  Tile: tile,
  Transpose: (call) => unlessSingle(call, "x", (x) => call.ops.transpose(x, call.attribute("perm"))),
  Unpack: unpack,
  ZerosLike: uniform(0),
};
