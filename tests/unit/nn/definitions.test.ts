import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import {
  featureLoss,
  hardTargetDistance,
  softTargetDistance,
  stopGradient,
} from "../../../src/nn/distillation";
import { normalizedPixels, smoothedTargets } from "../../../src/nn/losses";
import { adamW, gelu, silu, sumRows, transposedByGroup } from "../../../src/nn/ops";
import { patchify, unpatchify } from "../../../src/nn/patches";
import { resizePositionTable } from "../../../src/nn/positionEmbedding";
import { positionTaps, positionWeights } from "../../../src/nn/positionTaps";
import { assertClose, isLuvitError, randomTensor, valuesOf } from "./support";

before(() => startBackend());

const slopeOf = (loss: (x: Tensor) => Tensor, at: readonly number[]) =>
  tf.tidy(() => [
    ...tf
      .grad((x: Tensor) => loss(x) as tf.Scalar)(tf.tensor2d([[...at]]))
      .dataSync(),
  ]);

test("distances have the slopes of their formulas: nothing where student and teacher agree, the sign beyond beta", () => {
  const zero = tf.zeros([1, 4]);
  const slope = (options: object) => slopeOf((x) => featureLoss(x, zero, options), [0, 0.5, -2, 4]);
  assertClose(slope({ loss: "l1" }), [0, 0.25, -0.25, 0.25], 1e-6);
  assertClose(slope({ loss: "mse" }), [0, 0.25, -1, 2], 1e-6);
  assertClose(slope({ loss: "smoothL1" }), [0, 0.125, -0.25, 0.25], 1e-6);
  assertClose(slope({ loss: "smoothL1", beta: 4 }), [0, 0.125 / 4, -0.5 / 4, 0.25], 1e-6);
});

test("lengths below torch's least ones count as those, and no token of zeros gives NaN", () => {
  const [small, teacher] = [tf.tensor2d([[3e-9, 4e-9]]), tf.tensor2d([[6, 8]])];
  const of = (student: Tensor, options = {}) => featureLoss(student, teacher, options).dataSync()[0];
  // cosine_similarity's eps is 1e-8: half of that is half of the cosine.
  assertClose([of(small)], [0.5], 1e-4);
  assertClose([of(small, { loss: "mse", normalize: "unit" })], [0], 1e-6);
  assertClose([of(tf.zeros([1, 2]))], [1], 1e-6);
  assertClose([of(tf.zeros([1, 2]), { loss: "l1", normalize: "unit" })], [(0.6 + 0.8) / 2], 1e-6);
  // LayerNorm of a teacher whose deviation is that of its eps: (±1e-3) / sqrt(1e-6 + 1e-6).
  const flat = featureLoss(tf.zeros([1, 2]), tf.tensor2d([[2e-3, 0]]), { loss: "l1", normalize: "layer" });
  assertClose(flat.dataSync(), [Math.SQRT1_2], 1e-3);
});

test("options of distances that cannot be are refused by name", () => {
  const x = tf.ones([2, 3]);
  for (const wrong of [
    { temperature: 0 },
    { temperature: -1 },
    { temperature: Number.NaN },
    { reduction: "mean" },
  ])
    assert.throws(
      () => softTargetDistance(x, x, wrong as never),
      isLuvitError("bad-argument", Object.keys(wrong)[0]),
    );
  for (const wrong of [{ loss: "l2" }, { normalize: "batch" }, { beta: 0 }, { eps: 0 }, { eps: 2 }])
    assert.throws(
      () => featureLoss(x, x, wrong as never),
      isLuvitError("bad-argument", Object.keys(wrong)[0]),
    );
  for (const both of [
    (a: Tensor, b: Tensor) => softTargetDistance(a, b),
    hardTargetDistance,
    (a: Tensor, b: Tensor) => featureLoss(a, b),
  ])
    for (const [a, b] of [
      [x, 1],
      [1, x],
    ])
      assert.throws(() => both(a as Tensor, b as Tensor), isLuvitError("bad-argument", "tensor"));
  const stopped = stopGradient(x);
  assert.deepEqual([...stopped.dataSync()], [1, 1, 1, 1, 1, 1]);
});

test("pixels of a patch are divided by the root of their unbiased variance and MAE's eps", () => {
  // Numbers 0 and 2e-3 have mean 1e-3 and unbiased variance 2e-6; one patch is constant.
  const patches = tf.tensor3d([0, 2e-3, 5, 5], [1, 2, 2]);
  const z = 1e-3 / Math.sqrt(2e-6 + 1e-6);
  assertClose(normalizedPixels(patches).dataSync(), [-z, z, 0, 0], 1e-3);
});

