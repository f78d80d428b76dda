import { sizeOf } from "../../core/hostTensor";
import { positiveAxes, positiveAxis, type ShapeRule, type ShapeRules, type ValueInfo } from "./rule";
import { stridedSlice } from "./strided";

const reshaped = (x: ValueInfo, shape: readonly number[]) => {
  const known = shape.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const full = shape.map((length) => (length === -1 ? sizeOf(x.shape) / known : length));
  if (!full.every(Number.isInteger) || sizeOf(full) !== sizeOf(x.shape))
    throw new Error(`[${x.shape}] does not fill [${shape}]`);
  return { shape: full, dtype: x.dtype };
};

const reshape: ShapeRule = ({ inputs: { x }, attributes: { shape } }) => {
  const output = reshaped(x, shape as number[]);
  return { outputs: [output], attributes: { shape: output.shape } };
};

const expandDims: ShapeRule = ({ inputs: { input }, attributes: { dim } }) => {
  const axis = positiveAxis(dim as number, input.shape.length + 1);
  const shape = [...input.shape.slice(0, axis), 1, ...input.shape.slice(axis)];
  return { outputs: [{ shape, dtype: input.dtype }], attributes: { dim: axis } };
};

const transpose: ShapeRule = ({ inputs: { x }, attributes }) => {
  const perm = (attributes.perm as number[] | undefined) ?? x.shape.map((_, i) => x.shape.length - 1 - i);
  return { outputs: [{ shape: perm.map((axis) => x.shape[axis]), dtype: x.dtype }], attributes: { perm } };
};

const slice: ShapeRule = ({ inputs: { x }, attributes }) => {
  const begin = [attributes.begin as number | number[]].flat();
  const asked = [attributes.size as number | number[]].flat();
  const start = x.shape.map((_, i) => begin[i] ?? 0);
  const size = x.shape.map((length, i) => ((asked[i] ?? -1) === -1 ? length - start[i] : asked[i]));
  if (size.some((length, i) => length < 0 || start[i] < 0 || start[i] + length > x.shape[i])) {
    throw new Error(`begin [${start}] and size [${size}] leave [${x.shape}]`);
  }
  return { outputs: [{ shape: size, dtype: x.dtype }], attributes: { begin: start, size } };
};

const pad: ShapeRule = ({ inputs: { x }, attributes }) => {
  const paddings = attributes.paddings as [number, number][];
  const shape = x.shape.map((length, i) => paddings[i][0] + length + paddings[i][1]);
  return { outputs: [{ shape, dtype: x.dtype }] };
};

const mirrorPad: ShapeRule = (call) => {
  const { paddings, mode } = call.attributes as { paddings: [number, number][]; mode: string };
  const { shape } = call.inputs.x;
  const room = (length: number) => (mode === "reflect" ? length - 1 : length);
  if (paddings.some((pair, i) => Math.max(...pair) > room(shape[i]))) {
    throw new Error(`[${shape}] is too small to mirror [${paddings.join("; ")}]`);
  }
  return pad(call);
};

const strided: ShapeRule = ({ inputs: { x }, attributes }) => ({
  outputs: [{ shape: stridedSlice(x.shape, attributes).shape, dtype: x.dtype }],
});

const concat: ShapeRule = ({ list, attributes }) => {
  const [first] = list;
  const axis = positiveAxis((attributes.axis as number | undefined) ?? 0, first.shape.length);
  const rest = (x: ValueInfo) => x.shape.filter((_, i) => i !== axis).join();
  if (list.some((x) => rest(x) !== rest(first))) {
    throw new Error(`${list.map((x) => `[${x.shape}]`).join(", ")} differ off axis ${axis}`);
  }
  const length = list.reduce((sum, x) => sum + x.shape[axis], 0);
  const shape = first.shape.map((old, i) => (i === axis ? length : old));
  return { outputs: [{ shape, dtype: first.dtype }], attributes: { axis } };
};

const split: ShapeRule = ({ inputs: { x }, attributes }) => {
  const axis = positiveAxis((attributes.axis as number | undefined) ?? 0, x.shape.length);
  const asked = attributes.numOrSizeSplits as number | number[];
  const total = x.shape[axis];
  const known = [asked].flat().reduce((sum, length) => sum + Math.max(length, 0), 0);
  const sizes =
    typeof asked === "number"
      ? Array.from({ length: asked }, () => total / asked)
      : asked.map((length) => (length === -1 ? total - known : length));
  if (
    !sizes.every((size) => Number.isInteger(size) && size >= 0) ||
    sizes.reduce((a, b) => a + b, 0) !== total
  ) {
    throw new Error(`${asked} does not divide axis ${axis} of [${x.shape}]`);
  }
  const outputs = sizes.map((size) => ({
    shape: x.shape.map((length, i) => (i === axis ? size : length)),
    dtype: x.dtype,
  }));
  return { outputs, attributes: { numOrSizeSplits: sizes, axis } };
};

const tile: ShapeRule = ({ inputs: { x }, attributes: { reps } }) => ({
  outputs: [{ shape: x.shape.map((length, i) => length * (reps as number[])[i]), dtype: x.dtype }],
});

const pack: ShapeRule = ({ list, attributes }) => {
  const [first] = list;
  const axis = positiveAxis((attributes.axis as number | undefined) ?? 0, first.shape.length + 1);
  const shape = [...first.shape.slice(0, axis), list.length, ...first.shape.slice(axis)];
  return { outputs: [{ shape, dtype: first.dtype }], attributes: { axis } };
};

const unpack: ShapeRule = ({ inputs: { value }, attributes }) => {
  const axis = positiveAxis((attributes.axis as number | undefined) ?? 0, value.shape.length);
  const shape = value.shape.filter((_, i) => i !== axis);
  const outputs = Array.from({ length: value.shape[axis] }, () => ({ shape, dtype: value.dtype }));
  return { outputs, attributes: { axis } };
};

const reverse: ShapeRule = ({ inputs: { x }, attributes: { dims } }) => ({
  outputs: [{ shape: x.shape, dtype: x.dtype }],
  attributes: { dims: positiveAxes(dims, x.shape.length) },
});

/** Kernels that move numbers without changing them. */
export const structureRules: ShapeRules = {
  Concat: concat,
  ExpandDims: expandDims,
  MirrorPad: mirrorPad,
  Pack: pack,
  PadV2: pad,
  Reshape: reshape,
  Reverse: reverse,
  Slice: slice,
  SplitV: split,
  StridedSlice: strided,
  Tile: tile,
  Transpose: transpose,
  Unpack: unpack,
};
