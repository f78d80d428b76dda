import { afterEach, before, test } from "node:test";
import { inspect } from "node:util";
import { largest } from "../../../../src/analysis/probe/largest";
import { LinearProbe } from "../../../../src/analysis/probe/linearProbe";
import { nearestNeighbors } from "../../../../src/analysis/probe/nearestNeighbors";
import { openProbe } from "../../../../src/analysis/probe/openProbe";
import { settledFeatures } from "../../../../src/analysis/probe/settledFeatures";
import { TrainedProbe, trainProbe } from "../../../../src/analysis/probe/trainProbe";
import { rowsOf } from "../../../../src/analysis/provenance";
import { showWorkWith } from "../../../../src/core/progress";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { Calls } from "../../../support/calls";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const wave = (length: number, step = 0.7) =>
  Float32Array.from({ length }, (_, i) => Math.sin(step * i) + (i % 5) / 3);
const features = (count: number, dim = 3, classes = 3, step = 0.7) => ({
  values: wave(count * dim, step),
  dim,
  labels: Int32Array.from({ length: count }, (_, i) => (i + Math.floor(i / 4)) % classes),
});

test("features that can be and that cannot are approved", async () => {
  const calls = new Calls();
  for (const k of [0, 1, 2, 3, 5, 9, 20]) await calls.of(largest, [3, 1, 4, 1, 5, 9, 2, 6, 5], k);
  await calls.of(largest, [2, 2, 2, 2], 3);
  await calls.of(largest, [], 3);
  for (const k of [1, 2, 7, 16, 33]) await calls.of(largest, wave(33, 2.3), k);
  const settled = (given: unknown) => settledFeatures("probe", "training", given as never);
  const good = { values: [1, 2, 3, 4, 5, 6], dim: 3, labels: [0, 2] };
  for (const given of [
    good,
    { ...good, values: new Float64Array(6), labels: new Uint8Array(2) },
    { ...good, dim: 2 },
    { ...good, dim: 0 },
    { ...good, dim: 1.5 },
    { ...good, dim: "3" },
    { ...good, labels: [0, -1] },
    { ...good, labels: [0, 1.5] },
    { ...good, labels: [0, 999_999] },
    { ...good, labels: [0, 1_000_000] },
    { ...good, labels: [0] },
    { ...good, labels: [0, 1, 2] },
    { ...good, labels: "01" },
    { ...good, values: "123456" },
    { ...good, values: new DataView(new ArrayBuffer(24)) },
    { ...good, values: [1, 2, 3, 4, 5, Number.NaN] },
    { ...good, values: [1, 2, 3, 4, 5, Number.POSITIVE_INFINITY] },
    { values: [], dim: 3, labels: [] },
    {},
    undefined,
    { dim: Number.NaN, values: 1, labels: 2 },
  ])
    await calls.of(settled, given);
  calls.approve("analysis/probe/features");
});

test("votes of neighbors are approved", async () => {
  const calls = new Calls();
  const [train, asked] = [features(13), features(4, 3, 3, 1.9)];
  const votes = (known: unknown, test: unknown, options: object = {}) =>
    nearestNeighbors(known as never, test as never, { ...eager, ...options });
  for (const options of [
    {},
    { k: [1] },
    { k: [3, 13, 1] },
    { k: [5], temperature: 1 },
    { k: [2], temperature: 0.02 },
    { k: [4], classes: 7 },
    { k: [4], classes: 3 },
    { k: [4], classes: 2 },
    { k: [14] },
    { k: [0] },
    { k: [] },
    { k: [1.5] },
    { temperature: 0.001 },
    { temperature: 0 },
    { classes: 0 },
    { other: 1 },
  ])
    await calls.once(JSON.stringify(options), () => votes(train, asked, options));
  await calls.once("more than a batch", () => votes(features(25), features(70, 3, 3, 1.9), { k: [2, 20] }));
  await calls.once("by itself, of 25", async () => (await votes(features(25), asked)).map(({ k }) => k));
  await calls.once("a row of zeros", () =>
    votes(train, { values: new Float32Array(3), dim: 3, labels: [1] }, { k: [13] }),
  );
  await calls.once("another width", () => votes(train, features(2, 2), { k: [1] }));
  await calls.once("nothing known", () => votes({ values: [], dim: 3, labels: [] }, asked));
  await calls.once("nothing asked", () => votes(train, { values: [], dim: 3, labels: [] }, { k: [1] }));
  await calls.once("few known", () => votes(features(9), asked));
  await calls.once("more than fits into memory", () =>
    votes(
      { values: new Float32Array(3), dim: 3, labels: [999_999] },
      { values: new Float32Array(3 * 1100), dim: 3, labels: new Int32Array(1100) },
      { k: [1] },
    ),
  );
  calls.approve("analysis/probe/neighbors");
});

