import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { attentionEntropy, summarizeEntropy } from "../../../src/analysis/attentionEntropy";
import { entropyShares } from "../../../src/analysis/entropyShares";
import { rowPhases } from "../../../src/analysis/fourier";
import { rowsOf } from "../../../src/analysis/provenance";
import { pseudoMaskIou } from "../../../src/analysis/pseudoMaskIou";
import {
  classAttentionMap,
  distancesFromMean,
  frequencyMap,
  magnitudeMap,
  pseudoMaskOverlap,
} from "../../../src/analysis/pseudoMasks";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { assertClose } from "../nn/support";
import { assertThrows } from "../train/support";
import { assertRejects, maskedImages, type Region, temporaryFolder, tinyLuvit, writeImages } from "./support";

before(async () => void (await startBackend()));

const quarters: Region[][] = [
  ["object", "ground", "ground", "ground"],
  ["ground", "object", "object", "ignored"],
  ["ground", "ground", "object", "object"],
  ["ground", "ground", "ground", "ground"],
];

test("phases are those of the sum that defines the transform, for lengths of any factors", () => {
  const rng = new Rng(5);
  for (const length of [1, 2, 7, 24, 30, 48]) {
    const signal = Array.from({ length }, () => rng.uniform() - 0.5);
    const phases = rowPhases(signal, length);
    for (let bin = 0; bin < length; bin++) {
      const sum = (part: (angle: number) => number) =>
        signal.reduce((total, x, i) => total + x * part((-2 * Math.PI * bin * i) / length), 0);
      const [re, im] = [sum(Math.cos), sum(Math.sin)];
      const turn = Math.atan2(re * Math.sin(phases[bin]) - im * Math.cos(phases[bin]), 1);
      assert.ok(Math.abs(turn) < 1e-12 && re * Math.cos(phases[bin]) + im * Math.sin(phases[bin]) >= 0);
    }
  }
  assert.deepEqual([...rowPhases([-1, -2, -3, -2], 4)].slice(0, 1), [Math.PI], "negative sums have phase pi");
});

test("maps run from 0 to 1, and an image of equal tokens has an empty one", () => {
  const tokens = [1, 0, 0, 1, 1, 0, 9, 0];
  const map = magnitudeMap(tokens, 2);
  assert.deepEqual([Math.min(...map), Math.max(...map), map.indexOf(1)], [0, 1, 3]);
  assert.deepEqual([...frequencyMap([2, 3, 2, 3, 2, 3, 2, 3], 2)], [0, 0, 0, 0]);
  assertThrows(() => distancesFromMean([1, 2, 3], 2), "shape-mismatch", "3 numbers");
  assertThrows(
    () => distancesFromMean([1, 2, 3, 4, 5, 6], 2, { mean: "column" }),
    "shape-mismatch",
    "square",
  );
});

test("overlap counts cells above the threshold, and none that is ignored", () => {
  const map = [0.9, 0.5, 0.2, 1];
  assert.equal(pseudoMaskOverlap(map, 0.5, [1, 1, 0, 0]), 1 / 3);
  assert.equal(pseudoMaskOverlap(map, 0.5, [1, 1, 0, 0], [1, 1, 1, 0]), 1 / 2);
  assert.equal(pseudoMaskOverlap(map, 1, [0, 0, 0, 0]), 0);
});

