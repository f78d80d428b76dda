import { sizeOf } from "../../../core/hostTensor";
import { type SlidingWindow, slidingWindows } from "../../../graph/shapes/windows";
import type { OnnxValue } from "./builder";
import type { Rule, Rules } from "./call";
import type { OnnxOps } from "./ops";

/** Along the height and the width. */
export type Windows = readonly [SlidingWindow, SlidingWindow];

export const channelsFirst = (ops: OnnxOps, x: OnnxValue) => ops.transpose(x, [0, 3, 1, 2]);
export const channelsLast = (ops: OnnxOps, x: OnnxValue) => ops.transpose(x, [0, 2, 3, 1]);

/** How windows move, as ONNX writes it. */
export const windowAttributes = (windows: Windows) => ({
  pads: [...windows.map(({ before }) => before), ...windows.map(({ after }) => after)],
  strides: windows.map(({ stride }) => stride),
  dilations: windows.map(({ dilation }) => dilation),
});

/** A filter [kh, kw, I, O] as ONNX has it: [O, I, kh, kw]; one per channel [kh, kw, C, M] becomes [C*M, 1, kh, kw]. */
function onnxFilter(ops: OnnxOps, filter: OnnxValue, depthwise: boolean): OnnxValue {
  if (!depthwise) return ops.transpose(filter, [3, 2, 0, 1]);
  const [height, width, channels, multiplier] = filter.shape;
  return ops.reshape(ops.transpose(filter, [2, 3, 0, 1]), [channels * multiplier, 1, height, width]);
}

const convolution =
  (depthwise: boolean): Rule =>
  (call) => {
    const { ops } = call;
    const [x, filter] = [call.input("x"), call.input("filter")];
    const windows = slidingWindows(x.shape, filter.shape, call.node.attributes);
    const [batch, rows, columns, channels] = call.shape();
    const attributes = { ...windowAttributes(windows), group: depthwise ? x.shape[3] : 1 };
    const operands = [channelsFirst(ops, x), onnxFilter(ops, filter, depthwise)];
    const type = { shape: [batch, channels, rows, columns], dtype: x.dtype };
    return channelsLast(ops, ops.make("Conv", operands, type, attributes));
  };

/** dy [B, I, h, w] and a filter [I, O / group, kh, kw] -> [B, O, H, W]. */
export type TransposedConvolution = (
  ops: OnnxOps,
  dy: OnnxValue,
  filter: OnnxValue,
  windows: Windows,
  group: number,
) => OnnxValue;

/** Rows and columns that no window reached are added at the end. */
export const transposedConvolution: TransposedConvolution = (ops, dy, filter, windows, group) => {
  const unreached = ({ length, places, size, stride, dilation, before, after }: SlidingWindow) =>
    length + before + after - ((places - 1) * stride + (size - 1) * dilation + 1);
  const attributes = { ...windowAttributes(windows), group, output_padding: windows.map(unreached) };
  const shape = [dy.shape[0], filter.shape[1] * group, ...windows.map(({ length }) => length)];
  return ops.make("ConvTranspose", [dy, filter], { shape, dtype: dy.dtype }, attributes);
};

export const inputGradient =
  (depthwise: boolean, transposed: TransposedConvolution): Rule =>
  (call) => {
    const { ops } = call;
    const [dy, filter] = [call.input("dy"), call.input("filter")];
    const windows = slidingWindows(call.shape(), filter.shape, call.node.attributes);
    const weights = onnxFilter(ops, filter, depthwise);
    const group = depthwise ? call.shape()[3] : 1;
    return channelsLast(ops, transposed(ops, channelsFirst(ops, dy), weights, windows, group));
  };

/** The window that dy is when x is convolved with it: what were strides are dilations now. */
function turned({ length, places, stride, dilation, before, after }: SlidingWindow): SlidingWindow {
  const reach = (places - 1) * stride + 1;
  const turnedPlaces = Math.floor((length + before + after - reach) / dilation) + 1;
  return { length, places: turnedPlaces, size: places, stride: dilation, dilation: stride, before, after };
}

/** Numbers of what windows see that are laid side by side for one product: 4 MB. */
const MOST_SEEN = 2 ** 20;

