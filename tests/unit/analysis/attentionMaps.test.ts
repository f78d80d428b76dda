import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { attentionMaps } from "../../../src/analysis/attentionMaps";
import { rowEntropy } from "../../../src/analysis/entropy";
import { quantizeRows, rowWeights } from "../../../src/analysis/quantizedRows";
import { rolloutThrough } from "../../../src/analysis/rollout";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import { unnormalize } from "../../../src/data/pixels/normalize";
import * as transforms from "../../../src/data/transforms";
import { type Classifier, create } from "../../../src/models/classifier";
import {
  assertRejects,
  maskedImages,
  type Region,
  temporaryFolder,
  tinyLuvit,
  tinyMae,
  writeImages,
} from "./support";

before(async () => void (await startBackend()));

const quarters: Region[][] = [
  ["object", "ground", "ground", "ground"],
  ["ground", "object", "object", "ignored"],
];

/** Every attention pattern [H, T, T] of an image, by layer, straight from the model. */
function patternsOf(model: Classifier, image: Float32Array): Map<string, Tensor> {
  const patterns = new Map<string, Tensor>();
  const tap = (name: string, value: Tensor) => {
    if (name.endsWith(".pattern"))
      patterns.set(name.replace(/\.[a-z]+\.pattern$/, ""), tf.squeeze(value, [0]));
  };
  model.tokens(tf.tensor(image, [1, 3, 16, 16]), { tap });
  return patterns;
}

const greatestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  assert.equal(a.length, b.length);
  return Array.from(a, (value, i) => Math.abs(value - b[i])).reduce((x, y) => Math.max(x, y), 0);
};

test("a row in bytes is wrong by at most a 510th of its greatest weight", () => {
  const rng = new Rng(1);
  const weights = Float32Array.from({ length: 40 * 197 }, () => rng.uniform() ** 6);
  const rows = quantizeRows(weights, 197);
  assert.deepEqual([rows.levels.length, rows.greatest.length], [40 * 197, 40]);
  for (let row = 0; row < 40; row++) {
    const exact = weights.subarray(row * 197, (row + 1) * 197);
    const most = exact.reduce((a, b) => Math.max(a, b));
    assert.equal(rows.greatest[row], most);
    const restored = rowWeights(rows, row);
    assert.ok(greatestDifference(restored, exact) <= most / 510 + 1e-7);
    assert.ok(Math.abs(restored[exact.indexOf(most)] - most) < 1e-7, "the greatest weight is kept");
  }
});

test("rows of zeros stay zero, and weights that are no whole number of rows are refused", () => {
  assert.deepEqual([...rowWeights(quantizeRows(new Float32Array(6), 3), 1)], [0, 0, 0]);
  assert.throws(() => quantizeRows(new Float32Array(7), 3), /7 weights are no whole number of rows of 3/);
});

test("every layer's rows, entropies and names are those of the model", async () => {
  const set = await maskedImages(quarters);
  const model = tinyLuvit();
  const maps = await attentionMaps(model, set, { index: 1 });
  assert.deepEqual(
    maps.layers.map(({ layer, heads }) => [layer, heads]),
    [
      ["blocks.0", 2],
      ["blocks.1", 2],
      ["llama.layers.0", 2],
    ],
  );
  assert.deepEqual([maps.grid, maps.tokens, maps.sample.path], [{ rows: 2, columns: 2 }, 5, set.path(1)]);
  assert.deepEqual([...maps.sample.foreground!], [0, 1, 1, 0]);
  const patterns = patternsOf(model, maps.sample.image);
  for (const { layer, pattern, entropy } of maps.layers) {
    const exact = patterns.get(layer)!;
    const weights = exact.dataSync<"float32">();
    for (let row = 0; row < 2 * 5; row++) {
      const error = greatestDifference(rowWeights(pattern, row), weights.subarray(5 * row, 5 * row + 5));
      assert.ok(error <= pattern.greatest[row] / 510 + 1e-6);
    }
    const expected = rowEntropy(tf.expandDims(exact, 0)).dataSync();
    assert.ok(greatestDifference(entropy, expected) < 1e-5);
  }
});

test("rollout is the product of half mean attention, half identity, over all layers up to a layer", async () => {
  const model = tinyLuvit();
  const maps = await attentionMaps(model, await maskedImages(quarters));
  const patterns = patternsOf(model, maps.sample.image);
  let expected: number[][] = Array.from({ length: 5 }, (_, i) =>
    Array.from({ length: 5 }, (_, j) => (i === j ? 1 : 0)),
  );
  for (const { layer, rollout } of maps.layers) {
    const heads = patterns.get(layer)!.arraySync() as number[][][];
    const mixing = expected.map((_, i) =>
      expected.map((_, j) => (heads[0][i][j] + heads[1][i][j]) / 4 + (i === j ? 0.5 : 0)),
    );
    const before = expected;
    expected = mixing.map((row) =>
      before[0].map((_, j) => row.reduce((sum, weight, k) => sum + weight * before[k][j], 0)),
    );
    for (let row = 0; row < 5; row++) {
      const weights = rowWeights(rollout, row);
      assert.ok(greatestDifference(weights, expected[row]) <= rollout.greatest[row] / 510 + 1e-6, layer);
      assert.ok(Math.abs(expected[row].reduce((a, b) => a + b) - 1) < 1e-6);
    }
  }
});

