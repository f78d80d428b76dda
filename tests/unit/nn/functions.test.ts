import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import {
  maskedPatchLoss,
  patchify,
  resizePositionTable,
  scaledDotProductAttention,
  sinCosPositionTable,
  smoothedTargets,
  softTargetCrossEntropy,
  unpatchify,
} from "../../../src/nn";
import { featureLoss, hardTargetDistance, softTargetDistance } from "../../../src/nn/distillation";
import { normalizedPixels } from "../../../src/nn/losses";
import { patchesForEmbedding } from "../../../src/nn/patches";
import { assertClose, isLuvitError, randomArray, randomTensor, valuesOf } from "./support";

before(() => startBackend());

test("patchify cuts row by row, pixels before channels; the embedding's cut puts channels first", () => {
  const image = tf.tensor(
    Float32Array.from({ length: 32 }, (_, i) => i),
    [1, 2, 4, 4],
  );
  const rows = (patches: Tensor) => (patches.arraySync() as number[][][])[0];
  assert.deepEqual(rows(patchify(image, 2)), [
    [0, 16, 1, 17, 4, 20, 5, 21],
    [2, 18, 3, 19, 6, 22, 7, 23],
    [8, 24, 9, 25, 12, 28, 13, 29],
    [10, 26, 11, 27, 14, 30, 15, 31],
  ]);
  assert.deepEqual(rows(patchesForEmbedding(image, 2))[1], [2, 3, 6, 7, 18, 19, 22, 23]);
});

test("unpatchify undoes patchify", () => {
  for (const [channels, patch, grid] of [
    [3, 4, 3],
    [1, 5, 2],
    [2, 1, 3],
  ]) {
    const image = randomTensor([2, channels, patch * grid, patch * grid]);
    const back = unpatchify(patchify(image, patch), patch, channels);
    assert.deepEqual(back.shape, image.shape);
    assert.deepEqual(back.dataSync(), image.dataSync());
  }
});

test("normalized pixels have mean 0 and unbiased variance 1", () => {
  const values = valuesOf(() => normalizedPixels(randomTensor([1, 2, 48], 5, 3)));
  for (const patch of [values.subarray(0, 48), values.subarray(48)]) {
    assert.ok(Math.abs(patch.reduce((sum, x) => sum + x, 0)) < 1e-4);
    assertClose([patch.reduce((sum, x) => sum + x * x, 0) / 47], [1], 1e-5);
  }
});

test("losses are those of double precision, rounded once", () => {
  const [rows, width] = [6, 9];
  const logits = Float32Array.from(randomArray(rows * width, 8), (x, i) => 60 * x + (i < width ? 500 : 0));
  const targets = smoothedTargets([0, 3, 8, 2, 5, 1], width, 0.1);
  let entropy = 0;
  for (let row = 0; row < rows; row++) {
    const of = (x: Float32Array) => [...x.subarray(row * width, (row + 1) * width)];
    const most = Math.max(...of(logits));
    const logSum = most + Math.log(of(logits).reduce((sum, x) => sum + Math.exp(x - most), 0));
    entropy += of(targets).reduce((sum, t, k) => sum + t * (logSum - of(logits)[k]), 0) / rows;
  }
  const found = softTargetCrossEntropy(tf.tensor(logits, [rows, width]), tf.tensor(targets, [rows, width]));
  assert.equal(found.dataSync()[0], Math.fround(entropy));

  const patches = randomArray(8 * 192, 9);
  const ones = tf.ones([1, 8]);
  const squares = Float64Array.from(patches).reduce((sum, x) => sum + x * x, 0);
  const loss = maskedPatchLoss(tf.tensor(patches, [1, 8, 192]), tf.zeros([1, 8, 192]), ones);
  assert.equal(loss.dataSync()[0], Math.fround(squares / patches.length));
});

