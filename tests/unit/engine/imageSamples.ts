import { type Tensor, tf } from "../../../src/core/tf";
import { randomTensor } from "../nn/support";
import type { KernelSample } from "./kernelSamples";

const float = (shape: number[], seed = 1) => randomTensor(shape, seed);

interface Convolution {
  x: number[];
  filter: number[];
  strides: number | [number, number];
  pad: "same" | "valid" | number | [number, number][];
  dilations?: number | [number, number];
}

const convolutions: Convolution[] = [
  { x: [2, 5, 6, 3], filter: [3, 2, 3, 4], strides: 1, pad: "valid" },
  { x: [2, 5, 6, 3], filter: [3, 3, 3, 4], strides: 2, pad: "same" },
  { x: [1, 7, 6, 2], filter: [2, 2, 2, 1], strides: 2, pad: 1 },
  { x: [1, 6, 6, 2], filter: [1, 1, 2, 3], strides: 2, pad: "valid" },
  {
    x: [1, 6, 5, 2],
    filter: [3, 2, 2, 2],
    strides: 1,
    pad: [
      [0, 0],
      [2, 0],
      [0, 1],
      [0, 0],
    ],
  },
];

const attributesOf = ({ strides, pad, dilations = 1 }: Convolution) => ({
  strides,
  pad,
  dilations,
  dataFormat: "NHWC",
});

/** Samples of a convolution and of its gradients; `run` gives the shape of its result. */
function convolutionSamples(
  cases: readonly Convolution[],
  run: (x: Tensor, filter: Tensor, c: Convolution) => Tensor,
): Record<"forward" | "input" | "filter", KernelSample[]> {
  const gradient = (c: Convolution) =>
    float(
      tf.tidy(() => run(tf.zeros(c.x), tf.zeros(c.filter), c).shape),
      3,
    );
  const undilated = cases.filter(({ dilations }) => dilations === undefined);
  return {
    forward: cases.map((c) => ({
      inputs: () => ({ x: float(c.x), filter: float(c.filter, 2) }),
      attributes: attributesOf(c),
    })),
    input: undilated.map((c) => ({
      inputs: () => ({ dy: gradient(c), filter: float(c.filter, 2) }),
      attributes: { ...attributesOf(c), inputShape: c.x },
    })),
    filter: undilated.map((c) => ({
      inputs: () => ({ x: float(c.x), dy: gradient(c) }),
      attributes: { ...attributesOf(c), filterShape: c.filter },
    })),
  };
}

const plain = convolutionSamples(
  [...convolutions, { x: [1, 7, 7, 2], filter: [3, 2, 2, 2], strides: 1, pad: "same", dilations: 2 }],
  (x, filter, { strides, pad }) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad as "same"),
);

const depthwise = convolutionSamples(
  [
    { x: [2, 5, 6, 3], filter: [3, 2, 3, 1], strides: 1, pad: "valid" },
    { x: [2, 5, 5, 2], filter: [3, 3, 2, 2], strides: 2, pad: "same" },
  ],
  (x, filter, { strides, pad }) =>
    tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides as number, pad as "same"),
);

const pools = [
  { filterSize: 2, strides: 2, pad: "valid" },
  { filterSize: [3, 2], strides: [1, 2], pad: "valid" },
  { filterSize: 3, strides: 2, pad: "same" },
];

const image = () => float([2, 6, 5, 3]);
/** Of either sign, and of one alone: what a pad holds must win and lose nowhere. */
const signs = [image, () => tf.neg(tf.abs(image()))];

function poolGradient(
  op: "maxPool" | "avgPool",
  attributes: (typeof pools)[number],
  x = image,
): KernelSample {
  const { filterSize, strides, pad } = attributes as { filterSize: number; strides: number; pad: "same" };
  return {
    attributes,
    inputs: () => {
      const input = x();
      const output = tf[op](input as tf.Tensor4D, filterSize, strides, pad);
      return { dy: float(output.shape, 4), input, ...(op === "maxPool" && { output }) };
    },
  };
}

const sizes: [[number, number], [number, number]][] = [
  [
    [4, 5],
    [8, 3],
  ],
  [
    [6, 4],
    [3, 7],
  ],
];

const modes = [
  { alignCorners: false, halfPixelCenters: false },
  { alignCorners: true, halfPixelCenters: false },
  { alignCorners: false, halfPixelCenters: true },
];

const resizes: KernelSample[] = sizes.flatMap(([from, size]) =>
  modes.map((mode) => ({
    inputs: () => ({ images: float([2, ...from, 3]) }),
    attributes: { ...mode, size },
  })),
);

/**
 * tfjs's own gradient kernels do not know centered pixels, turn images that are not square, and read a batch's later
 * images from the wrong place.
 */
const resizeGradients: KernelSample[] = sizes.flatMap(([[side], size]) =>
  modes
    .filter(({ halfPixelCenters }) => !halfPixelCenters)
    .map((mode) => ({
      inputs: () => ({ images: float([1, side, side, 3]), dy: float([1, ...size, 3], 2) }),
      attributes: { ...mode, size },
    })),
);

/** Samples of kernels over images [B, H, W, C]. */
export const imageSamples: [string, KernelSample[]][] = [
  ["AvgPool", pools.map((attributes) => ({ inputs: () => ({ x: image() }), attributes }))],
  // tfjs's kernel counts the places of the padding, which its own forward pass does not.
  ["AvgPoolGrad", pools.filter(({ pad }) => pad === "valid").map((pool) => poolGradient("avgPool", pool))],
  ["Conv2D", plain.forward],
  ["Conv2DBackpropFilter", plain.filter],
  ["Conv2DBackpropInput", plain.input],
  [
    "DepthToSpace",
    [
      {
        inputs: () => ({ x: float([2, 2, 3, 12]) }),
        attributes: { blockSize: 2, dataFormat: "NHWC" },
      },
    ],
  ],
  ["DepthwiseConv2dNative", depthwise.forward],
  ["DepthwiseConv2dNativeBackpropFilter", depthwise.filter],
  ["DepthwiseConv2dNativeBackpropInput", depthwise.input],
  ["MaxPool", signs.flatMap((x) => pools.map((attributes) => ({ inputs: () => ({ x: x() }), attributes })))],
  ["MaxPoolGrad", signs.flatMap((x) => pools.map((pool) => poolGradient("maxPool", pool, x)))],
  ["ResizeBilinear", resizes],
  ["ResizeBilinearGrad", resizeGradients],
  ["ResizeNearestNeighbor", resizes],
  ["ResizeNearestNeighborGrad", resizeGradients],
];
