import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { kernelSamples } from "../engine/kernelSamples";
import "../../../src/nn";
import { knownKernels } from "../../../src/graph/shapes";
import { assertClose, randomTensor } from "../nn/support";
import { traceOf, valuesOfGraph } from "./support";

before(async () => {
  await startBackend({ backend: "cpu" });
});

const image = [2, 6, 5, 3];

type Sample = [shapes: number[][], make: (...operands: never[]) => Tensor];

/** Steps of users in stock tfjs, differentiated by every operand. */
const steps: Record<string, Sample> = {
  convolution: [
    [image, [3, 3, 3, 4]],
    (x: tf.Tensor4D, w: tf.Tensor4D) => tf.elu(tf.conv2d(x, w, 2, "same")),
  ],
  "transposed convolution": [
    [
      [2, 3, 3, 4],
      [2, 2, 3, 4],
    ],
    (x: tf.Tensor4D, w: tf.Tensor4D) => tf.conv2dTranspose(x, w, [2, 6, 6, 3], 2, "same"),
  ],
  "depthwise convolution": [
    [image, [3, 3, 3, 2]],
    (x: tf.Tensor4D, w: tf.Tensor4D) => tf.depthwiseConv2d(x, w, 1, "valid"),
  ],
  pooling: [[image], (x: tf.Tensor4D) => tf.add(tf.maxPool(x, 2, 2, "same"), tf.avgPool(x, 2, 2, "same"))],
  resizing: [
    [[2, 5, 5, 3]],
    (x: tf.Tensor4D) => tf.add(tf.image.resizeBilinear(x, [4, 8]), tf.image.resizeNearestNeighbor(x, [4, 8])),
  ],
  "batch norm": [
    [image, [3], [3], [3]],
    (x: tf.Tensor4D, mean: tf.Tensor1D, offset: tf.Tensor1D, scale: tf.Tensor1D) =>
      tf.batchNorm(x, mean, tf.exp(mean) as tf.Tensor1D, offset, scale),
  ],
  activations: [
    [[3, 4], [4]],
    (x: Tensor, alpha: Tensor) => tf.addN([tf.prelu(x, alpha), tf.selu(x), tf.leakyRelu(x), tf.relu6(x)]),
  ],
  "inverse functions": [[[3, 4]], (x: Tensor) => tf.addN([tf.atan(x), tf.asinh(x), tf.sinh(x), tf.cosh(x)])],
  clipping: [[[3, 4]], (x: Tensor) => tf.clipByValue(x, -0.5, 0.5)],
};

describe("a trace of stock kernels, interpreted, computes what eager tfjs computes", () => {
  for (const [name, [shapes, make]] of Object.entries(steps)) {
    test(`${name} and its gradients`, () => {
      const forward = make as (...operands: Tensor[]) => Tensor;
      const gradients = (...operands: Tensor[]) =>
        tf.grads((...xs) => tf.sum(tf.square(forward(...xs))))(operands);
      const both = (...operands: Tensor[]) => [forward(...operands), ...gradients(...operands)];
      const inputs = shapes.map((shape, i) => randomTensor(shape, 5 + i));
      const traced = valuesOfGraph(traceOf(shapes, both), inputs);
      for (const [i, expected] of both(...inputs).entries())
        assertClose(traced[i], expected.dataSync(), 1e-6, `result ${i}`);
    });
  }

  for (const [op, samples] of kernelSamples) {
    test(`${op}: the shape rule says what the kernel gives`, () => {
      for (const { inputs, attributes = {} } of samples) {
        const given = inputs();
        const operands = Object.values(given).filter(({ dtype }) => dtype === "float32");
        if (operands.length < Object.values(given).length) continue;
        const run = (...xs: Tensor[]) => {
          const named = Object.fromEntries(Object.keys(given).map((name, i) => [name, xs[i]]));
          const result = tf
            .engine()
            .runKernel(op, (Array.isArray(given) ? xs : named) as never, attributes as never);
          return result as unknown as Tensor[];
        };
        const graph = traceOf(
          operands.map(({ shape }) => shape),
          run,
        );
        valuesOfGraph(graph, operands); // the interpreter holds shapes against the kernels'
      }
    });
  }

  test("every kernel with a shape rule has a sample", () => {
    assert.deepEqual(
      knownKernels().filter((op) => !kernelSamples.has(op)),
      [],
    );
  });
});

describe("shapes that do not fit are refused where the step is traced", () => {
  const refusals: [string, number[][], (...operands: never[]) => Tensor, RegExp][] = [
    [
      "channels",
      [image, [3, 3, 4, 2]],
      (x: Tensor, filter: Tensor) => kernel("Conv2D", { x, filter }),
      /3 channels/,
    ],
    [
      "axes of an einsum",
      [
        [2, 3],
        [4, 5],
      ],
      (a: tf.Tensor, b: tf.Tensor) => tf.einsum("ab,bc->ac", a, b),
      /axis|Expected/,
    ],
    ["k", [[2, 3]], (x: Tensor) => kernel("TopK", { x }, { k: 4 }), /k is 4/],
    [
      "a mirror",
      [[2, 3]],
      (x: Tensor) =>
        kernel(
          "MirrorPad",
          { x },
          {
            mode: "reflect",
            paddings: [
              [2, 0],
              [0, 0],
            ],
          },
        ),
      /too small/,
    ],
  ];
  const kernel = (
    op: string,
    inputs: Record<string, Tensor>,
    attributes: object = { strides: 1, pad: "same" },
  ) => [tf.engine().runKernel(op, inputs as never, attributes as never) as unknown as Tensor].flat()[0];

  for (const [what, shapes, make, pattern] of refusals) {
    test(what, () => {
      assert.throws(
        () => traceOf(shapes, make as (...operands: Tensor[]) => Tensor),
        (error: Error) =>
          error instanceof LuvitError && pattern.test(error.message) && /test\.js:\d+/.test(error.message),
      );
    });
  }
});
