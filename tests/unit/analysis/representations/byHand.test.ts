import assert from "node:assert/strict";
import { before, test } from "node:test";
import { attentionDistances, cka, massMask, principalComponents } from "../../../../src/analysis";
import { meanDistance, patchDistances } from "../../../../src/analysis/representations/attentionDistance";
import { median, rowNorms, shareAbove } from "../../../../src/analysis/representations/norms";
import { startBackend, tf } from "../../../../src/core/tf";
import { imageFolder, transforms } from "../../../../src/data";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { temporaryFolder, writeImages } from "../../train/support";
import { tinyLuvit } from "../support";

before(() => startBackend());

test("patches of a map that is wider than high are as far apart as rows and columns say", () => {
  const between = patchDistances({ rows: 2, columns: 4 }, 10);
  const at = (a: number, b: number) => between[a * 8 + b];
  assert.deepEqual([at(0, 3), at(0, 4), at(3, 4), at(7, 0)].map(Math.round), [30, 10, 32, 32]);
  assert.equal(at(5, 5), 0);
});

test("a head's distance is over patches alone, its weights on the class token counting as nothing", () => {
  const pattern = tf.tensor([0.2, 0.4, 0.4, 0.5, 0.25, 0.25, 0.6, 0.3, 0.1], [1, 1, 3, 3]);
  const distances = tf.tensor2d([0, 8, 8, 0], [2, 2]);
  assertClose(meanDistance(pattern, distances).dataSync(), [(8 * 0.25 + 8 * 0.3) / 2], 1e-6);
  assertClose(meanDistance(pattern, distances, true).dataSync(), [(8 * 0.5 + 8 * 0.75) / 2], 1e-6);
});

test("distances of a set are the means over its images, whatever their batches", async () => {
  const model = tinyLuvit();
  perturb(model);
  const set = (
    await imageFolder(await writeImages(temporaryFolder(), 2), { transform: transforms.evaluation(16) })
  ).take(3);
  const of = async (images: typeof set, batchSize: number) =>
    (await attentionDistances(model, images, { engine: "eager", batchSize })).toArray();
  const all = await of(set, 2);
  const single = await Promise.all([0, 1, 2].map((index) => of(set.subset([index]), 1)));
  for (const measure of ["distance", "rescaled"] as const) {
    const means = all.map((_, row) => single.reduce((sum, rows) => sum + rows[row][measure], 0) / 3);
    assertClose(
      all.map((row) => row[measure]),
      means,
      1e-5,
    );
  }
  assert.ok(all.every(({ images }) => images === 3));
});

test("of equal weights the later ones are kept, and a sum of exactly the rest is left out", () => {
  assert.deepEqual([...massMask([2, 2, 1, 1], 0.3)], [0, 1, 0, 0]);
  assert.deepEqual([...massMask([1, 1], 0.5)], [0, 1]);
  assert.deepEqual([...massMask([1, 3], 1)], [1, 1]);
});

/** Computed with numpy from the formulas of Kornblith et al. 2019 and Song et al. 2007. */
test("CKA has numpy's numbers, plain and debiased, and needs four examples to be debiased", () => {
  const x = { values: [1, 2, 3, 0, 2, 5, 4, 4, 0, 1], dim: 2 };
  const y = { values: [1, 2, 2, 5, 0], dim: 1 };
  assertClose([cka([x, y])[1]], [0.6388560323383538], 1e-12);
  assertClose([cka([x, y], { debiased: true })[1]], [0.766820046015339], 1e-12);
  const three = { values: [1, 2, 4], dim: 1 };
  assert.ok(Math.abs(cka([three, three])[1] - 1) < 1e-12);
  assert.throws(
    () => cka([three, three], { debiased: true }),
    isLuvitError("bad-argument", "at least 4, got 3"),
  );
});

test("the middle of an even count is between two, and a value at the border is not above it", () => {
  assert.equal(median([9, 1, 4, 2]), 3);
  assert.equal(median([9, 1, 4]), 4);
  assert.equal(shareAbove([1, 1, 2, 4], 1), 0.5);
  assert.equal(shareAbove([2, 2, 2, 6], 3), 0, "three medians are 6");
  assert.deepEqual([...rowNorms([3, 4, 0, 0, 5, 12], 2)], [5, 0, 13]);
});

test("variance is divided by one less than the rows, and shares are of all channels' variance", () => {
  const { mean, variance, share, projections, colors } = principalComponents([0, 0, 6, 0, 3, 2, 3, -2], 2, 2);
  assert.deepEqual([...mean], [3, 0]);
  assertClose(variance, [18 / 3, 8 / 3], 1e-9);
  assertClose(share, [18 / 26, 8 / 26], 1e-9);
  assertClose(projections, [-3, 0, 3, 0, 0, 2, 0, -2], 1e-9);
  assertClose(colors, [0, 0.5, 1, 0.5, 0.5, 1, 0.5, 0], 1e-9);
  const one = principalComponents([0, 0, 6, 0, 3, 2, 3, -2], 2, 1);
  assertClose(one.share, [18 / 26], 1e-9);
});
