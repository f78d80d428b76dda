import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { ownOpRules } from "../../../src/core/opRegistry";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { Graph } from "../../../src/graph";
import { AFTER } from "../../../src/graph/passes";
import { rotate } from "../../../src/models/rotary";
import { scaledDotProductAttention } from "../../../src/nn/attention";
import { maskedPatchLoss, normalizedPixels, softTargetCrossEntropy } from "../../../src/nn/losses";
import * as ops from "../../../src/nn/ops";
import { patchify } from "../../../src/nn/patches";
import { assertClose, randomTensor } from "../nn/support";
import { traceOf, valuesOfGraph } from "./support";

before(async () => {
  await startBackend();
});

/** Shapes of the operands and the function of them. */
type Sample = readonly [shapes: number[][], make: (...x: Tensor[]) => Tensor | Tensor[]];

const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 0.75 };
const rope = { ropeTheta: 10000, rowOrder: "hf" as const };

/** Differentiable: every sample's gradients towards all its operands are traced too. */
const ownSamples: Record<string, Sample> = {
  gelu: [[[3, 5]], ops.gelu],
  gatedSilu: [
    [
      [3, 5],
      [3, 5],
    ],
    ops.gatedSilu,
  ],
  silu: [[[3, 5]], ops.silu],
  layerNorm: [[[2, 3, 7], [7], [7]], (x, w, b) => ops.layerNorm(x, w, b, 1e-6)],
  rmsNorm: [[[2, 3, 7], [7]], (x, w) => ops.rmsNorm(x, w, 1e-6)],
  linear: [[[2, 3, 5], [4, 5], [4]], ops.linear],
  addRow: [[[2, 3, 5], [5]], ops.addRow],
  sumRows: [[[2, 3, 5]], ops.sumRows],
  splitHeads: [[[2, 5, 12]], (x) => ops.splitHeads(x, 3)],
  mergeHeads: [[[2, 3, 5, 4]], ops.mergeHeads],
  splitQkv: [[[2, 5, 18]], (x) => ops.splitQkv(x, 3)],
  splitQkvInPart: [[[2, 5, 18]], (x) => ops.splitQkv(x, 3).slice(0, 1)],
};

const stockSamples: Record<string, Sample> = {
  matMul: [
    [
      [4, 3],
      [3, 5],
    ],
    (a, b) => tf.matMul(a, b),
  ],
  matMulTransposed: [
    [
      [2, 3, 4],
      [2, 5, 3],
    ],
    (a, b) => tf.matMul(a, b, true, true),
  ],
  matMulBroadcast: [
    [
      [2, 4, 3],
      [1, 3, 5],
    ],
    (a, b) => tf.matMul(a, b),
  ],
  broadcast: [
    [
      [2, 3, 4],
      [3, 1],
    ],
    (a, b) => [tf.add(a, b), tf.sub(a, b), tf.mul(a, b), tf.div(a, tf.exp(b))],
  ],
  unary: [
    [[2, 3]],
    (x) => [tf.exp(x), tf.neg(x), tf.square(x), tf.sqrt(tf.square(x)), tf.tanh(x), tf.sigmoid(x)],
  ],
  logarithms: [[[2, 3]], (x) => [tf.log(tf.exp(x)), tf.rsqrt(tf.exp(x)), tf.abs(x), tf.erf(x), tf.relu(x)]],
  extremes: [
    [
      [2, 3],
      [2, 3],
    ],
    (a, b) => [tf.maximum(a, b), tf.minimum(a, b), tf.squaredDifference(a, b)],
  ],
  select: [
    [
      [2, 3],
      [2, 3],
    ],
    (a, b) => tf.where(tf.greaterEqual(a, b), a, b),
  ],
  sums: [
    [[2, 3, 4]],
    (x) => [tf.sum(x), tf.sum(x, 1, true), tf.mean(x, [0, 2]), tf.mean(x), tf.max(x, -1), tf.min(x, 0)],
  ],
  softmax: [[[2, 3, 4]], (x) => [tf.softmax(x), tf.logSoftmax(x), tf.logSumExp(x, -1)]],
  moments: [[[2, 3, 4]], (x) => Object.values(tf.moments(x, -1, true)) as Tensor[]],
  shapes: [
    [[2, 3, 4]],
    (x) => [tf.reshape(x, [6, -1]), tf.expandDims(x, -1), tf.squeeze(tf.slice(x, 0, 1)), tf.transpose(x)],
  ],
  parts: [
    [[2, 3, 4]],
    (x) => [
      ...tf.split(x, [1, 2], 1),
      ...tf.split(x, 2, -1),
      ...tf.unstack(x, 1),
      tf.slice(x, [0, 1], [2, 1]),
    ],
  ],
  joins: [
    [
      [2, 3],
      [2, 3],
    ],
    (a, b) => [
      tf.concat([a, b], -1),
      tf.stack([a, b], 1),
      tf.pad(a, [
        [1, 0],
        [0, 2],
      ]),
      tf.tile(b, [3, 2]), // other numbers than the lengths: the gradient tells them apart
    ],
  ],
  gather: [
    [[5, 3]],
    (x) => [
      tf.gather(x, tf.tensor1d([4, 0, 4], "int32")),
      tf.gather(x, tf.tensor2d([[1, 1]], [1, 2], "int32"), 1),
    ],
  ],
  reverse: [[[2, 3]], (x) => tf.reverse(x, -1)],
  patches: [[[2, 3, 8, 8]], (x) => [patchify(x, 4), normalizedPixels(patchify(x, 4))]],
  attention: [
    [
      [2, 2, 3, 4],
      [2, 2, 3, 4],
      [2, 2, 3, 4],
    ],
    (q, k, v) => scaledDotProductAttention(q, k, v, { causal: true }),
  ],
  rotary: [[[2, 2, 3, 8]], (x) => [rotate(x, { ...rope }), rotate(x, { ...rope, rowOrder: "meta" })]],
  reconstruction: [
    [
      [2, 4, 6],
      [2, 4, 6],
      [2, 4],
    ],
    (x, y, mask) => maskedPatchLoss(x, y, tf.square(mask)),
  ],
  crossEntropy: [
    [
      [3, 5],
      [3, 5],
    ],
    softTargetCrossEntropy,
  ],
};