/** x [.., .., H, W] with the zeros that its windows reach beyond its edges. */
function withPadding(ops: OnnxOps, x: OnnxValue, windows: Windows): OnnxValue {
  if (windows.every(({ before, after }) => before === 0 && after === 0)) return x;
  const [first, second, ...sides] = x.shape;
  const shape = [first, second, ...windows.map(({ before, after }, i) => before + sides[i] + after)];
  const pads = [0, 0, ...windows.map(({ before }) => before), 0, 0, ...windows.map(({ after }) => after)];
  return ops.make("Pad", [x, ops.integers(pads)], { shape, dtype: x.dtype });
}

/** Every pixel of x [I, B, H, W], with its padding, that one place of the filter sees: [I, B h w]. */
function seenBy(ops: OnnxOps, padded: OnnxValue, windows: Windows, place: readonly number[]): OnnxValue {
  const starts = windows.map(({ dilation }, i) => place[i] * dilation);
  const reached = windows.map(({ stride, places }) => (places - 1) * stride + 1);
  const [inputs, batch] = padded.shape;
  const near = ops.slice(padded, [0, 0, ...starts], [inputs, batch, ...reached]);
  const seen = windows.reduce(
    (x, { stride, places }, i) => ops.sliceAlong(x, { axis: 2 + i, start: 0, step: stride, length: places }),
    near,
  );
  return ops.reshape(seen, [seen.shape[0], sizeOf(seen.shape.slice(1))]);
}

/**
 * What each place of the filter sees times dy, as many places at once as memory allows. The same as a convolution of x with
 * dy as its filter takes four times as long: a product with as many columns as the filter has places is a narrow one.
 */
const filterGradient: Rule = (call) => {
  const { ops } = call;
  const [x, dy] = [call.input("x"), call.input("dy")];
  const [height, width, channels, outputs] = call.shape();
  const windows = slidingWindows(x.shape, call.shape(), call.node.attributes);
  const padded = withPadding(ops, ops.transpose(x, [3, 0, 1, 2]), windows);
  const upstream = ops.rows(dy);
  const places = Array.from({ length: height * width }, (_, i) => [Math.floor(i / width), i % width]);
  const atOnce = Math.max(1, Math.floor(MOST_SEEN / (channels * upstream.shape[0])));
  const products: OnnxValue[] = [];
  for (let first = 0; first < places.length; first += atOnce) {
    const group = places.slice(first, first + atOnce).map((place) => seenBy(ops, padded, windows, place));
    const type = { shape: [group.length * channels, outputs], dtype: x.dtype };
    products.push(ops.make("Gemm", [ops.concat(group, 0), upstream], type));
  }
  return ops.reshape(ops.concat(products, 0), call.shape());
};

/** Per channel: the convolution of x with dy, images taken for channels. */
const channelFilterGradient: Rule = (call) => {
  const { ops } = call;
  const [x, dy] = [call.input("x"), call.input("dy")];
  const [filterHeight, filterWidth, channels, multiplier] = call.shape();
  const [rows, columns] = slidingWindows(x.shape, call.shape(), call.node.attributes).map(turned);
  const [batch, height, width] = x.shape;
  const [inputs, outputs] = [channels * batch, channels * multiplier];
  const input = ops.reshape(ops.transpose(x, [3, 0, 1, 2]), [1, inputs, height, width]);
  const type = { shape: [1, outputs, rows.places, columns.places], dtype: x.dtype };
  const attributes = { ...windowAttributes([rows, columns]), group: channels };
  const whole = ops.make("Conv", [input, ops.transpose(dy, [3, 0, 1, 2])], type, attributes);
  const cut = ops.slice(whole, [0, 0, 0, 0], [1, outputs, filterHeight, filterWidth]);
  const perChannel = ops.reshape(cut, [channels, multiplier, filterHeight, filterWidth]);
  return ops.transpose(perChannel, [2, 3, 0, 1]);
};

/** Convolutions of images [B, H, W, C] with their gradients. */
export const convolutions: Rules = {
  Conv2D: convolution(false),
  Conv2DBackpropFilter: filterGradient,
  Conv2DBackpropInput: inputGradient(false, transposedConvolution),
  DepthwiseConv2dNative: convolution(true),
  DepthwiseConv2dNativeBackpropFilter: channelFilterGradient,
  DepthwiseConv2dNativeBackpropInput: inputGradient(true, transposedConvolution),
};
