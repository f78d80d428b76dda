import { type SlidingWindow, slidingWindows } from "../../../graph/shapes/windows";
import type { TfAttributes } from "../graphDef";
import type { TfValue } from "./builder";
import type { Call, Rule, Rules } from "./call";

/** Along the height and the width. */
export type Windows = readonly [SlidingWindow, SlidingWindow];

/** What ops over windows take; padding and dilation are written out around them. */
export const windowAttributes = (windows: Windows, dtype: TfValue["dtype"]): TfAttributes => ({
  T: { type: dtype },
  strides: { integers: [1, ...windows.map(({ stride }) => stride), 1] },
  padding: { text: "VALID" },
  data_format: { text: "NHWC" },
});

/** x [B, H, W, C] with what its windows reach beyond its edges. */
export function padded({ ops }: Call, x: TfValue, windows: Windows, filling = 0): TfValue {
  return ops.pad(
    x,
    [[0, 0], ...windows.map(({ before, after }) => [before, after] as const), [0, 0]],
    filling,
  );
}

/** x without what was padded. */
export function unpadded({ ops }: Call, x: TfValue, windows: Windows): TfValue {
  const [batch, , , channels] = x.shape;
  const starts = [0, ...windows.map(({ before }) => before), 0];
  return ops.slice(x, starts, [batch, ...windows.map(({ length }) => length), channels]);
}

export const paddedShape = ([batch, , , channels]: readonly number[], windows: Windows): number[] => [
  batch,
  ...windows.map(({ length, before, after }) => before + length + after),
  channels,
];

/** Places from a dilated window's first number to its last. */
const reach = ({ size, dilation }: SlidingWindow) => (size - 1) * dilation + 1;

/** A filter [kh, kw, I, O] with zeros between its numbers: TensorFlow has no gradients of dilated windows on the CPU. */
function dilated({ ops }: Call, filter: TfValue, windows: Windows): TfValue {
  if (windows.every(({ dilation }) => dilation === 1)) return filter;
  const [height, width, ...channels] = filter.shape;
  const [down, across] = windows.map(({ dilation }) => dilation);
  const apart = ops.reshape(filter, [height, 1, width, 1, ...channels]);
  const none = [0, 0] as const;
  const filled = ops.pad(apart, [none, [0, down - 1], none, [0, across - 1], none, none], 0);
  const whole = ops.reshape(filled, [height * down, width * across, ...channels]);
  return ops.slice(whole, [0, 0, 0, 0], [...windows.map(reach), ...channels]);
}

function attributesOf(call: Call, windows: Windows, depthwise: boolean): TfAttributes {
  const [down, across] = windows.map(({ stride }) => stride);
  if (depthwise && down !== across) call.refuse(`a stride of ${down} down and ${across} across`);
  return windowAttributes(windows, "float32");
}

const nameOf = (depthwise: boolean) => (depthwise ? "DepthwiseConv2dNative" : "Conv2D");

const convolution =
  (depthwise: boolean): Rule =>
  (call) => {
    const [x, filter] = [call.input("x"), call.input("filter")];
    const windows = slidingWindows(x.shape, filter.shape, call.node.attributes);
    const attributes = attributesOf(call, windows, depthwise);
    const operands = [padded(call, x, windows), dilated(call, filter, windows)];
    const type = { shape: call.shape(), dtype: x.dtype };
    return call.ops.make(nameOf(depthwise), operands, type, { attributes });
  };

const inputGradient =
  (depthwise: boolean): Rule =>
  (call) => {
    const [dy, filter] = [call.input("dy"), call.input("filter")];
    const windows = slidingWindows(call.shape(), filter.shape, call.node.attributes);
    const attributes = attributesOf(call, windows, depthwise);
    const shape = paddedShape(call.shape(), windows);
    const operands = [call.ops.integers(shape), dilated(call, filter, windows), dy];
    const op = `${nameOf(depthwise)}BackpropInput`;
    return unpadded(call, call.ops.make(op, operands, { shape, dtype: dy.dtype }, { attributes }), windows);
  };

/**
 * x with its padding. TensorFlow 2.21 writes past its memory in the filter gradient of single places further apart than
 * one (seen with glibc's heap checks), so those places are taken out beforehand.
 */
function seenPlaces(call: Call, x: TfValue, windows: Windows): { x: TfValue; windows: Windows } {
  const whole = padded(call, x, windows);
  const single = windows.every((window) => reach(window) === 1);
  if (!single || windows.every(({ stride }) => stride === 1)) return { x: whole, windows };
  const [down, across] = windows;
  const shape = [x.shape[0], down.places, across.places, x.shape[3]];
  const places = call.ops.stridedSlice(whole, [0, 0, 0, 0], [1, down.stride, across.stride, 1], shape);
  return {
    x: places,
    windows: [
      { ...down, stride: 1 },
      { ...across, stride: 1 },
    ],
  };
}

const filterGradient =
  (depthwise: boolean): Rule =>
  (call) => {
    const { ops } = call;
    const [x, dy] = [call.input("x"), call.input("dy")];
    const seen = seenPlaces(call, x, slidingWindows(x.shape, call.shape(), call.node.attributes));
    const { windows } = seen;
    const attributes = attributesOf(call, windows, depthwise);
    const shape = [...windows.map(reach), ...call.shape().slice(2)];
    const operands = [seen.x, ops.integers(shape), dy];
    const op = `${nameOf(depthwise)}BackpropFilter`;
    const whole = ops.make(op, operands, { shape, dtype: dy.dtype }, { attributes });
    const steps = [...windows.map(({ dilation }) => dilation), 1, 1];
    return ops.stridedSlice(whole, [0, 0, 0, 0], steps, call.shape());
  };

/** Convolutions of images [B, H, W, C] with their gradients. */
export const convolutions: Rules = {
  Conv2D: convolution(false),
  Conv2DBackpropFilter: filterGradient(false),
  Conv2DBackpropInput: inputGradient(false),
  DepthwiseConv2dNative: convolution(true),
  DepthwiseConv2dNativeBackpropFilter: filterGradient(true),
  DepthwiseConv2dNativeBackpropInput: inputGradient(true),
};
