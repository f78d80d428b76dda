import assert from "node:assert/strict";
import { afterEach, before, test } from "node:test";
import { cka, nearestNeighbors, principalComponents, trainProbe } from "../../../../src/analysis";
import { LinearProbe } from "../../../../src/analysis/probe";
import { settledFeatures } from "../../../../src/analysis/probe/settledFeatures";
import { rowsOf } from "../../../../src/analysis/provenance";
import { symmetricEigen } from "../../../../src/analysis/representations/symmetricEigen";
import { showWorkWith } from "../../../../src/core/progress";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { assertClose, isLuvitError } from "../../nn/support";

before(() => startBackend());
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const random = (rows: number, dim = 3, classes = 3) => {
  const rng = new Rng(8);
  return {
    values: Float32Array.from({ length: rows * dim }, () => rng.normal()),
    dim,
    labels: Int32Array.from({ length: rows }, (_, i) => i % classes),
  };
};

test("features have as many numbers as rows and width say, no more either, and are taken as copies", () => {
  const given = { values: Float32Array.of(1, 2, 3, 4), dim: 2, labels: Int32Array.of(0, 999_999) };
  const settled = settledFeatures("here", "test", given);
  assert.deepEqual(settled, given);
  assert.ok(settled.values !== given.values && settled.labels !== given.labels);
  for (const [wrong, said] of [
    [{ dim: 1 }, "4 numbers for 2 rows of 1"],
    [{ dim: 4 }, "4 numbers for 2 rows of 4"],
    [{ labels: [0, 1_000_000] }, "label 1000000"],
    [{ dim: 0.5, labels: Array(8).fill(0) }, "dim is 0.5"],
  ] as const)
    assert.throws(
      () => settledFeatures("here", "test", { ...given, ...wrong } as never),
      isLuvitError("bad-argument", "here: test features", said),
    );
});

test("a probe starts near zero, so that its first loss is that of a guess, the mean over its steps", async () => {
  const given = random(30);
  for (const batchSize of [30, 10, undefined]) {
    const { history, probe } = await trainProbe(given, { epochs: 1, batchSize, seed: 5, ...eager });
    const [{ loss, epoch, model, seed }] = rowsOf(history);
    assert.ok(Math.abs(Number(loss) - Math.log(3)) < 0.05, `${loss}`);
    assert.deepEqual([epoch, model, seed], [0, "linear probe", 5]);
    const state = await probe.stateDict();
    const steps = state.get("head.0.num_batches_tracked")!.data[0];
    assert.equal(steps, batchSize === 10 ? 3 : 1, "all at once where there are no more than 512");
    assert.ok(state.get("head.1.weight")!.data.every((x) => Math.abs(x) < 0.06));
  }
});

test("the rate rises for a ninth of the epochs, but for ten at most", async () => {
  const rates = async (epochs: number) => {
    const { history } = await trainProbe(random(4, 2, 2), { epochs, baseLr: 64, ...eager });
    return rowsOf(history).map(({ lr }) => Number(lr));
  };
  const [short, long] = [await rates(8), await rates(99)];
  assert.equal(short[0], 1, "64 times 4 over 256");
  assert.deepEqual([long[0], long[5], long[10]], [0, 0.5, 1]);
  assert.ok(long[11] < 1);
});

test("weight decay and the rate reach the weights; a test set is told from none", async () => {
  const given = random(12);
  const weights = async (options: object) => {
    const { probe } = await trainProbe(given, {
      epochs: 3,
      baseLr: 100,
      warmupEpochs: 0,
      ...options,
      ...eager,
    });
    return (await probe.stateDict()).get("head.1.weight")!.data as Float32Array;
  };
  const plain = await weights({});
  for (const options of [
    { weightDecay: 0.5 },
    { baseLr: 10 },
    { epochs: 2 },
    { warmupEpochs: 2 },
    { seed: 1 },
  ])
    assert.notDeepEqual(await weights(options), plain, JSON.stringify(options));
  const tested = await trainProbe(given, { epochs: 1, test: random(5), ...eager });
  assert.match(String(tested), /^TrainedProbe\(3 features, 3 classes, 1 epochs, \d+\.00 % right\)$/);
  assert.match(String(await trainProbe(given, { epochs: 1, ...eager })), /1 epochs, not tested\)$/);
  const more = { ...random(5), labels: Int32Array.of(0, 1, 2, 3, 6) };
  assert.equal((await trainProbe(given, { epochs: 1, test: more, ...eager })).probe.classes, 7);
});

test("a probe that is stopped has the epochs until then", async () => {
  const stop = new AbortController();
  const seen: unknown[] = [];
  showWorkWith(({ label, total }) => {
    seen.push([label, total]);
    return {
      advance: (done) => {
        seen.push(done);
        if (done === 2) stop.abort();
      },
      end: (state) => void seen.push(state),
    };
  });
  const { history, accuracy } = await trainProbe(random(6), { epochs: 5, signal: stop.signal, ...eager });
  assert.deepEqual([history.numRows, accuracy], [2, null]);
  await trainProbe(random(6), { epochs: 1, ...eager });
  assert.deepEqual(seen, [["linear probe", 5], 1, 2, "stopped", ["linear probe", 1], 1, "done"]);
});

