import { stridedSlice } from "../../../graph/shapes/strided";
import { unlessSingle } from "../../lower";
import type { OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

function tile(call: Call): OnnxValue {
  const reps = call.attribute<readonly number[]>("reps");
  return unlessSingle(call, "x", (x) => {
    if (reps.every((times, axis) => times === 1 || x.shape[axis] === 1)) return x; // broadcasts where it is used
    const operands = [x, call.ops.integers(reps)];
    return call.ops.make("Tile", operands, { shape: call.shape(), dtype: x.dtype });
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

/** Ops that repeat, pad, reverse and cut with steps. */
export const shapes: Rules = {
  MirrorPad: mirrorPad,
  PadV2: pad,
  Reverse: reverse,
  StridedSlice: strided,
  Tile: tile,
};