test("pseudo-masks of a set are those of its tokens, with both rules for the threshold", async () => {
  const [model, set] = [tinyLuvit(), await maskedImages(quarters)];
  const kinds = ["magnitude", "frequency", "attention"] as const;
  const options = { kinds, batchSize: 3, data: "ImageNet-S-50", recipe: "finetuneLuvit", seed: 0 };
  const found = await pseudoMaskIou(model, set, options);
  const rows = rowsOf(found.table);
  assert.equal(rows.length, 4 * 3 * 9);
  const { image, foreground } = await set.load(2, new Rng(0));
  const tokens = tf.tidy(() => {
    let out: Tensor | undefined;
    const tap = (name: string, value: Tensor) => {
      if (name === "blocks.1.out") out = value;
    };
    model.encoder.tokens(tf.tensor(image, [1, 3, 16, 16]), { tap });
    return tf.slice(out!, [0, 1, 0], [1, 4, 16]).dataSync();
  });
  const expected = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map((threshold) =>
    pseudoMaskOverlap(magnitudeMap(tokens, 16), threshold, foreground),
  );
  const third = rows.filter(({ index, kind }) => index === 2 && kind === "magnitude");
  assertClose(
    Float64Array.from(third, ({ iou }) => iou as number),
    Float64Array.from(expected),
    1e-9,
    "iou",
  );
  for (const { kind, bestPerImage, fixed, fixedThreshold } of found.summaries) {
    const of = (index: number) => rows.filter((row) => row.kind === kind && row.index === index);
    const best = [0, 1, 2, 3].map((index) => Math.max(...of(index).map(({ iou }) => iou as number)));
    assert.ok(Math.abs(bestPerImage - (100 * best.reduce((a, b) => a + b)) / 4) < 1e-9);
    const at = rows.filter((row) => row.kind === kind && row.threshold === fixedThreshold);
    assert.ok(Math.abs(fixed - (100 * at.reduce((sum, { iou }) => sum + (iou as number), 0)) / 4) < 1e-9);
    assert.ok(fixed <= bestPerImage);
  }
  assert.match(inspect(found), /ImageNet-S-50\n.*paper: ViT {2}LUViT\n.*\nmagnitude .* 42\.3 +43\.8\n/);
});

test("entropy shares are those of the full table, image by image, beside the paper's", async () => {
  const [model, set] = [tinyLuvit(), await maskedImages(quarters)];
  const shares = await entropyShares(model, { "ImageNet-S-50": set, mine: set.take(2) }, { seed: 4 });
  const table = await attentionEntropy(model, set);
  const { points, percentBackgroundGreater, skipped } = summarizeEntropy(table, "blocks.1");
  const rows = rowsOf(shares.table);
  assert.equal(rows.length, 6);
  const complete = rows.filter((row) => row.data === "ImageNet-S-50" && row.foreground !== null);
  for (const [i, { foreground, background }] of points.entries()) {
    assert.ok(Math.abs((complete[i].foreground as number) - foreground) < 1e-5);
    assert.ok(Math.abs((complete[i].background as number) - background) < 1e-5);
  }
  const share = shares.shares["ImageNet-S-50"];
  assert.deepEqual([share.percentBackgroundGreater, share.skipped], [percentBackgroundGreater, skipped]);
  assert.equal(skipped, 1);
  assert.match(inspect(shares), /ImageNet-S-50 .* 42\.0 +84\.0\nmine .* – +–$/);
});

test("sets without masks and layers there are not are refused", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const model = tinyLuvit();
  await assertRejects(pseudoMaskIou(model, set), "bad-argument", "has no mask");
  await assertRejects(entropyShares(model, { set }), "bad-argument", "has no mask");
  const masked = await maskedImages(quarters);
  await assertRejects(
    pseudoMaskIou(model, masked, { layer: "blocks.9" }),
    "bad-argument",
    "blocks.9",
    "blocks.1",
  );
  await assertRejects(entropyShares(model, { masked }, { layer: "x" }), "bad-argument", "blocks.1");
});

test("where the class token looks is the sum over heads of its row, itself left out, from 0 to 1", () => {
  const tokens = 5;
  const pattern = new Float64Array(2 * tokens * tokens).fill(9); // other rows do not count
  pattern.set([0.9, 0.1, 0.2, 0.3, 0.5], 0);
  pattern.set([0.9, 0.1, 0, 0.1, 0.1], tokens * tokens);
  // Sums 0.2, 0.2, 0.4, 0.6.
  const map = classAttentionMap(pattern, 2);
  assert.equal(map.length, 4);
  for (const [i, expected] of [0, 0, 0.5, 1].entries())
    assert.ok(Math.abs(map[i] - expected) < 1e-12, `${map}`);
});