test("probes and how they learn are approved", async () => {
  const calls = new Calls();
  const probe = () => new LinearProbe(3, 4, new Rng(5));
  const fresh = probe();
  calls.note(
    "state",
    [...(await fresh.stateDict())].map(
      ([name, { shape, data }]) =>
        `${name} [${shape}] ${Array.from(data as Float32Array, (x) => x.toFixed(4))}`,
    ),
  );
  calls.note(
    "trainable",
    [...fresh.namedParameters()].map(([path, { trainable }]) => `${path} ${trainable}`),
  );
  const numbers = (shape: number[], step: number) =>
    tf.tensor(
      wave(
        shape.reduce((a, b) => a * b, 1),
        step,
      ),
      shape,
    );
  for (const [, parameter] of fresh.namedParameters()) void parameter.value;
  await calls.does("forward", () => tf.tidy(() => fresh.forward(numbers([2, 3], 0.9))));
  for (const options of [undefined, { weightDecay: 0.5 }])
    await calls.does(`step ${JSON.stringify(options)}`, () =>
      tf.tidy(() =>
        fresh.step(
          numbers([5, 3], 0.9),
          tf.oneHot(tf.tensor1d([0, 3, 1, 1, 2], "int32"), 4).toFloat(),
          tf.scalar(0.5),
          { "head.1.weight.mu": numbers([4, 3], 0.2), "head.1.bias.mu": numbers([4], 0.4) },
          options,
        ),
      ),
    );
  const own = probe();
  const training = await openProbe(own, 2, { weightDecay: 0.1 }, eager);
  for (const rate of [1, 0.5])
    await calls.once(`a step at ${rate}`, () => training.step(wave(6, 1.1), [3, 1], rate));
  await calls.once("buffers", () => training.buffers());
  calls.note(
    "before sync",
    [...(await own.stateDict())].map(([, { data }]) => Array.from(data as Float32Array)),
  );
  await calls.once("sync", () => training.sync());
  calls.note(
    "after sync",
    [...(await own.stateDict())].map(([, { data }]) => Array.from(data as Float32Array)),
  );
  await training.dispose();
  const log: unknown[] = [];
  showWorkWith((work) => {
    log.push(work);
    return { advance: (done) => void log.push(done), end: (state) => void log.push(state) };
  });
  const trained = async (of: unknown, options: object = {}) => {
    const found = await trainProbe(of as never, { epochs: 3, ...eager, ...options });
    return {
      text: String(found),
      accuracy: found.accuracy,
      history: rowsOf(found.history).map(({ commit: _, ...row }) => row),
      state: [...(await found.probe.stateDict())].map(([name, { data }]) => [
        name,
        Array.from(data as Float32Array),
      ]),
    };
  };
  const [train, held] = [features(11), features(5, 3, 3, 1.9)];
  for (const options of [
    {},
    { epochs: 10, batchSize: 4 },
    { epochs: 9, batchSize: 10, baseLr: 40, warmupEpochs: 0 },
    { test: held, baseLr: 40, batchSize: 5 },
    { test: features(3, 3, 6), epochs: 1 },
    { seed: 4, weightDecay: 0.5, batchSize: 2, epochs: 2, baseLr: 20 },
    { epochs: 2, warmupEpochs: 2 },
    { batchSize: 1000 },
  ]) {
    await calls.once(JSON.stringify(options), () => trained(train, options));
    calls.note("shown", log.splice(0));
  }
  const stop = new AbortController();
  showWorkWith(() => ({
    advance: (done) => {
      log.push(done);
      if (done === 2) stop.abort();
    },
    end: (state) => void log.push(state),
  }));
  await calls.once(
    "stopped",
    async () =>
      rowsOf((await trainProbe(train, { epochs: 5, signal: stop.signal, ...eager })).history).length,
  );
  calls.note("shown", log.splice(0));
  await calls.once("aborted before", () => trained(train, { signal: AbortSignal.abort(), test: held }));
  for (const options of [
    { epochs: 0 },
    { epochs: 1.5 },
    { batchSize: 1 },
    { baseLr: 0 },
    { baseLr: -1 },
    { weightDecay: -1 },
    { warmupEpochs: -1 },
    { seed: -1 },
    { test: {} },
    { test: features(3, 2) },
    { test: { values: [], dim: 3, labels: [] } },
    { other: 1 },
  ])
    await calls.once(JSON.stringify(options), () => trained(train, options));
  await calls.once("one sample", () => trained(features(1)));
  await calls.once("one sample and no test", () =>
    trained(features(1), { test: { values: [], dim: 2, labels: [] } }),
  );
  await calls.once("too large", () => trained({ ...train, values: train.values.map((x) => 1e30 * x) }));
  await calls.once("not finite", () =>
    trained({ ...train, values: train.values.map((x, i) => (i === 4 ? Number.NaN : x)) }),
  );
  const table = { numRows: 7 } as never;
  for (const accuracy of [null, 0, 33.333])
    await calls.does(`text with ${accuracy}`, () => [
      String(new TrainedProbe(fresh, table, accuracy)),
      inspect(new TrainedProbe(fresh, table, accuracy)),
    ]);
  calls.approve("analysis/probe/training");
});
