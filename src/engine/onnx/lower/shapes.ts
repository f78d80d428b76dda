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

function reverse(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.input("x");
  const axes = call.axes("dims", x.shape.length);
  return axes.reduce(
    (y, axis) => ops.sliceAlong(y, { axis, start: y.shape[axis] - 1, step: -1, length: y.shape[axis] }),
    x,
  );
}

function strided(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.input("x");
  const { begin, strides, lengths } = stridedSlice(x.shape, call.node.attributes);
  const cut = begin.reduce(
    (y, start, axis) => ops.sliceAlong(y, { axis, start, step: strides[axis], length: lengths[axis] }),
    x,
  );
  return ops.reshape(cut, call.shape());
}

/** The edge is repeated ("symmetric") or is the mirror itself ("reflect"). */
function mirrorPad(call: Call): OnnxValue {
  const { ops } = call;
  const edge = call.attribute<string>("mode") === "symmetric" ? 0 : 1;
  const paddings = call.attribute<readonly (readonly [number, number])[]>("paddings");
  return paddings.reduce((x, [before, after], axis) => {
    const length = x.shape[axis];
    const backwards = (start: number, count: number) =>
      ops.sliceAlong(x, { axis, start, step: -1, length: count });
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
