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

/** The convolution of x with dy, images taken for channels. */
const filterGradient =
  (depthwise: boolean): Rule =>
  (call) => {
    const { ops } = call;
    const [x, dy] = [call.input("x"), call.input("dy")];
    const [filterHeight, filterWidth, channels, given] = call.shape();
    const [rows, columns] = slidingWindows(x.shape, call.shape(), call.node.attributes).map(turned);
    const [batch, height, width] = x.shape;
    const images = ops.transpose(x, [3, 0, 1, 2]);
    const input = depthwise ? ops.reshape(images, [1, channels * batch, height, width]) : images;
    const outputs = depthwise ? channels * given : given;
    const shape = [input.shape[0], outputs, rows.places, columns.places];
    const attributes = { ...windowAttributes([rows, columns]), group: depthwise ? channels : 1 };
    const operands = [input, ops.transpose(dy, [3, 0, 1, 2])];
    const whole = ops.make("Conv", operands, { shape, dtype: x.dtype }, attributes);
    const cut = ops.slice(whole, [0, 0, 0, 0], [input.shape[0], outputs, filterHeight, filterWidth]);
    const perChannel = ops.reshape(cut, [channels, given, filterHeight, filterWidth]);
    return ops.transpose(perChannel, [2, 3, 0, 1]);
  };

/** Convolutions of images [B, H, W, C] with their gradients. */
export const convolutions: Rules = {
  Conv2D: convolution(false),
  Conv2DBackpropFilter: filterGradient(false),
  Conv2DBackpropInput: inputGradient(false, transposedConvolution),
  DepthwiseConv2dNative: convolution(true),
  DepthwiseConv2dNativeBackpropFilter: filterGradient(true),
  DepthwiseConv2dNativeBackpropInput: inputGradient(true, transposedConvolution),
};
