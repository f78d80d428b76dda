import type { ShapeRule, ShapeRules, ValueInfo } from "./rule";
import { pairOf, slidingWindows } from "./windows";

const like = ({ dtype }: ValueInfo, shape: readonly number[]) => ({ outputs: [{ shape, dtype }] });

const convolution =
  (depthwise: boolean): ShapeRule =>
  ({ inputs: { x, filter }, attributes }) => {
    const [batch, , , channels] = x.shape;
    const [, , taken, given] = filter.shape;
    if (channels !== taken) {
      throw new Error(`[${x.shape}] has ${channels} channels, the filter [${filter.shape}] takes ${taken}`);
    }
    const [rows, columns] = slidingWindows(x.shape, filter.shape, attributes);
    return like(x, [batch, rows.places, columns.places, depthwise ? channels * given : given]);
  };

const inputGradient: ShapeRule = ({ inputs: { dy }, attributes }) =>
  like(dy, attributes.inputShape as number[]);
const filterGradient: ShapeRule = ({ inputs: { dy }, attributes }) =>
  like(dy, attributes.filterShape as number[]);

const pool: ShapeRule = ({ inputs: { x }, attributes }) => {
  const [rows, columns] = slidingWindows(x.shape, pairOf(attributes.filterSize), attributes);
  return like(x, [x.shape[0], rows.places, columns.places, x.shape[3]]);
};
const poolGradient: ShapeRule = ({ inputs: { input } }) => like(input, input.shape);

const resize: ShapeRule = ({ inputs: { images }, attributes: { size } }) => {
  const [batch, , , channels] = images.shape;
  return { outputs: [{ shape: [batch, ...(size as [number, number]), channels], dtype: "float32" }] };
};
const resizeGradient: ShapeRule = ({ inputs: { images } }) => like(images, images.shape);

const depthToSpace: ShapeRule = ({ inputs: { x }, attributes }) => {
  const block = attributes.blockSize as number;
  const [batch, height, width, channels] = x.shape;
  const depth = channels / block ** 2;
  if (!Number.isInteger(depth))
    throw new Error(`${channels} channels do not make blocks of ${block} x ${block}`);
  return like(x, [batch, height * block, width * block, depth]);
};

/** Kernels over images [B, H, W, C]. */
export const imageRules: ShapeRules = {
  AvgPool: pool,
  AvgPoolGrad: poolGradient,
  Conv2D: convolution(false),
  Conv2DBackpropFilter: filterGradient,
  Conv2DBackpropInput: inputGradient,
  DepthToSpace: depthToSpace,
  DepthwiseConv2dNative: convolution(true),
  DepthwiseConv2dNativeBackpropFilter: filterGradient,
  DepthwiseConv2dNativeBackpropInput: inputGradient,
  MaxPool: pool,
  MaxPoolGrad: poolGradient,
  ResizeBilinear: resize,
  ResizeBilinearGrad: resizeGradient,
  ResizeNearestNeighbor: resize,
  ResizeNearestNeighborGrad: resizeGradient,
};
