import assert from "node:assert/strict";
import { join } from "node:path";
import { before, mock, test } from "node:test";
import { segmentation } from "../../../src/analysis/suite";
import { startBackend } from "../../../src/core/tf";
import { imageNetS, transforms } from "../../../src/data";
import { segmenter, vit } from "../../../src/models";
import type { Segmenter } from "../../../src/models/segmenter";
import type * as Loop from "../../../src/train/loop";
import { openRun } from "../../../src/train/openRun";
import { segmentSsl, segmentSslSup, segmentToy } from "../../../src/train/recipes";
import { type SegmentOptions, segment } from "../../../src/train/segment";
import type { TrainingTask } from "../../../src/train/steps";
import { isLuvitError, repository } from "../nn/support";
import {
  assertRejects,
  assertSameCheckpoint,
  assertThrows,
  losses,
  stopAfter,
  temporaryFolder,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const shapes = join(repository, "data", "shapes");
const semi = () =>
  imageNetS({ root: shapes, split: "train-semi", patch: 8, transform: transforms.segment(64) });
const validation = () =>
  imageNetS({
    images: join(shapes, "val"),
    masks: join(shapes, "segmentation", "validation"),
    patch: 8,
    transform: transforms.none(64),
  });
const small = { ...vit.toy, dim: 16, depth: 2, heads: 2 };
const options: SegmentOptions = {
  epochs: 2,
  batchSize: 4,
  accumulate: 2,
  lr: 1e-2,
  warmupEpochs: 1,
  dropPath: 0.4,
  augment: true,
};
const start = (seed = 3) => segmenter.create({ encoder: small, classes: 7, seed });

test('a tiny segmenter learns the bundled shapes: far above what "other" everywhere gives', async () => {
  const set = await validation();
  const model = segmenter.create({ encoder: vit.toy, classes: 7, seed: 1 });
  const before = (await segmentation(model, set.take(24), { protocol: "square" })).summary.mIoU;
  const run = segment(model, await semi(), { ...segmentToy, out: false, seed: 1 });
  const { history } = await run.done;
  assert.ok(history.at(-1)!.loss < 0.6 * history[0].loss);
  const { summary } = await segmentation(model, set, { protocol: "square" });
  assert.ok(summary.mIoU > 25, `${summary.mIoU} %, ${before} % before`);
});

test("a run that was stopped and resumed equals one that was never stopped, drop path and augmentation included", async () => {
  const set = (await semi()).take(24);
  const folder = temporaryFolder();
  const held = (await validation()).take(5);
  const go = (out: string, resume: boolean) =>
    segment(start(), set, { ...options, validation: held, out, resume });
  const whole = await go(join(folder, "whole"), false).done;
  const out = join(folder, "stopped");
  await stopAfter(go(out, false), 1);
  await stopAfter(go(out, true), 4);
  const rest = await go(out, true).done;
  assert.deepEqual(losses(rest.history), losses(whole.history));
  const scores = (history: typeof rest.history) => history.map(({ squareMIoU }) => squareMIoU);
  assert.deepEqual(scores(rest.history), scores(whole.history));
  assert.equal(scores(rest.history).filter((x) => x !== undefined).length, 2);
  await assertSameCheckpoint(rest.checkpoint, whole.checkpoint);
  const saved = await openRun(out);
  assert.deepEqual([saved.task, saved.done, saved.settings.layerDecay], ["segment", true, 0.6]);
  const opened = (await saved.model()) as Segmenter;
  assert.deepEqual(opened.classNames, set.classes);
  assert.equal(
    (await segmentation(opened, held, { protocol: "square" })).summary.mIoU,
    scores(rest.history).at(-1),
  );
  const other = () =>
    segment(start(), set, { ...options, validation: held, layerDecay: 0.5, out, resume: true }).done;
  await assertRejects(other(), "bad-argument", "layerDecay");
});

test("images and masks are augmented together, by the recipe or by the set's transform, to the same numbers", async () => {
  const set = (await semi()).take(8);
  const plain = set.withTransform(transforms.none(64));
  const lossesOf = async (run: ReturnType<typeof segment>) => losses((await run.done).history);
  const own = await lossesOf(segment(start(), set, { ...options, augment: false, out: false }));
  const byRecipe = await lossesOf(segment(start(), plain, { ...options, out: false }));
  const bare = await lossesOf(segment(start(), plain, { ...options, augment: false, out: false }));
  assert.deepEqual(byRecipe, own);
  assert.notDeepEqual(bare, own);
});

test("a linear probe changes its head and nothing else", async () => {
  const model = segmenter.create({ encoder: small, classes: 7, frozen: true });
  const before = await model.stateDict();
  await segment(model, (await semi()).take(8), { ...options, dropPath: 0, out: false }).done;
  for (const [path, { data }] of await model.stateDict()) {
    const same = before.get(path)!.data.every((value, i) => value === data[i]);
    assert.equal(same, !path.startsWith("head."), path);
  }
});

test("sets of other classes, sizes, or without masks are refused before anything begins", async () => {
  const set = await semi();
  const model = segmenter.create({ encoder: small, classes: 5 });
  const begin =
    (images: unknown, more: object = {}, of = model) =>
    () =>
      segment(of, images as typeof set, { ...options, ...more, out: false });
  assertThrows(begin(set), "bad-argument", "the set has 6 classes", "classes: 7");
  assertThrows(begin(set.images), "bad-argument", "a set with masks");
  const large = set.withTransform(transforms.segment(32));
  assertThrows(begin(large, { augment: false }, start()), "bad-argument", "32 px");
  const turned = segmenter.create({ encoder: small, classes: 7, classNames: [...set.classes].reverse() });
  assertThrows(begin(set, {}, turned), "bad-argument", "in another order");
  assertThrows(
    begin(set, { validation: set.subset([]) }, start()),
    "bad-argument",
    "the validation set is empty",
  );
});

test("the recipes are ImageNet-S's: effective batch 256, and other rates and decays from labels", () => {
  for (const recipe of [segmentSsl, segmentSslSup]) {
    assert.equal(recipe.batchSize * recipe.accumulate!, 256);
    assert.deepEqual(
      [recipe.epochs, recipe.warmupEpochs, recipe.minLr, recipe.dropPath],
      [100, 5, 1e-6, 0.1],
    );
    assert.match(recipe.recipe.cost, /^3,500 steps of 256/);
  }
  assert.deepEqual([segmentSsl.baseLr, segmentSsl.layerDecay], [5e-4, 0.6]);
  assert.deepEqual([segmentSslSup.baseLr, segmentSslSup.layerDecay], [1e-4, 0.4]);
});

test("drop path is what its share says: none at 0, and another loss where there is some", async () => {
  const set = (await semi()).take(8);
  const lossesAt = async (dropPath: number) => {
    const run = segment(start(), set, { ...options, epochs: 1, augment: false, dropPath, out: false });
    return losses((await run.done).history);
  };
  const [first] = await lossesAt(0);
  assert.deepEqual(await lossesAt(0), [first]);
  assert.notEqual((await lossesAt(0.9))[0], first);
});

test("a step's branches are drawn for each batch, its masks are each image's, and one that cannot be is named", async () => {
  const loop = require("../../../src/train/loop") as typeof Loop;
  const begun = mock.method(loop, "startRun", () => undefined as never);
  const model = segmenter.create({ encoder: small, classes: 7, classNames: ["a", "b", "c", "d", "e", "f"] });
  const set = await semi();
  segment(model, set, { ...options, batchSize: 2, augment: false, seed: 3, out: false });
  const [task] = begun.mock.calls[0].arguments as unknown as [TrainingTask<Segmenter>];
  begun.mock.restore();
  assert.deepEqual(model.classNames, set.classes, "the names of what it learned before go");
  const pixels = 64 * 64;
  const batch = (...classes: number[]) => ({
    images: new Float32Array(3 * pixels * classes.length),
    samples: classes.map((id) => ({ ids: new Int32Array(pixels).fill(id) })),
    paths: classes.map((_, i) => `mask ${i}`),
  });
  const fed = (micro: number, ...classes: number[]) => task.feeds(batch(...classes) as never, micro);
  const first = fed(0, 2, 5);
  assert.deepEqual(fed(0, 2, 5), first);
  assert.deepEqual(first.dropPath.shape, [4, 2]);
  const branches = (micro: number) => Array.from(fed(micro, 2, 5).dropPath.data).join();
  assert.ok(new Set([0, 1, 2, 3, 4, 5].map(branches)).size > 1, "six batches are not alike");
  // Twice as many rows and columns as patches, those of the second image behind those of the first.
  assert.deepEqual(Array.from(first.ids.data), [...new Array(256).fill(2), ...new Array(256).fill(5)]);
  assert.throws(() => fed(0, 2, 7), isLuvitError("bad-dataset", "mask 1"));
  assert.throws(() => fed(0, 9, 7), isLuvitError("bad-dataset", "mask 0"));
});
