import assert from "node:assert/strict";
import { before, test } from "node:test";
import { extractFeatures, trainLensProbes } from "../../../../src/analysis";
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