test("labels are whole numbers of classes; without smoothing all of a target is at its label", () => {
  assert.deepEqual([...smoothedTargets([1, 0], 2, 0)], [0, 1, 1, 0]);
  assert.deepEqual([...smoothedTargets([], 3, 0.1)], []);
  for (const label of [0.5, Number.NaN, 2, -1])
    assert.throws(
      () => smoothedTargets([label], 2, 0),
      isLuvitError("bad-argument", `label ${label} at place 0`),
    );
});

test("activations are those of their formulas at points known from elsewhere", () => {
  const x = tf.tensor([-2, -1, 0, 0.5, 3]);
  // x Φ(x) of tables of the normal distribution, and x / (1 + e^-x).
  assertClose(gelu(x).dataSync(), [-0.0455003, -0.1586553, 0, 0.3457312, 2.9959503], 1e-6);
  const sigmoids = [-2, -1, 0, 0.5, 3].map((value) => value / (1 + Math.exp(-value)));
  assertClose(silu(x).dataSync(), sigmoids, 1e-6);
  assert.ok([gelu, silu].every((f) => Number.isNaN(f(tf.scalar(Number.NaN)).dataSync()[0])));
});

test("an update of AdamW is torch's: decay by the parameter's own rate, moments, corrected bias", () => {
  const attributes = { beta1: 0.9, beta2: 0.95, eps: 1e-3, weightDecay: 0.1, lrScale: 0.5 };
  const [p, g, m, v] = [2, 0.5, 0.1, 0.04];
  const schedule = [0.2, 1 - 0.9 ** 3, 1 - 0.95 ** 3];
  const rate = 0.2 * 0.5;
  const [mean, square] = [0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g];
  const step = mean / schedule[1] / (Math.sqrt(square / schedule[2]) + 1e-3);
  const given = Object.entries({ parameter: p, gradient: g, average: m, squares: v });
  const operands = Object.fromEntries(given.map(([name, value]) => [name, tf.tensor1d([value])]));
  const updated = adamW({ ...operands, schedule: tf.tensor1d(schedule) } as never, attributes);
  assertClose(
    updated.map((x) => x.dataSync()[0]),
    [p * (1 - rate * 0.1) - rate * step, mean, square],
    1e-6,
  );
});

test("rows are summed over all but the last axis; the way back by groups is each head's own transposed rows", () => {
  assert.deepEqual([...sumRows(tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2])).dataSync()], [16, 20]);
  const [y, weight] = [randomTensor([2, 4, 3], 1), randomTensor([6, 5], 2)];
  const rows = weight.arraySync() as number[][];
  const expected = (y.arraySync() as number[][][]).flatMap((heads) =>
    heads.flatMap((own, h) =>
      rows[0].map((_, i) =>
        own.reduce((sum, value, c) => sum + value * rows[Math.floor(h / 2) * 3 + c][i], 0),
      ),
    ),
  );
  assertClose(transposedByGroup(y, weight, 2).dataSync(), expected, 1e-5);
});

test("a product of factors with axes of different number has a gradient of each factor's own shape", () => {
  const [a, b] = [randomTensor([2, 3, 4, 5], 1), randomTensor([5, 6], 2)];
  const sum = (x: Tensor, y: Tensor) => tf.sum(tf.square(tf.matMul(x, y))) as tf.Scalar;
  const [da, db] = tf.grads(sum)([a, b]);
  const flat = tf.grads(sum)([tf.reshape(a, [24, 5]), b]);
  assert.deepEqual([da.shape, db.shape], [a.shape, b.shape]);
  assertClose(da.dataSync(), flat[0].dataSync(), 1e-5);
  assertClose(db.dataSync(), flat[1].dataSync(), 1e-5);
});

test("segments are summed by their numbers of any shape, and rows of a negative number are left out", async () => {
  for (const backend of ["cpu", "wasm"] as const) {
    await startBackend({ backend });
    const ids = tf.tensor([0, 2, 2, -1], [4], "int32");
    const rows = tf.tensor2d([1, 2, 10, 20, 100, 200, 5, 5], [4, 2]);
    const sums = tf.unsortedSegmentSum(rows, ids as tf.Tensor1D, 3);
    assert.deepEqual([...sums.dataSync()], [1, 2, 0, 0, 110, 220], backend);
  }
});

test("a filter has its gradient on wasm for strides, paddings and kernels that are not square", async () => {
  const cases = [
    { stride: [2, 1], pad: "valid", kernel: [2, 3] },
    { stride: [1, 1], pad: "same", kernel: [3, 2] },
    { stride: [1, 2], pad: "same", kernel: [1, 4] },
  ] as const;
  for (const { stride, pad, kernel } of cases) {
    const found: Float32Array[] = [];
    for (const backend of ["cpu", "wasm"] as const) {
      await startBackend({ backend });
      const [x, filter] = [randomTensor([2, 6, 7, 2], 1), randomTensor([...kernel, 2, 3], 2)];
      const loss = (f: Tensor) =>
        tf.sum(tf.square(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, [...stride], pad))) as tf.Scalar;
      found.push(tf.grad(loss)(filter).dataSync<"float32">());
    }
    assertClose(found[1], found[0], 1e-4, JSON.stringify(kernel));
  }
});

