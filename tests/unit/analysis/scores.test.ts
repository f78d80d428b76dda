import assert from "node:assert/strict";
import { test } from "node:test";
import { BackgroundReliance } from "../../../src/analysis/backgrounds";
import { gapsIn } from "../../../src/analysis/keptRanges";
import { alexNetErrors } from "../../../src/analysis/suite/corruptionErrors";
import { metricsOf, type SuiteAnswers } from "../../../src/analysis/suite/metrics";

/** AlexNet's errors as LM4VisualEncoding image_classification/utils.py has them, after hendrycks/robustness test.py. */
const published = {
  gaussian_noise: 0.886428,
  shot_noise: 0.894468,
  impulse_noise: 0.92264,
  defocus_blur: 0.81988,
  glass_blur: 0.826268,
  motion_blur: 0.785948,
  zoom_blur: 0.79836,
  snow: 0.866816,
  frost: 0.826572,
  fog: 0.819324,
  brightness: 0.564592,
  contrast: 0.853204,
  elastic_transform: 0.646056,
  pixelate: 0.71784,
  jpeg_compression: 0.6065,
};

/** Answers to 100 images, so many of them right. */
function answered(right: number): ReturnType<SuiteAnswers["get"]> & object {
  const one = (index: number) => ({
    index,
    label: 1,
    prediction: index < right ? 1 : 0,
    inTop5: true,
    loss: 0,
  });
  return new Map(Array.from({ length: 100 }, (_, index) => [index, one(index)]));
}

const metrics = (answers: SuiteAnswers) => {
  const all = metricsOf(answers, { recipe: "finetuneLuvit", classes: 1000 });
  return new Map(all.map(({ metric, value }) => [metric, value]));
};

test("AlexNet's corruption errors are the published ones, for the fifteen corruptions of the benchmark", () => {
  assert.deepEqual(alexNetErrors, published);
});

test("a corruption error is the error over AlexNet's, and their mean is mCE", () => {
  const rights = Object.keys(published).map((_, i) => 20 + 3 * i);
  const answers: SuiteAnswers = new Map(
    Object.keys(published).map((type, i) => [`c/${type}/1`, answered(rights[i])]),
  );
  const ratios = Object.values(published).map((error, i) => (100 - rights[i]) / error);
  const mCE = ratios.reduce((sum, x) => sum + x, 0) / 15;
  assert.ok(Math.abs(metrics(answers).get("mCE of 15 corruptions")! - mCE) < 1e-9);
});

test("ImageNet-9's gaps are what the better background is better by: positive where it helps", () => {
  const splits = { original: 96, mixed_same: 88, mixed_rand: 83 };
  const answers: SuiteAnswers = new Map(
    Object.entries(splits).map(([split, right]) => [`in9/${split}`, answered(right)]),
  );
  const found = metrics(answers);
  assert.equal(found.get("gap mixed_same - mixed_rand"), 5);
  assert.equal(found.get("gap original - mixed_same"), 8);
  assert.equal(found.get("gap original - mixed_rand"), 13);
  assert.equal(new BackgroundReliance(96, 88, 83).backgroundGap, 5);
});

test("ranges in any order leave the gaps that are there, and no others", () => {
  const range = (start: number, end: number) => ({ start, end });
  assert.deepEqual(gapsIn(range(0, 12), [range(8, 12), range(0, 4), range(4, 8)]), []);
  assert.deepEqual(gapsIn(range(0, 12), [range(8, 10), range(0, 4)]), [range(4, 8), range(10, 12)]);
  assert.deepEqual(gapsIn(range(2, 6), [range(0, 3), range(3, 5)]), [range(5, 6)]);
  assert.deepEqual(gapsIn(range(0, 12), [range(0, 8), range(2, 4), range(8, 12)]), []);
  assert.deepEqual(gapsIn(range(0, 3), []), [range(0, 3)]);
});