test("the reconstruction loss is the mean over removed patches and does not see the others", () => {
  const prediction = randomTensor([2, 3, 4], 1);
  const target = randomTensor([2, 3, 4], 2);
  const mask = tf.tensor([1, 0, 0, 1, 1, 0], [2, 3]);
  const error = tf.sub(prediction, target).square().mean(-1).dataSync();
  const expected = (error[0] + error[3] + error[4]) / 3;
  assertClose(maskedPatchLoss(prediction, target, mask).dataSync(), [expected], 1e-6);
  const elsewhere = tf.mul(randomTensor([2, 3, 4], 3, 100), tf.reshape(tf.sub(1, mask), [2, 3, 1]));
  assertClose(maskedPatchLoss(tf.add(prediction, elsewhere), target, mask).dataSync(), [expected], 1e-6);
  const slope = tf
    .grad((p) => maskedPatchLoss(p, target, mask))(prediction)
    .abs()
    .sum(-1)
    .dataSync();
  assert.deepEqual(
    [...slope].map((s) => s > 0),
    [true, false, false, true, true, false],
  );
});

test("soft-target cross entropy of a confident right answer is 0, of no answer ln K, and shifts change nothing", () => {
  const targets = tf.tensor(smoothedTargets([2, 0], 3, 0), [2, 3]);
  const loss = (logits: Tensor) => softTargetCrossEntropy(logits, targets).dataSync();
  assertClose(
    loss(
      tf.tensor([
        [-100, -100, 100],
        [100, -100, -100],
      ]),
    ),
    [0],
    1e-6,
  );
  assertClose(loss(tf.zeros([2, 3])), [Math.log(3)], 1e-6);
  const logits = randomTensor([2, 3]);
  assertClose(loss(tf.add(logits, 1000)), loss(logits), 1e-4);
});

test("smoothed targets share eps over all classes, and a label outside the classes is an error", () => {
  assertClose(smoothedTargets([1], 4, 0.1), [0.025, 0.925, 0.025, 0.025], 1e-7);
  assert.throws(
    () => smoothedTargets([0, 4], 4, 0.1),
    isLuvitError("bad-argument", "label 4", "place 1", "0 to 3"),
  );
  assert.throws(() => smoothedTargets([-1], 4, 0), isLuvitError("bad-argument", "label -1"));
});

test("attention rows sum to one; a causal row sees only itself and what came before", () => {
  const [q, k, v] = [1, 2, 3].map((seed) => randomTensor([2, 3, 5, 4], seed));
  for (const causal of [false, true]) {
    let pattern: number[] = [];
    scaledDotProductAttention(q, k, v, {
      causal,
      name: "layer",
      context: {
        tap: (name, value) => {
          if (name !== "layer.pattern") return;
          assert.deepEqual(value.shape, [2, 3, 5, 5]);
          assertClose(tf.sum(value, -1).dataSync(), Array(30).fill(1), 1e-6);
          pattern = Array.from(value.dataSync().slice(0, 25));
        },
      },
    });
    const ahead = pattern.filter((_, i) => i % 5 > Math.floor(i / 5));
    assert.equal(
      ahead.every((weight) => weight === 0),
      causal,
    );
  }
});

test("attention equals its formula in double precision", () => {
  const [tokens, channels] = [4, 3];
  const [q, k, v] = [1, 2, 3].map((seed) => randomArray(tokens * channels, seed));
  const expected: number[] = [];
  for (let i = 0; i < tokens; i++) {
    const scores = Array.from({ length: tokens }, (_, j) => {
      let dot = 0;
      for (let c = 0; c < channels; c++) dot += q[i * channels + c] * k[j * channels + c];
      return Math.exp(dot / Math.sqrt(channels));
    });
    const total = scores.reduce((a, b) => a + b);
    for (let c = 0; c < channels; c++) {
      expected.push(scores.reduce((sum, score, j) => sum + (score / total) * v[j * channels + c], 0));
    }
  }
  const [query, key, value] = [q, k, v].map((x) => tf.tensor(x, [1, 1, tokens, channels]));
  assertClose(scaledDotProductAttention(query, key, value).dataSync(), expected, 1e-6);
});

