import type { SlidingWindow } from "../../../../graph/shapes/windows";
import type { OnnxValue } from "../builder";
import { type TransposedConvolution, windowAttributes } from "../convolutions";
import type { OnnxOps } from "../ops";

/** `x` with stride - 1 zeros between the places of one axis. */
function spread(ops: OnnxOps, x: OnnxValue, axis: number, stride: number): OnnxValue {
  if (stride === 1) return x;
  const length = x.shape[axis];
  const [outer, inner] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const apart = ops.reshape(x, [...outer, length, 1, ...inner]);
  const wide = [...outer, length, stride, ...inner];
  const pads = [...wide.map(() => 0), ...wide.map((_, i) => (i === axis + 1 ? stride - 1 : 0))];
  const zeros = ops.make("Pad", [apart, ops.integers(pads)], { shape: wide, dtype: x.dtype });
  const whole = ops.reshape(zeros, [...outer, length * stride, ...inner]);
  return ops.sliceAlong(whole, { axis, start: 0, step: 1, length: (length - 1) * stride + 1 });
}

const backwards = (length: number) => Array.from({ length }, (_, i) => length - 1 - i);

/**
 * The transposed convolution as a convolution of what is spread out with the filter turned round. onnxruntime 1.30's own
 * kernel gives wrong numbers for groups of several channels on WebGPU.
 */
export const spreadConvolution: TransposedConvolution = (ops, dy, filter, windows, group) => {
  const [inputs, outputs, height, width] = filter.shape;
  const grouped = ops.reshape(filter, [group, inputs / group, outputs, height, width]);
  const perGroup = ops.transpose(grouped, [0, 2, 1, 3, 4]);
  const weights = ops.reshape(perGroup, [group * outputs, inputs / group, height, width]);
  const turned = ops.gather(ops.gather(weights, backwards(height), 2), backwards(width), 3);
  const wide = windows.reduce((x, { stride }, i) => spread(ops, x, 2 + i, stride), dy);
  const edges = windows.map(({ length, size, dilation, before }: SlidingWindow, i) => {
    const reach = dilation * (size - 1);
    return { before: reach - before, after: length + before - wide.shape[2 + i] };
  });
  const pads = [...edges.map((edge) => edge.before), ...edges.map((edge) => edge.after)];
  const attributes = { ...windowAttributes(windows), pads, strides: [1, 1], group };
  const shape = [dy.shape[0], group * outputs, ...windows.map(({ length }) => length)];
  return ops.make("Conv", [wide, turned], { shape, dtype: dy.dtype }, attributes);
};
