import { stridedSlice } from "../../../graph/shapes/strided";
import { unlessSingle } from "../../lower";
import { type TfValue, waitFor } from "./builder";
import type { Call, Rules } from "./call";
import { typed } from "./ops";

function tile(call: Call): TfValue {
  const reps = call.attribute<readonly number[]>("reps");
  return unlessSingle(call, "x", (x) => {
    if (reps.every((times, axis) => times === 1 || x.shape[axis] === 1)) return x; // broadcasts where it is used
    const operands = [x, call.ops.integers(reps)];
    return call.ops.make("Tile", operands, { shape: call.shape(), dtype: x.dtype }, typed(x, "Tmultiples"));
  });
}

function strided(call: Call): TfValue {
  const x = call.input("x");
  const { begin, strides, lengths } = stridedSlice(x.shape, call.node.attributes);
  return call.ops.reshape(call.ops.stridedSlice(x, begin, strides, lengths), call.shape());
}

function reverse(call: Call): TfValue {
  const x = call.input("x");
  const axes = call.axes("dims", x.shape.length);
  return axes.length === 0
    ? x
    : call.ops.make("ReverseV2", [x, call.ops.integers(axes)], x, typed(x, "Tidx"));
}

function pad(call: Call): TfValue {
  const paddings = call.attribute<readonly (readonly [number, number])[]>("paddings");
  return call.ops.pad(call.input("x"), paddings, call.attribute<number | undefined>("constantValue") ?? 0);
}

/** The edge is repeated ("symmetric") or is the mirror itself ("reflect"). */
function mirrorPad(call: Call): TfValue {
  const x = call.input("x");
  const paddings = call.attribute<readonly (readonly [number, number])[]>("paddings");
  const places = call.ops.store([paddings.length, 2], "int32", Int32Array.from(paddings.flat()));
  const mode = { text: call.attribute<string>("mode").toUpperCase() };
  const { attributes } = typed(x, "Tpaddings");
  const type = { shape: call.shape(), dtype: x.dtype };
  return call.ops.make("MirrorPad", [x, places], type, { attributes: { ...attributes, mode } });
}

/** x as it is, but not before the signal is there. */
function after(call: Call): TfValue {
  const { name, shape, dtype } = call.moved("x");
  const wait = waitFor(call.moved("signal").name);
  const node = call.ops.addNode("Identity", [name, wait], { T: { type: dtype } });
  return { name: `${node}:0`, shape, dtype };
}

/** Ops that repeat, pad, reverse and cut with steps. */
export const shapes: Rules = {
  LuvitAfter: after,
  MirrorPad: mirrorPad,
  PadV2: pad,
  Reverse: reverse,
  StridedSlice: strided,
  Tile: tile,
};
