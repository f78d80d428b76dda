import assert from "node:assert/strict";
import { before, test } from "node:test";
import { nearestNeighbors, trainProbe } from "../../../../src/analysis";
import { largest } from "../../../../src/analysis/probe/largest";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { isLuvitError } from "../../nn/support";

before(() => startBackend());

/** Features around one center per class, far apart. */
function clouds(seed: number, count = 60, dim = 6, classes = 3) {
  const rng = new Rng(seed);
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  const values = Float32Array.from({ length: count * dim }, (_, i) => {
    const label = labels[Math.floor(i / dim)];
    return (i % dim === label ? 4 : 0) + rng.normal();
  });
  return { values, dim, labels };
}

test("a probe learns clouds apart, the same on each engine, and says so epoch by epoch", async () => {
  const [train, other] = [clouds(1), clouds(2)];
  const options = { test: other, epochs: 50, batchSize: 4, baseLr: 100 };
  const eager = await trainProbe(train, { ...options, engine: "eager" });
  assert.equal(eager.history.numRows, 50);
  const [first, last] = [eager.history.get(0)!, eager.history.get(49)!];
  assert.ok(last.loss < 0.8 * first.loss, `${first.loss} -> ${last.loss}`);
  assert.ok(eager.accuracy! > 90, `${eager.accuracy}`);
  assert.equal(eager.accuracy, last.accuracy);
  const graph = await trainProbe(train, { ...options, engine: "onnxruntime" });
  assert.ok(Math.abs(graph.history.get(49)!.loss - last.loss) < 1e-3);
  const state = await eager.probe.stateDict();
  const keys = [
    "head.0.running_mean",
    "head.0.running_var",
    "head.0.num_batches_tracked",
    "head.1.weight",
    "head.1.bias",
  ];
  assert.deepEqual([...state.keys()].sort(), [...keys].sort());
  assert.equal(state.get("head.0.num_batches_tracked")!.data[0], 50 * 15);
});

test("the same seed gives the same probe, another seed another", async () => {
  const loss = async (seed: number) =>
    (await trainProbe(clouds(1), { seed, epochs: 2, batchSize: 20, engine: "eager" })).history.get(1)!.loss;
  assert.equal(await loss(3), await loss(3));
  assert.notEqual(await loss(3), await loss(4));
});

test("neighbors vote by likeness, whatever the lengths", async () => {
  const train = { values: Float32Array.of(1, 0, 9, 1, 0, 2), dim: 2, labels: Int32Array.of(0, 0, 1) };
  const other = { values: Float32Array.of(100, 1, 0, 0.5), dim: 2, labels: Int32Array.of(0, 1) };
  const [one, all] = await nearestNeighbors(train, other, { k: [1, 3], engine: "eager" });
  assert.deepEqual([...one.predictions], [0, 1]);
  assert.equal(one.top1, 100);
  assert.deepEqual([...all.predictions], [0, 1]);
  assert.ok(Math.abs(one.votes[0] - Math.exp(100 / Math.hypot(100, 1) / 0.07)) / one.votes[0] < 1e-4);
});

test("all of ten samples may vote, and all of twenty", async () => {
  for (const [count, expected] of [
    [10, [10]],
    [19, [10]],
    [20, [10, 20]],
    [100, [10, 20, 100]],
  ] as const) {
    const votes = await nearestNeighbors(clouds(1, count), clouds(2, 6), { engine: "eager" });
    assert.deepEqual(
      votes.map(({ k }) => k),
      expected,
    );
  }
});

test("a probe is right where the label's logit is the greatest, also below zero", async () => {
  const [train, other] = [clouds(1, 40, 6, 5), clouds(2, 200, 6, 5)];
  // Of hardly any training the weights are what they were drawn as.
  const options = { test: other, epochs: 1, batchSize: 40, baseLr: 1e-6, engine: "eager" } as const;
  const { probe, accuracy } = await trainProbe(train, options);
  const logits = tf.tidy(() => probe.forward(tf.tensor(other.values, [200, 6])).dataSync());
  const rows = Array.from({ length: 200 }, (_, i) => [...logits.subarray(5 * i, 5 * i + 5)]);
  const right = rows.filter((row, i) => row.indexOf(Math.max(...row)) === other.labels[i]).length;
  assert.ok(
    rows.some((row, i) => row.every((x) => x < 0) && row.indexOf(Math.max(...row)) === other.labels[i]),
  );
  assert.equal(accuracy, right / 2);
});