test("images that cannot be cut, and patches that are no image's, are refused with their shapes", () => {
  for (const shape of [
    [1, 3, 8, 6],
    [1, 3, 6, 8],
    [3, 8, 8],
  ])
    assert.throws(
      () => patchify(tf.zeros(shape), 4),
      isLuvitError("shape-mismatch", `[${shape}]`, "patches of 4"),
    );
  for (const patch of [0, 1.5, -4])
    assert.throws(() => patchify(tf.zeros([1, 3, 8, 8]), patch), isLuvitError("bad-argument", "patch"));
  assert.deepEqual(unpatchify(tf.zeros([2, 9, 12]), 2).shape, [2, 3, 6, 6], "three channels by default");
  for (const shape of [
    [2, 8, 12],
    [2, 9, 13],
    [9, 12],
  ])
    assert.throws(() => unpatchify(tf.zeros(shape), 2), isLuvitError("shape-mismatch", `got [${shape}]`));
});

test("bicubic weights are Keys', of the slope and the centers of each rule; weights of a place add up to 1", () => {
  const keys = (a: number, t: number) =>
    t <= 1 ? (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1 : a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a;
  // Of 4 places 8 are made: number 3 is centered at 1.25, with 0, 1, 2 and 3 around it.
  const four = (a: number, at: number) => [0, 1, 2, 3].map((place) => keys(a, Math.abs(at - place)));
  const weights = (rule: "mae" | "timm" | "dino") => {
    const { data, shape } = positionWeights(4, 8, rule);
    assert.deepEqual(shape, [8, 4]);
    for (let i = 0; i < 8; i++)
      assertClose([data.slice(4 * i, 4 * i + 4).reduce((a, b) => a + b)], [1], 1e-6);
    return data.slice(12, 16);
  };
  assertClose(weights("mae"), four(-0.75, 1.25), 1e-6);
  assertClose(weights("timm"), four(-0.5, 1.25), 1e-6);
  assertClose(weights("dino"), four(-0.75, (3.5 * 4) / 8.1 - 0.5), 1e-6);
  // At the border MAE's rule repeats the last place, timm's leaves out what is beyond.
  const [first] = positionTaps(4, 8, "mae");
  assert.deepEqual(
    first.map(([place]) => place),
    [0, 0, 0, 1],
  );
  assert.deepEqual(
    positionTaps(4, 8, "timm")[0].map(([place]) => place),
    [0, 1],
  );
  // Shrunk to half, timm's kernel is twice as wide: eight places.
  const spread = positionTaps(16, 8, "timm")[4];
  assert.deepEqual(
    spread.map(([place]) => place),
    [5, 6, 7, 8, 9, 10, 11, 12],
  );
  const wide = [5, 6, 7, 8, 9, 10, 11, 12].map((place) => keys(-0.5, Math.abs(place + 0.5 - 9) / 2));
  const total = wide.reduce((a, b) => a + b);
  assertClose(
    spread.map(([, weight]) => weight),
    wide.map((weight) => weight / total),
    1e-6,
  );
});

test("tables that are none are refused, one that fits is copied by every rule", () => {
  const size = { rows: 2, columns: 2 };
  const table = { shape: [1, 6, 1], data: Float32Array.of(9, 8, 1, 2, 3, 4) };
  for (const rule of ["mae", "timm", "dino"] as const) {
    const fitted = resizePositionTable(table, size, 2, rule);
    assert.deepEqual([...fitted.data], [9, 8, 1, 2, 3, 4]);
    assert.notEqual(fitted.data, table.data);
  }
  for (const [wrong, extra] of [
    [{ shape: [1, 1, 1], data: new Float32Array(1) }, 1],
    [table, 1],
  ] as const)
    assert.throws(
      () => resizePositionTable(wrong, size, extra),
      isLuvitError("shape-mismatch", "no square grid"),
    );
  assert.throws(() => resizePositionTable(table, size, -1), isLuvitError("bad-argument", "extra"));
  assert.throws(
    () => resizePositionTable({ ...table, shape: [6, 1] }, size),
    isLuvitError("bad-argument", "shape"),
  );
});

test("values that cannot be computed end with NaN in none of what stands beside them", () => {
  const x = tf.tensor2d([
    [1, 2, 3],
    [Number.NaN, 1, 1],
  ]);
  const y = valuesOf(() => gelu(x));
  assert.ok(Number.isNaN(y[3]) && [0, 1, 2, 4, 5].every((i) => Number.isFinite(y[i])));
});