test("the position table's first half encodes the column, the second the row; the class token's row is zero", () => {
  const [dim, grid] = [16, 3];
  const table = sinCosPositionTable(dim, grid);
  const cell = (row: number, column: number) => {
    const start = (1 + row * grid + column) * dim;
    return [...table.subarray(start, start + dim)];
  };
  assert.deepEqual([...table.subarray(0, dim)], Array(dim).fill(0));
  assert.deepEqual(cell(0, 2).slice(0, 8), cell(1, 2).slice(0, 8));
  assert.deepEqual(cell(1, 0).slice(8), cell(1, 2).slice(8));
  assert.deepEqual(cell(2, 1).slice(0, 8), cell(1, 2).slice(8));
  assertClose(cell(0, 2).slice(0, 2), [Math.sin(2), Math.sin(0.2)], 1e-6);
  assertClose(cell(0, 2).slice(4, 6), [Math.cos(2), Math.cos(0.2)], 1e-6);
  assert.throws(() => sinCosPositionTable(6, 3), isLuvitError("bad-argument", "dim 6"));
});

test("resizing a position table keeps the class row and constants, and weighs a ramp as torch's bicubic kernel does", () => {
  const side = 8;
  const ramp = Float32Array.from({ length: (1 + side * side) * 2 }, (_, i) => {
    const cell = Math.floor(i / 2) - 1;
    if (cell < 0) return 7;
    return i % 2 === 0 ? 3 : cell % side;
  });
  const table = { shape: [1, 1 + side * side, 2], data: ramp };
  const large = resizePositionTable(table, { rows: 16, columns: 16 });
  assert.deepEqual(large.shape, [1, 257, 2]);
  assert.deepEqual([...large.data.subarray(0, 2)], [7, 7]);
  for (let cell = 0; cell < 256; cell++) {
    assertClose([large.data[2 + 2 * cell]], [3], 1e-6);
    // A = -0.75 bends straight lines: at 0.25 past a cell a ramp has risen by 0.296875.
    const column = cell % 16;
    const bent = Math.floor((column - 1) / 2) + (column % 2 === 1 ? 0.296875 : 0.703125);
    if (column >= 4 && column < 12) assertClose([large.data[3 + 2 * cell]], [bent], 1e-6);
  }
  assert.deepEqual(resizePositionTable(table, { rows: side, columns: side }).data, ramp);
  const oblong = { shape: [1, 7, 2], data: new Float32Array(14) };
  assert.throws(
    () => resizePositionTable(oblong, { rows: 2, columns: 2 }),
    isLuvitError("shape-mismatch", "6 cells"),
  );
});

const probabilities = (row: readonly number[]) => {
  const all = row.map(Math.exp);
  const sum = all.reduce((a, b) => a + b);
  return all.map((x) => x / sum);
};

test("soft targets: the divergence from the teacher's probabilities at a temperature, times its square, a mean over rows", () => {
  const [student, teacher] = [
    [
      [1, -2, 0.5],
      [0, 3, 1],
    ],
    [
      [2, 0, -1],
      [1, 1, 4],
    ],
  ];
  const expected = (temperature: number) => {
    const at = (row: readonly number[]) => probabilities(row.map((x) => x / temperature));
    const rows = student.map((row, b) => {
      const [given, wanted] = [at(row), at(teacher[b])];
      return wanted.reduce((sum, p, i) => sum + p * Math.log(p / given[i]), 0);
    });
    return (temperature ** 2 * (rows[0] + rows[1])) / 2;
  };
  const found = (options = {}) =>
    softTargetDistance(tf.tensor2d(student), tf.tensor2d(teacher), options).dataSync()[0];
  assertClose([found()], [expected(1)], 1e-5);
  assertClose([found({ temperature: 3 })], [expected(3)], 1e-5);
  assertClose([found({ temperature: 3, reduction: "deit" })], [expected(3) / 3], 1e-5);
  const hard = hardTargetDistance(tf.tensor2d(student), tf.tensor2d(teacher)).dataSync()[0];
  const of = (row: number, label: number) => -Math.log(probabilities(student[row])[label]);
  assertClose([hard], [(of(0, 0) + of(1, 2)) / 2], 1e-5);
});

