import assert from "node:assert/strict";
import { before, test } from "node:test";
import { lens, trainLensProbes } from "../../../../src/analysis";
import { lensOf } from "../../../../src/analysis/lens/lens";
import { startBackend, tf } from "../../../../src/core/tf";
import { imageFolder, transforms, wholeImages } from "../../../../src/data";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { temporaryFolder, tinyClassifier, writeImages } from "../../train/support";

before(() => startBackend());

const eager = { engine: "eager" } as const;

async function given() {
  const model = tinyClassifier();
  perturb(model);
  const transform = transforms.evaluation(16);
  return { model, set: await imageFolder(await writeImages(temporaryFolder(), 2), { transform }) };
}

const image = (width: number, height: number) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37) % 256),
});

test("probes read images of several shapes in one call as each alone", async () => {
  const { model, set } = await given();
  const sites = ["blocks.0.out"];
  const probes = await trainLensProbes(model, set, { sites, epochs: 1, baseLr: 100, ...eager });
  const shapes = [image(16, 16), image(24, 16), image(16, 24), image(16, 16)];
  const load = shapes.map((one) => wholeImages(one, { patch: 8 }));
  const alone = await Promise.all(load.map(async (one) => (await probes.lens(one, eager))[0]));
  const [first] = load;
  const together = Object.assign(Object.create(first) as typeof first, {
    length: 4,
    path: (index: number) => `image ${index}`,
    load: async (index: number, ...rest: [never]) => ({ ...(await load[index].load(0, ...rest)), index }),
  });
  const all = await probes.lens(together, eager);
  assert.deepEqual(all.map(({ grid }) => [grid.rows, grid.columns]), [[2, 2], [2, 3], [3, 2], [2, 2]]); // biome-ignore format: one call
  for (const [i, { sites }] of all.entries()) {
    assertClose(sites[0].logits, alone[i].sites[0].logits, 1e-6);
    assertClose(sites[0].pooled, alone[i].sites[0].pooled, 1e-6);
    assert.equal(sites[0].logits.length, 2 * (1 + all[i].grid.rows * all[i].grid.columns));
  }
});

test("probes are trained as they are asked to be, and not at all once they are stopped", async () => {
  const { model, set } = await given();
  const options = {
    sites: ["embed", "blocks.1.out"],
    epochs: 2,
    seed: 4,
    baseLr: 100,
    warmupEpochs: 0,
    ...eager,
  };
  const weights = async (more: object) => {
    const { probes } = await trainLensProbes(model, set, { ...options, ...more });
    const { probe, history } = probes.get("blocks.1.out")!;
    return { history, weight: (await probe.stateDict()).get("head.1.weight")!.data as Float32Array };
  };
  const plain = await weights({});
  assert.deepEqual(
    [plain.history.numRows, plain.history.get(0)!.seed, plain.history.get(0)!.accuracy],
    [2, 4, null],
  );
  assert.deepEqual((await weights({ batchSize: 3 })).weight, plain.weight, "however images are gathered");
  for (const more of [{ seed: 5 }, { epochs: 1 }, { baseLr: 10 }, { weightDecay: 1 }, { warmupEpochs: 2 }])
    assert.notDeepEqual((await weights(more)).weight, plain.weight, JSON.stringify(more));
  await assert.rejects(
    trainLensProbes(model, set, { ...options, signal: AbortSignal.abort() }),
    isLuvitError("interrupted", "trainLensProbes"),
  );
});

test("the lens reads each place that is asked for, in the order of the model, image by image", async () => {
  const { model, set } = await given();
  const wanted = ["blocks.1.out", "embed"];
  const maps = await lens(model, set, { sites: wanted, batchSize: 3, ...eager });
  assert.equal(maps.length, 4);
  for (const { sample, sites, classes } of maps) {
    assert.deepEqual([sites.map(({ site }) => site), classes], [["embed", "blocks.1.out"], 2]);
    const found = lensOf(model, tf.tensor(sample.image, [1, 3, 16, 16]));
    for (const { site, logits, pooled } of sites) {
      assertClose(logits, found.get(site)!.logits.dataSync(), 1e-5);
      assertClose(pooled, found.get(site)!.pooled.dataSync(), 1e-5);
    }
  }
});
