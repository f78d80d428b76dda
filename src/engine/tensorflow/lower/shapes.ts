import { stridedSlice } from "../../../graph/shapes/strided";
import { isSingle, type TfValue, waitFor } from "./builder";
import type { Call, Rules } from "./call";
import { typed } from "./ops";

/** Ops that only rename places leave a single number alone. */
function unlessSingle(call: Call, name: string, otherwise: (x: TfValue) => TfValue): TfValue {
  const small = call.small(name);
  return isSingle(small) ? call.ops.reshape(small, []) : otherwise(call.input(name));
}

const reshape = (name: string) => (call: Call) =>
  unlessSingle(call, name, (x) => call.ops.reshape(x, call.shape()));

function tile(call: Call): TfValue {
  const reps = call.attribute<readonly number[]>("reps");
  return unlessSingle(call, "x", (x) => {
    if (reps.every((times, axis) => times === 1 || x.shape[axis] === 1)) return x; // broadcasts where it is used
    const operands = [x, call.ops.integers(reps)];
    return call.ops.make("Tile", operands, { shape: call.shape(), dtype: x.dtype }, typed(x, "Tmultiples"));
  });
}

function slice(call: Call): TfValue {
  const begin = [call.attribute<number | readonly number[]>("begin")].flat();
  const starts = call.shape().map((_, axis) => begin[axis] ?? 0);
  return unlessSingle(call, "x", (x) => call.ops.slice(x, starts, call.shape()));
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

function pack(call: Call): TfValue {
  const parts = call.inputs();
  const [{ dtype }] = parts;
  const axis = call.axis("axis", call.shape().length);
  const attributes = { T: { type: dtype }, N: { integer: parts.length }, axis: { integer: axis } };
  return call.ops.make("Pack", parts, { shape: call.shape(), dtype }, { attributes });
}

function unpack(call: Call): TfValue[] {
  const x = call.input("value");
  const axis = call.axis("axis", x.shape.length);
  const attributes = { T: { type: x.dtype }, num: { integer: x.shape[axis] }, axis: { integer: axis } };
  const results = call.node.outputs.map(({ shape }) => ({ shape, dtype: x.dtype }));
  return call.ops.call("Unpack", [x], results, { attributes });
}

function split(call: Call): TfValue[] {
  const x = call.input("x");
  const axis = call.axis("axis", x.shape.length);
  const lengths = call.node.outputs.map(({ shape }) => shape[axis]);
  return call.ops.split(x, lengths, axis);
}

/** x as it is, but not before the signal is there. */
function after(call: Call): TfValue {
  const { name, shape, dtype } = call.input("x");
  const wait = waitFor(call.input("signal").name);
  const node = call.ops.addNode("Identity", [name, wait], { T: { type: dtype } });
  return { name: `${node}:0`, shape, dtype };
}

const numbers = (call: Call, at: (i: number) => number): TfValue => {
  const [length] = call.shape();
  const data = Float32Array.from({ length }, (_, i) => at(i));
  return call.ops.cast(call.ops.store([length], "float32", data), call.node.outputs[0].dtype);
};

function range(call: Call): TfValue {
  const [start, step] = [call.attribute<number>("start"), call.attribute<number>("step")];
  return numbers(call, (i) => start + i * step);
}

function linSpace(call: Call): TfValue {
  const [start, stop, num] = ["start", "stop", "num"].map((name) => call.attribute<number>(name));
  return numbers(call, (i) => start + (i * (stop - start)) / Math.max(1, num - 1));
}

const uniform = (number: number) => (call: Call) => {
  const { dtype } = call.node.outputs[0];
  return call.ops.scalar(number, dtype);
};

/** Ops that move, repeat, cut and join. */
export const shapes: Rules = {
  /** The scope brings the result to the element type the trace says. */
  Cast: (call) => call.small("x"),
  Concat: (call) => call.ops.concat(call.inputs(), call.axis("axis", call.shape().length)),
  ExpandDims: reshape("input"),
  Fill: (call) => uniform(call.attribute("value"))(call),
  Identity: (call) => call.small("x"),
  LinSpace: linSpace,
  LuvitAfter: after,
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