test("a teacher gets no gradient from what its student is told by it", () => {
  const [student, teacher] = [randomTensor([2, 3, 4], 1), randomTensor([2, 3, 4], 2)];
  const losses: ((s: Tensor, t: Tensor) => Tensor)[] = [
    ...(["cosine", "mse", "smoothL1", "l1"] as const).flatMap((loss) =>
      (["none", "layer", "unit"] as const).map(
        (normalize) => (s: Tensor, t: Tensor) => featureLoss(s, t, { loss, normalize }),
      ),
    ),
    (s, t) => softTargetDistance(tf.reshape(s, [6, 4]), tf.reshape(t, [6, 4])),
    (s, t) => hardTargetDistance(tf.reshape(s, [6, 4]), tf.reshape(t, [6, 4])),
  ];
  for (const [i, loss] of losses.entries()) {
    const [own, theirs] = tf.grads((s, t) => loss(s as Tensor, t as Tensor))([student, teacher]);
    assert.ok(
      own.dataSync().some((x) => x !== 0),
      `${i}`,
    );
    assert.ok(
      theirs.dataSync().every((x) => x === 0),
      `${i}`,
    );
  }
});

test("tokens are as far from the teacher's as the formula of each distance says, normalized first as asked", () => {
  const [student, teacher] = [
    [3, 4, 0, 1],
    [0, 2, 2, 4],
  ]; // two tokens of two
  const pairs = (x: readonly number[]) => [x.slice(0, 2), x.slice(2)];
  const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;
  const unit = (x: readonly number[]) => pairs(x).flatMap((two) => two.map((v) => v / Math.hypot(...two)));
  const layer = (x: readonly number[], eps: number) =>
    pairs(x).flatMap((two) => {
      const variance = mean(two.map((v) => (v - mean(two)) ** 2));
      return two.map((v) => (v - mean(two)) / Math.sqrt(variance + eps));
    });
  const distances = {
    mse: (d: number) => d * d,
    l1: (d: number) => Math.abs(d),
    smoothL1: (d: number, beta = 1) => (Math.abs(d) < beta ? (0.5 * d * d) / beta : Math.abs(d) - 0.5 * beta),
  };
  const found = (options: object) =>
    featureLoss(tf.tensor3d(student, [1, 2, 2]), tf.tensor3d(teacher, [1, 2, 2]), options).dataSync()[0];
  const far = (a: readonly number[], b: readonly number[], distance: (d: number) => number) =>
    mean(a.map((x, i) => distance(x - b[i])));
  for (const [loss, distance] of Object.entries(distances)) {
    const of = (d: number) => distance(d);
    assertClose([found({ loss })], [far(student, teacher, of)], 1e-6, loss);
    assertClose([found({ loss, normalize: "unit" })], [far(unit(student), unit(teacher), of)], 1e-6, loss);
    const wanted = layer(teacher, 0.5);
    assertClose([found({ loss, normalize: "layer", eps: 0.5 })], [far(student, wanted, of)], 1e-6, loss);
  }
  assertClose(
    [found({ loss: "smoothL1", beta: 2.5 })],
    [far(student, teacher, (d) => distances.smoothL1(d, 2.5))],
    1e-6,
  );
  // cos of (3, 4) with (0, 2) is 0.8, of (0, 1) with (2, 4) is 4 / √20.
  assertClose([found({})], [1 - (0.8 + 4 / Math.sqrt(20)) / 2], 1e-6);
});