test("one layer of rollout keeps half of a token in its place", () => {
  const pattern = tf.tensor([[[[0.2, 0.8], [0.6, 0.4]], [[0.4, 0.6], [0, 1]]]]); // biome-ignore format: one matrix per head
  assert.ok(greatestDifference(rolloutThrough(pattern).dataSync(), [0.65, 0.35, 0.15, 0.85]) < 1e-6);
});

test("layers can be chosen without changing the rollout, and unknown ones are refused by name", async () => {
  const set = await maskedImages(quarters);
  const model = tinyLuvit();
  const all = await attentionMaps(model, set);
  const last = await attentionMaps(model, set, { layers: ["blocks.1"] });
  assert.deepEqual(
    last.layers.map(({ layer }) => layer),
    ["blocks.1"],
  );
  assert.deepEqual(last.layers[0].rollout.levels, all.layers[1].rollout.levels);
  await assertRejects(
    attentionMaps(model, set, { layers: ["blocks.1", "blocks.9"] }),
    "bad-argument",
    "blocks.9",
    "blocks.0, blocks.1, llama.layers.0",
  );
});

test("an image alone gives what the same image of a set gives; a pretrained encoder can be looked into", async () => {
  const set = await maskedImages(quarters);
  const model = tinyLuvit();
  const ofSet = await attentionMaps(model, set, { index: 1 });
  const image = unnormalize(ofSet.sample.image, 16, 16);
  const alone = await attentionMaps(model, image);
  assert.deepEqual(alone.layers[2].pattern.levels, ofSet.layers[2].pattern.levels);
  assert.equal(alone.sample.foreground, undefined);
  const wide = { width: 40, height: 20, data: new Uint8Array(40 * 20 * 3).fill(90) };
  const pretrained = await attentionMaps(tinyMae(), wide);
  assert.match(String(pretrained), /^AttentionMaps\(image, 2 × 2 patches: blocks\.0 \(2 heads\), blocks\.1/);
});

test("an unreadable image is named, not replaced by the next", async () => {
  const folder = await writeImages(temporaryFolder(), 2);
  writeFileSync(join(folder, "green", "0.png"), "not an image");
  const set = await imageFolder(folder, { transform: transforms.none(24) });
  await assertRejects(attentionMaps(tinyMae(), set), "bad-argument", "24 px", "16 px");
  const fitting = await imageFolder(folder, { transform: transforms.evaluation(16) });
  await assertRejects(attentionMaps(tinyMae(), fitting), "bad-dataset", join("green", "0.png"));
});

test("every engine finds the same maps, and no tensor stays behind", async () => {
  const set = await maskedImages(quarters);
  const model = tinyLuvit();
  const eager = await attentionMaps(model, set, { engine: "eager" });
  const { numTensors } = tf.memory();
  const again = await attentionMaps(model, set, { engine: "eager" });
  assert.equal(tf.memory().numTensors, numTensors);
  const graph = await attentionMaps(model, set, { engine: "onnxruntime" });
  for (const other of [again, graph]) {
    for (const [i, layer] of other.layers.entries()) {
      assert.ok(greatestDifference(layer.entropy, eager.layers[i].entropy) < 1e-5);
      assert.ok(greatestDifference(layer.pattern.levels, eager.layers[i].pattern.levels) <= 1);
      assert.ok(greatestDifference(layer.rollout.greatest, eager.layers[i].rollout.greatest) < 1e-6);
    }
  }
});

test("a layer is named whole: the one of that name, not those whose names begin so", async () => {
  const encoder = { imageSize: 16, patchSize: 8, dim: 8, depth: 12, heads: 2, mlpRatio: 1 };
  const model = create({ encoder, classes: 2, seed: 1 });
  const image = { data: new Uint8Array(3 * 16 * 16).fill(7), width: 16, height: 16 };
  const named = async (...layers: string[]) =>
    (await attentionMaps(model, image, { layers, engine: "eager" })).layers.map(({ layer }) => layer);
  assert.deepEqual(await named("blocks.1"), ["blocks.1"]);
  assert.deepEqual(await named("blocks.11", "blocks.0"), ["blocks.0", "blocks.11"]);
  await assertRejects(named("blocks"), "bad-argument", "blocks");
});
