import assert from "node:assert/strict";
import { before, mock, test } from "node:test";
import { extractFeatures, trainLensProbes } from "../../../../src/analysis";
import type * as Probing from "../../../../src/analysis/probe/trainProbe";
import { startBackend, tf } from "../../../../src/core/tf";
import { imageFolder, transforms } from "../../../../src/data";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { temporaryFolder, writeImages } from "../../train/support";
import { tinyLuvit } from "../support";

before(() => startBackend());

async function given() {
  const model = tinyLuvit();
  perturb(model);
  const transform = transforms.evaluation(16);
  const set = await imageFolder(await writeImages(temporaryFolder(), 4), { transform });
  return { model, set };
}

for (const engine of ["eager", "onnxruntime"] as const) {
  test(`a probe reads the mean of its place's patches as it was trained to, and the patches by the same numbers (${engine})`, async () => {
    const { model, set } = await given();
    const sites = ["blocks.0.out", "llama.layers.0.out"];
    const probes = await trainLensProbes(model, set, { sites, test: set, epochs: 3, engine });
    assert.deepEqual([...probes.probes.keys()], sites);
    const [maps] = await probes.lens(set.subset([1]), { engine });
    for (const { site, logits, pooled } of maps.sites) {
      const { probe } = probes.probes.get(site)!;
      const layer = site.replace(/\.out$/, "");
      const { values, dim } = await extractFeatures(model, set.subset([1]), {
        layer,
        pool: "patches",
        engine,
      });
      const read = tf.tidy(() =>
        probe
          .forward(tf.tensor(values, [1, dim]))
          .dataSync()
          .slice(),
      );
      assertClose(pooled, read, 1e-4);
      // A probe is affine: the mean of what the patches say is what it says of their mean.
      const patches = maps.grid.rows * maps.grid.columns;
      const mean = new Float32Array(maps.classes);
      for (let patch = 0; patch < patches; patch++) {
        const row = logits.length / maps.classes - patches + patch;
        for (let k = 0; k < mean.length; k++) mean[k] += logits[row * maps.classes + k] / patches;
      }
      assertClose(mean, pooled, 1e-4);
    }
    assert.ok(maps.at("blocks.0.out", 0).probability > 0);
  });
}

test("all places are probed in one pass, each with its accuracy on held images", async () => {
  const { model, set } = await given();
  const probes = await trainLensProbes(model, set, { test: set, epochs: 2, engine: "eager" });
  const rows = probes.table.toArray().map(({ site, accuracy }) => ({ site, accuracy }));
  assert.deepEqual([rows[0].site, rows.at(-1)!.site], ["embed", "fusion.out"]);
  for (const { accuracy } of rows) assert.ok(accuracy >= 0 && accuracy <= 100);
  assert.match(`${probes}`, /place +right \(%\)/);
});

test("a place that is not there is refused, naming those there are", async () => {
  const { model, set } = await given();
  const asked = trainLensProbes(model, set, { sites: ["blocks.9.out"], engine: "eager" });
  await assert.rejects(asked, isLuvitError("bad-argument", "blocks.9.out", "blocks.0.out"));
});

test("a signal ends a probe after its epoch and leaves the others out; all else that is said reaches every probe", async () => {
  const { model, set } = await given();
  const probing = require("../../../../src/analysis/probe/trainProbe") as typeof Probing;
  const { trainProbe } = probing;
  const stop = new AbortController();
  const told = {
    epochs: 3,
    warmupEpochs: 1,
    baseLr: 0.2,
    weightDecay: 0.1,
    seed: 4,
    engine: "eager",
  } as const;
  const sites = ["embed", "blocks.0.out"];
  const handed: object[] = [];
  const each = (ends: boolean) =>
    mock.method(probing, "trainProbe", (...[features, options]: Parameters<typeof trainProbe>) => {
      handed.push({ ...options, rows: features.labels.length });
      if (ends) stop.abort();
      return trainProbe(features, options);
    });
  const held = set.subset([0, 4, 5]);
  let mocked = each(false);
  const probes = await trainLensProbes(model, set, {
    ...told,
    sites,
    test: held,
    batchSize: 3,
    signal: stop.signal,
  });
  assert.deepEqual(
    [...probes.probes.values()].map(({ history }) => history.numRows),
    [3, 3],
  );
  for (const { rows, test, signal, ...rest } of handed as {
    rows: number;
    test: { labels: Int32Array };
    signal: AbortSignal;
  }[]) {
    assert.deepEqual([rows, [...test.labels], signal], [8, [0, 1, 1], stop.signal]);
    assert.deepEqual(rest, told);
  }
  mocked.mock.restore();
  mocked = each(true);
  const one = await trainLensProbes(model, set, { ...told, sites: ["embed"], signal: stop.signal });
  assert.equal(one.probes.get("embed")!.history.numRows, 0);
  const all = trainLensProbes(model, set, { ...told, sites, signal: stop.signal });
  await assert.rejects(all, isLuvitError("interrupted", "trainLensProbes: stopped"));
  assert.equal(mocked.mock.callCount(), 1, "none is begun behind a stop");
  mocked.mock.restore();
});
