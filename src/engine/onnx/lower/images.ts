import { sizeOf } from "../../../core/hostTensor";
import { pairOf, type SlidingWindow, slidingWindows } from "../../../graph/shapes/windows";
import type { OnnxValue } from "./builder";
import type { Call, Rule, Rules } from "./call";
import {
  channelsFirst,
  channelsLast,
  type TransposedConvolution,
  transposedConvolution,
  type Windows,
  windowAttributes,
} from "./convolutions";

const poolWindows = (call: Call, x: readonly number[]): Windows =>
  slidingWindows(x, pairOf(call.attribute("filterSize")), call.node.attributes);

function poolAttributes(windows: Windows) {
  const { pads, strides } = windowAttributes(windows);
  return { pads, strides, kernel_shape: windows.map(({ size }) => size) };
}

const pool =
  (op: string): Rule =>
  (call) => {
    const { ops } = call;
    const x = channelsFirst(ops, call.input("x"));
    const [batch, rows, columns, channels] = call.shape();
    const type = { shape: [batch, channels, rows, columns], dtype: x.dtype };
    const attributes = poolAttributes(poolWindows(call, call.input("x").shape));
    return channelsLast(ops, ops.make(op, [x], type, attributes));
  };

/** Each window's gradient goes to the place its maximum came from. */
function maxPoolGradient(call: Call): OnnxValue {
  const { ops } = call;
  const input = channelsFirst(ops, call.input("input"));
  const dy = channelsFirst(ops, call.input("dy"));
  const results = [input.dtype, "int64" as const].map((dtype) => ({ shape: dy.shape, dtype }));
  const [, places] = ops.call("MaxPool", [input], results, poolAttributes(poolWindows(call, call.shape())));
  const whole = { shape: [sizeOf(input.shape)], dtype: input.dtype };
  const flat = (x: OnnxValue) => ops.reshape(x, [sizeOf(x.shape)]);
  const zeros = ops.make("ConstantOfShape", [ops.integers(whole.shape)], whole);
  const operands = [zeros, flat(places), flat(dy)];
  const sum = ops.make("ScatterElements", operands, whole, { axis: 0, reduction: "add" });
  return channelsLast(ops, ops.reshape(sum, input.shape));
}

/** Each window's gradient in equal parts to the places it covers; those of the padding are not counted. */
export const avgPoolGradient =
  (transposed: TransposedConvolution): Rule =>
  (call) => {
    const { ops } = call;
    const windows = poolWindows(call, call.shape());
    const [rows, columns] = windows.map(coveredPlaces);
    const sizes = Float32Array.from(rows.flatMap((height) => columns.map((width) => height * width)));
    const counts = ops.store([1, 1, rows.length, columns.length], "float32", sizes);
    const share = ops.div(channelsFirst(ops, call.input("dy")), counts);
    const shape = [call.shape()[3], 1, ...windows.map(({ size }) => size)];
    const filter = ops.store(shape, "float32", new Float32Array(sizeOf(shape)).fill(1));
    return channelsLast(ops, transposed(ops, share, filter, windows, shape[0]));
  };

/** Places of the axis itself under each position of a window. */
function coveredPlaces({ length, places, size, stride, before }: SlidingWindow): number[] {
  return Array.from({ length: places }, (_, i) => {
    const start = i * stride - before;
    return Math.min(start + size, length) - Math.max(start, 0);
  });
}

/** How much each of `from` pixels counts in each of `to`, as [to, from]. */
type Weights = (from: number, to: number, call: Call) => Float32Array;

/** Position in a row of `from` pixels of pixel `i` out of `to`. */
function sourceOf(call: Call, from: number, to: number, i: number, center: number): number {
  const isAligned = Boolean(call.attribute("alignCorners")) && to > 1;
  const ratio = isAligned ? (from - 1) / (to - 1) : from / to;
  return call.attribute("halfPixelCenters") ? ratio * (i + 0.5) - center : ratio * i;
}

const bilinear: Weights = (from, to, call) => {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const place = Math.min(Math.max(sourceOf(call, from, to, i, 0.5), 0), from - 1);
    const low = Math.floor(place);
    weights[i * from + low] += 1 - (place - low);
    if (place > low) weights[i * from + low + 1] += place - low;
  }
  return weights;
};

const nearest: Weights = (from, to, call) => {
  const weights = new Float32Array(to * from);
  const round = call.attribute("alignCorners") ? Math.round : Math.floor;
  for (let i = 0; i < to; i++)
    weights[i * from + Math.min(from - 1, round(sourceOf(call, from, to, i, 0)))] = 1;
  return weights;
};

/** Rows, then columns of [B, H, W, C] by products with the weights; the gradient by their transposes. */
function resample(
  call: Call,
  x: OnnxValue,
  size: readonly number[],
  weightsOf: Weights,
  isGradient: boolean,
): OnnxValue {
  const { ops } = call;
  const [batch, height, width, channels] = x.shape;
  const weights = (from: number, to: number) => {
    if (!isGradient) return ops.store([to, from], "float32", weightsOf(from, to, call));
    return ops.transpose(ops.store([from, to], "float32", weightsOf(to, from, call)), [1, 0]);
  };
  const times = (matrix: OnnxValue, y: OnnxValue) => {
    const shape = [y.shape[0], matrix.shape[0], y.shape[2]];
    return ops.make("MatMul", [matrix, y], { shape, dtype: "float32" });
  };
  const rows = times(weights(height, size[0]), ops.reshape(x, [batch, height, width * channels]));
  const columns = times(weights(width, size[1]), ops.reshape(rows, [batch * size[0], width, channels]));
  return ops.reshape(columns, [batch, size[0], size[1], channels]);
}

const resize =
  (weights: Weights): Rule =>
  (call) =>
    resample(call, call.ops.cast(call.input("images"), "float32"), call.attribute("size"), weights, false);

const resizeGradient =
  (weights: Weights): Rule =>
  (call) =>
    resample(call, call.input("dy"), call.shape().slice(1, 3), weights, true);

function depthToSpace(call: Call): OnnxValue {
  const { ops } = call;
  const [batch, height, width, channels] = call.shape();
  const type = { shape: [batch, channels, height, width], dtype: call.input("x").dtype };
  const attributes = { blocksize: call.attribute<number>("blockSize"), mode: "DCR" };
  return channelsLast(ops, ops.make("DepthToSpace", [channelsFirst(ops, call.input("x"))], type, attributes));
}

/** Pooling and resampling of images [B, H, W, C] with their gradients. */
export const images: Rules = {
  AvgPool: pool("AveragePool"),
  AvgPoolGrad: avgPoolGradient(transposedConvolution),
  DepthToSpace: depthToSpace,
  MaxPool: pool("MaxPool"),
  MaxPoolGrad: maxPoolGradient,
  ResizeBilinear: resize(bilinear),
  ResizeBilinearGrad: resizeGradient(bilinear),
  ResizeNearestNeighbor: resize(nearest),
  ResizeNearestNeighborGrad: resizeGradient(nearest),
};