test("a step takes a tenth of the batch's mean and of its unbiased variance; a trained probe reads by them", async () => {
  const probe = new LinearProbe(2, 2, new Rng(0));
  const [statistics, linear] = probe.head;
  linear.weight.value.assign(tf.tensor2d([[1, 0], [0, 2]])); // biome-ignore format: a matrix
  const features = tf.tensor2d([[1, 2], [3, 6]]); // biome-ignore format: a matrix
  const targets = tf.tensor2d([[1, 0], [1, 0]]); // biome-ignore format: a matrix
  const buffers = { "head.1.weight.mu": tf.zeros([2, 2]), "head.1.bias.mu": tf.zeros([2]) };
  const made = probe.step(features, targets, tf.scalar(0.5), buffers);
  assertClose(made["head.0.running_mean"].dataSync(), [0.2, 0.4], 1e-6);
  assertClose(made["head.0.running_var"].dataSync(), [0.9 + 0.2, 0.9 + 0.8], 1e-6);
  assert.equal(made["head.0.num_batches_tracked"].dataSync()[0], 1);
  assertClose(made.logits.dataSync(), [-1, -2, 1, 2], 1e-5, "normed by the biased variance to -1 and 1");
  const loss = (a: number, b: number) => Math.log(Math.exp(a) + Math.exp(b)) - a;
  assertClose(made.loss.dataSync(), [(loss(-1, -2) + loss(1, 2)) / 2], 1e-5);
  const wrong = (a: number, b: number) => 1 / (1 + Math.exp(a - b));
  const slope = (wrong(-1, -2) + wrong(1, 2)) / 2;
  assertClose(made["head.1.bias.gradient"].dataSync(), [-slope, slope], 1e-5);
  assertClose(made["head.1.bias"].dataSync(), [0.5 * slope, -0.5 * slope], 1e-5);
  assertClose(made["head.1.bias.mu"].dataSync(), [-slope, slope], 1e-5);
  statistics.running_mean.value.assign(tf.tensor1d([1, 2]));
  statistics.running_var.value.assign(tf.tensor1d([4, 9]));
  linear.bias!.value.assign(tf.tensor1d([10, 20]));
  assertClose(probe.forward(tf.tensor2d([[3, 8]])).dataSync(), [11, 24], 1e-5);
});

test("rows of zeros are like nothing, and what cannot be compared is told with its numbers", async () => {
  const known = { values: Float32Array.of(0, 0, 3, 0, 0, 2), dim: 2, labels: Int32Array.of(0, 1, 2) };
  const asked = { values: Float32Array.of(0, 0, 0, 5), dim: 2, labels: Int32Array.of(0, 2) };
  const [one] = await nearestNeighbors(known, asked, { k: [1], ...eager });
  assert.deepEqual([[...one.predictions], one.top1, one.votes.every(Number.isFinite)], [[0, 2], 100, true]);
  const empty = { values: new Float32Array(0), dim: 2, labels: new Int32Array(0) };
  for (const [from, to, options, said] of [
    [known, asked, { classes: 2, k: [1] }, "labels up to 2, 2 classes"],
    [known, empty, { k: [1] }, "3 training and 0 test samples"],
    [known, asked, { k: [4, 5] }, "k is 4, with 3 training samples; k is 5"],
    [known, asked, {}, "3 training samples; say k"],
  ] as const)
    await assert.rejects(nearestNeighbors(from, to, { ...options }), isLuvitError("bad-argument", said));
  assert.deepEqual([...known.values], [0, 0, 3, 0, 0, 2], "features are left as they are");
});

test("components and likenesses of too few or broken rows are refused with their numbers", () => {
  for (const [values, dim, count, said] of [
    [[1, 2, 3], 3, 1, "3 numbers, dim 3, 1 components"],
    [[1, 2, 3, 4, 5], 2, 1, "5 numbers"],
    [[1, 2, 3, 4], 2, 3, "3 components"],
  ] as const)
    assert.throws(() => principalComponents(values, dim, count), isLuvitError("bad-argument", said));
  const of = (...values: number[]) => ({ values, dim: 1 });
  assert.throws(() => cka([of(1)]), isLuvitError("bad-argument", "at least 2, got 1"));
  assert.throws(() => cka([of(1, 2), { values: [1, 2, 3], dim: 2 }]), isLuvitError("bad-argument", "2, 1.5"));
  assert.throws(() => cka([]), isLuvitError("bad-argument", "representations"));
  assert.throws(
    () => cka([of(1, 2), of(1, Number.NaN), of(Number.POSITIVE_INFINITY, 1)]),
    isLuvitError("non-finite", "representation 1", "representation 2"),
  );
  assert.ok(Number.isNaN(cka([of(3, 3)])[0]), "of equal examples nothing is known");
  const given = [5, 1, 4, 4];
  principalComponents(given, 2, 1);
  cka([{ values: given, dim: 2 }]);
  assert.deepEqual(given, [5, 1, 4, 4]);
});

test("a matrix of a few directions has those and zeros, equal ones at right angles", () => {
  const n = 30;
  const along = [0, 7].map((place) => Float64Array.from({ length: n }, (_, i) => Number(i === place)));
  const matrix = Float64Array.from({ length: n * n }, (_, i) => 4 * along[0][Math.floor(i / n)] * along[0][i % n] + 4 * along[1][Math.floor(i / n)] * along[1][i % n]); // biome-ignore format: one sum
  const { values, vectors } = symmetricEigen(matrix, n, 4);
  assertClose(values, [4, 4, 0, 0], 1e-9);
  for (let a = 0; a < 4; a++)
    for (let b = 0; b <= a; b++) {
      const product = vectors
        .subarray(a * n, (a + 1) * n)
        .reduce((sum, x, i) => sum + x * vectors[b * n + i], 0);
      assert.ok(Math.abs(product - Number(a === b)) < 1e-8, `${a} ${b}`);
    }
  const small = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2, 2);
  assertClose(small.values, [3, 1], 1e-12);
});
