import assert from "node:assert/strict";
import { test } from "node:test";
import { BackgroundReliance } from "../../../src/analysis/backgrounds";
import { gapsIn, keepRange, keptRanges } from "../../../src/analysis/keptRanges";
import { answersFolder, answersTable, readAnswers } from "../../../src/analysis/suite/answers";
import { alexNetErrors } from "../../../src/analysis/suite/corruptionErrors";
import { commonFacts, noteShard, readFacts, shardsIn, writeFacts } from "../../../src/analysis/suite/folder";
import { metricsOf, type SuiteAnswers } from "../../../src/analysis/suite/metrics";
import { temporaryFolder } from "../../support/temporaryFolder";
import { isLuvitError } from "../nn/support";

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

test("facts of suites that belong together have the parts of both, and differ in nothing else", () => {
  const provenance = { model: "m", recipe: "r", seed: 0 };
  const one = { sha256: "a", classes: 3, provenance, commit: "x", parts: { in1k: 5, a: 2 } };
  const joined = commonFacts(one, { ...one, commit: "y", parts: { a: 2, r: 4 } }, "here");
  assert.deepEqual(joined, { ...one, commit: "y", parts: { in1k: 5, a: 2, r: 4 } });
  for (const [other, name] of [
    [{ sha256: "b" }, "weights"],
    [{ classes: 4 }, "classes: was 3, now 4"],
    [{ provenance: { ...provenance, model: "n" } }, 'model: was "m", now "n"'],
    [{ provenance: { ...provenance, recipe: undefined } }, "recipe"],
    [{ provenance: { ...provenance, seed: 1 } }, "seed: was 0, now 1"],
    [{ parts: { a: 3 } }, "a, images: was 2, now 3"],
  ] as const)
    assert.throws(
      () => commonFacts(one, { ...one, ...other }, "here"),
      isLuvitError("bad-argument", "here", name),
    );
});

test("facts and shards of a suite are read as they were written, and what a suite does not write is refused", async () => {
  const folder = temporaryFolder();
  assert.equal(await readFacts(folder), undefined);
  const facts = { sha256: "a", classes: 3, provenance: { model: "m" }, commit: "x", parts: { "c/fog/1": 5 } };
  await writeFacts(folder, facts);
  assert.deepEqual(await readFacts(folder), facts);
  for (const wrong of [
    { classes: 0 },
    { sha256: 1 },
    { parts: { "../x": 1 } },
    { parts: { a: -1 } },
    { parts: { a: 0.5 } },
  ]) {
    await writeFacts(folder, { ...facts, ...wrong } as never);
    await assert.rejects(readFacts(folder), isLuvitError("bad-file", "suite.json", Object.keys(wrong)[0]));
  }
  await noteShard(folder, { index: 10, count: 12 }, { a: 4 });
  await noteShard(folder, { index: 13, count: 12 }, { a: 4 }); // no shard
  assert.deepEqual(await shardsIn(folder), [{ index: 10, count: 12, parts: { a: 4 } }]);
});

test("kept answers are those of their file's images, and an image has one answer", async () => {
  const folder = answersFolder(temporaryFolder(), "c/fog/1");
  const answer = (index: number, prediction: number) => ({
    index,
    label: 1,
    prediction,
    inTop5: null,
    loss: 0.5,
  });
  const kept = async (start: number, ...answers: ReturnType<typeof answer>[]) => {
    await keepRange(folder, { start, end: start + 2 }, answersTable(answers));
    return keptRanges(folder).find((range) => range.start === start)!;
  };
  const known = new Map();
  await readAnswers(await kept(0, answer(0, 1), answer(1, -1)), known);
  await readAnswers(await kept(1, answer(1, -1), answer(2, 0)), known);
  assert.deepEqual(
    [...known.values()].map((one) => ({ ...one })),
    [answer(0, 1), answer(1, -1), answer(2, 0)],
  );
  const twice = await kept(2, answer(2, 1));
  await assert.rejects(
    readAnswers(twice, known),
    isLuvitError("bad-file", "image 2 is answered twice", "label 1 as 1"),
  );
  for (const index of [4, 7]) {
    const beside = await kept(5, answer(index, 0));
    await assert.rejects(
      readAnswers(beside, new Map()),
      isLuvitError("bad-file", `image ${index}`, "images 5 to 6"),
    );
  }
});
