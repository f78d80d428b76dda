import { pairOf, type SlidingWindow, slidingWindows } from "../../../graph/shapes/windows";
import type { TfAttributes } from "../graphDef";
import type { TfValue } from "./builder";
import type { Call, Rule, Rules } from "./call";
import { padded, paddedShape, unpadded, type Windows, windowAttributes } from "./convolutions";

const poolWindows = (call: Call, x: readonly number[]): Windows =>
  slidingWindows(x, pairOf(call.attribute("filterSize")), call.node.attributes);

const poolAttributes = (windows: Windows): TfAttributes => ({
  ...windowAttributes(windows, "float32"),
  ksize: { integers: [1, ...windows.map(({ size }) => size), 1] },
});

/** Below every number that a maximum is taken of. */
const LOWEST = -3.4028234663852886e38;

function maxPool(call: Call): TfValue {
  const x = call.input("x");
  const windows = poolWindows(call, x.shape);
  const options = { attributes: poolAttributes(windows) };
  return call.ops.make("MaxPool", [padded(call, x, windows, LOWEST)], { ...x, shape: call.shape() }, options);
}

/** Each window's gradient goes to the place its maximum came from. */
function maxPoolGradient(call: Call): TfValue {
  const dy = call.input("dy");
  const windows = poolWindows(call, call.shape());
  const options = { attributes: poolAttributes(windows) };
  const input = padded(call, call.input("input"), windows, LOWEST);
  const pooled = call.ops.make("MaxPool", [input], dy, options);
  return unpadded(call, call.ops.make("MaxPoolGrad", [input, pooled, dy], input, options), windows);
}

/** TensorFlow divides by the size of the window; places of the padding are not to be counted. [1, rows, columns, 1]. */
function sizeToCount(call: Call, windows: Windows): TfValue {
  const [rows, columns] = windows.map(coveredPlaces);
  const size = windows[0].size * windows[1].size;
  const ratios = Float32Array.from(rows.flatMap((height) => columns.map((width) => size / (height * width))));
  return call.ops.store([1, rows.length, columns.length, 1], "float32", ratios);
}

/** Places of the axis itself under each position of a window. */
function coveredPlaces({ length, places, size, stride, before }: SlidingWindow): number[] {
  return Array.from({ length: places }, (_, i) => {
    const start = i * stride - before;
    return Math.min(start + size, length) - Math.max(start, 0);
  });
}

function avgPool(call: Call): TfValue {
  const x = call.input("x");
  const windows = poolWindows(call, x.shape);
  const options = { attributes: poolAttributes(windows) };
  const type = { ...x, shape: call.shape() };
  const mean = call.ops.make("AvgPool", [padded(call, x, windows)], type, options);
  return call.ops.mul(mean, sizeToCount(call, windows));
}

function avgPoolGradient(call: Call): TfValue {
  const { ops } = call;
  const windows = poolWindows(call, call.shape());
  const dy = ops.mul(call.input("dy"), sizeToCount(call, windows));
  const shape = paddedShape(call.shape(), windows);
  const options = { attributes: poolAttributes(windows) };
  return unpadded(
    call,
    ops.make("AvgPoolGrad", [ops.integers(shape), dy], { ...dy, shape }, options),
    windows,
  );
}

const resizeAttributes = (call: Call): TfAttributes => ({
  T: { type: "float32" },
  align_corners: { flag: Boolean(call.attribute("alignCorners")) },
  half_pixel_centers: { flag: Boolean(call.attribute("halfPixelCenters")) },
});

const resize =
  (op: string): Rule =>
  (call) => {
    const images = call.ops.cast(call.input("images"), "float32");
    const size = call.ops.integers(call.shape().slice(1, 3));
    return call.ops.make(
      op,
      [images, size],
      { ...images, shape: call.shape() },
      { attributes: resizeAttributes(call) },
    );
  };

function bilinearGradient(call: Call): TfValue {
  const [dy, images] = [call.input("dy"), call.input("images")];
  return call.ops.make("ResizeBilinearGrad", [dy, images], images, { attributes: resizeAttributes(call) });
}

function nearestGradient(call: Call): TfValue {
  const dy = call.input("dy");
  const operands = [dy, call.ops.integers(call.shape().slice(1, 3))];
  const options = { attributes: resizeAttributes(call) };
  return call.ops.make("ResizeNearestNeighborGrad", operands, { ...dy, shape: call.shape() }, options);
}

function depthToSpace(call: Call): TfValue {
  const x = call.input("x");
  const attributes = {
    T: { type: x.dtype },
    block_size: { integer: call.attribute<number>("blockSize") },
    data_format: { text: "NHWC" },
  };
  return call.ops.make("DepthToSpace", [x], { ...x, shape: call.shape() }, { attributes });
}

/** Pooling and resampling of images [B, H, W, C] with their gradients. */
export const images: Rules = {
  AvgPool: avgPool,
  AvgPoolGrad: avgPoolGradient,
  DepthToSpace: depthToSpace,
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
  ResizeBilinear: resize("ResizeBilinear"),
  ResizeBilinearGrad: bilinearGradient,
  ResizeNearestNeighbor: resize("ResizeNearestNeighbor"),
  ResizeNearestNeighborGrad: nearestGradient,
};