test("the largest values come in order, equal ones first come first", () => {
  assert.deepEqual([...largest([3, 9, 3, 1, 9, 3], 4)], [1, 4, 0, 2]);
  const rng = new Rng(5);
  const values = Float64Array.from({ length: 500 }, () => rng.integer(50));
  const sorted = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
  for (const k of [1, 7, 500]) assert.deepEqual([...largest(values, k)], sorted.slice(0, k));
});

test("what does not fit is refused with all its reasons", async () => {
  const train = clouds(1);
  const narrow = clouds(1, 60, 5);
  await assert.rejects(trainProbe(train, { test: narrow }), isLuvitError("bad-argument", "6 and 5 wide"));
  await assert.rejects(
    nearestNeighbors(train, narrow, { k: [100] }),
    isLuvitError("bad-argument", "6 and 5 wide", "k is 100, with 60"),
  );
  await assert.rejects(nearestNeighbors(clouds(1, 6), clouds(2, 6)), isLuvitError("bad-argument", "say k"));
});

test("among the five are the five classes with most votes, and none without a vote", async () => {
  const angles = Array.from({ length: 25 }, (_, i) => (i * Math.PI) / 60);
  const values = (of: number[]) =>
    Float32Array.from(of.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));
  const train = { values: values(angles), dim: 2, labels: Int32Array.from(angles.keys()) };
  const asked = Array.from({ length: 70 }, () => 0);
  const other = { values: values(asked), dim: 2, labels: Int32Array.from(asked, (_, i) => i % 7) };
  const of = (options: object) => nearestNeighbors(train, other, { engine: "eager", ...options });
  assert.deepEqual(
    (await of({ k: [1, 2, 7] })).map(({ k, top1, top5 }) => [
      k,
      Math.round(0.7 * top1),
      Math.round(0.7 * top5),
    ]),
    [
      [1, 10, 10],
      [2, 10, 20],
      [7, 10, 50],
    ],
  );
  assert.deepEqual(
    (await of({})).map(({ k }) => k),
    [10, 20],
    "of 10, 20, 100, 200 those that 25 samples can give",
  );
  const [{ votes }] = await of({ k: [2], temperature: 0.5, classes: 30 });
  assert.equal(votes.length, 70 * 30);
  for (const row of [0, 63, 64, 69])
    for (const label of [0, 1])
      assert.ok(Math.abs(votes[row * 30 + label] - Math.exp(Math.cos(angles[label]) / 0.5)) < 1e-4);
});

test("the rate is MAE's: in proportion to the batch, up in a ninth of the epochs, then down by a cosine", async () => {
  const options = { epochs: 18, batchSize: 8, baseLr: 16, engine: "eager" } as const;
  const { history, accuracy } = await trainProbe(clouds(1, 60), options);
  const steps = 7; // of 8 of 60 samples; 4 are left out, others in each epoch
  for (const { epoch, lr, accuracy } of history.toArray()) {
    const at = epoch + (steps - 1) / steps;
    const part = at < 2 ? at / 2 : (1 + Math.cos((Math.PI * (at - 2)) / 16)) / 2;
    assert.ok(Math.abs(lr - 16 * (8 / 256) * part) < 1e-6, `epoch ${epoch}: ${lr}`);
    assert.equal(accuracy, null, "nothing to test with");
  }
  assert.equal(accuracy, null);
  const warm = await trainProbe(clouds(1, 60), { ...options, epochs: 2, warmupEpochs: 1 });
  assert.ok(Math.abs(warm.history.get(0)!.lr - 0.5 * (6 / 7)) < 1e-6);
});