const withoutGradient: Record<string, Sample> = {
  adamW: [
    [[3, 5], [3, 5], [3, 5], [3, 5], [3]],
    (parameter, gradient, average, squares, schedule) =>
      ops.adamW(
        { parameter, gradient, average, squares: tf.square(squares), schedule: tf.exp(schedule) },
        adam,
      ),
  ],
  after: [[[2, 3], [4]], (x, signal) => tf.engine().runKernel(AFTER, { x, signal }) as Tensor],
  comparisons: [
    [
      [2, 3],
      [2, 3],
    ],
    (a, b) => [tf.less(a, b), tf.equal(a, a), tf.logicalNot(tf.greater(a, b))],
  ],
  casts: [[[2, 3]], (x) => [tf.cast(x, "int32"), tf.cast(tf.less(x, 0), "float32")]],
  places: [[[2, 3]], (x) => [tf.argMax(x, 1), tf.oneHot(tf.argMax(x, -1), 3), tf.cumsum(x, 1)]],
  rounding: [[[2, 3]], (x) => [tf.floor(x), tf.ceil(x), tf.sign(x), tf.round(x), tf.isNaN(x)]],
  likes: [
    [[2, 3]],
    (x) => [tf.onesLike(x), tf.zerosLike(x), tf.fill([2], 3), tf.range(1, 8, 3), tf.all(tf.less(x, 0))],
  ],
};

/** Gradients of a weighted sum of every result towards every operand. */
function gradientsOf([shapes, make]: Sample): Sample {
  const loss = (...operands: Tensor[]) => {
    const results = [make(...operands)].flat();
    return results
      .map((y, i) => tf.sum(tf.mul(tf.mul(y, y), i + 0.5)))
      .reduce((a, b) => tf.add(a, b)) as tf.Scalar;
  };
  return [shapes, (...operands) => tf.grads(loss)(operands)];
}

const kernelsSeen = new Set<string>();

function checkAgainstEager([shapes, make]: Sample): Graph {
  const graph = traceOf(shapes, make);
  for (const { op } of graph.nodes) kernelsSeen.add(op);
  const inputs = shapes.map((shape, i) => randomTensor(shape, 7 + i));
  const actual = valuesOfGraph(graph, inputs);
  tf.tidy(() => {
    const expected = [make(...inputs)].flat();
    assert.equal(actual.length, expected.length);
    for (const [i, y] of expected.entries()) assertClose(actual[i], y.dataSync(), 1e-6, `result ${i}`);
  });
  tf.dispose(inputs);
  return graph;
}

describe("a trace, interpreted, computes what eager tfjs computes", () => {
  for (const [name, sample] of Object.entries({ ...ownSamples, ...stockSamples })) {
    test(name, () => void checkAgainstEager(sample));
    test(`gradients of ${name}`, () => void checkAgainstEager(gradientsOf(sample)));
  }
  for (const [name, sample] of Object.entries(withoutGradient))
    test(name, () => void checkAgainstEager(sample));

  test("every op of this library was among them", () => {
    assert.deepEqual(
      [...ownOpRules.keys()].filter((name) => !kernelsSeen.has(name)),
      [],
    );
  });
});
