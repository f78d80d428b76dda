import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { codeVersion } from "../../../src/core/commit";
import { startBackend } from "../../../src/core/tf";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { scaledRate } from "../../../src/optim/schedule";
import { finetune } from "../../../src/train/finetune";
import { pretrain } from "../../../src/train/pretrain";
import { costOf } from "../../../src/train/recipeCost";
import * as recipes from "../../../src/train/recipes";
import { images, pretraining, temporaryFolder, tinyClassifier, tinyMae } from "./support";

before(async () => void (await startBackend()));

const published = [
  recipes.pretrainMae,
  recipes.pretrainMae1600,
  recipes.finetuneLuvit,
  recipes.finetuneMae,
  recipes.supervised,
];

test("effective batches and scaled rates are the published ones", () => {
  const found = published.map(({ batchSize, accumulate, baseLr, epochs, warmupEpochs }) => {
    const effective = batchSize * accumulate!;
    return [effective, Number(scaledRate(baseLr!, effective).toPrecision(6)), epochs, warmupEpochs];
  });
  assert.deepEqual(found, [
    [4096, 2.4e-3, 800, 40],
    [4096, 2.4e-3, 1600, 40],
    [1024, 4e-3, 100, 5],
    [1024, 2e-3, 100, 5],
    [1024, 1e-3, 300, 20],
  ]);
});

test("every recipe says where it comes from, what came out of it and what it costs", () => {
  for (const [name, { recipe }] of Object.entries(recipes)) {
    assert.equal(recipe.name, name);
    for (const text of [recipe.source, recipe.rows, recipe.expected, recipe.cost]) assert.ok(text.length > 3);
  }
  assert.deepEqual(costOf(recipes.pretrainMae), { steps: 249600, images: 249600 * 4096 });
  assert.equal(recipes.finetuneLuvit.recipe.cost, "125,100 steps of 1024 on ImageNet-1K, 128 million images");
});

test("finetuning that is told no more than its steps is regularized as MAE's, without mixing", async () => {
  const options = { epochs: 1, batchSize: 4, lr: 1e-3, warmupEpochs: 0, out: join(temporaryFolder(), "run") };
  const { checkpoint } = await finetune(tinyClassifier(), await images(), options).done;
  const plan = (await readTrainingCheckpoint(checkpoint!)).state.plan as Record<string, unknown>;
  const found = ["dropPath", "layerDecay", "smoothing", "weightDecay", "mix"].map((key) => plan[key]);
  assert.deepEqual(found, [0.1, 0.75, 0.1, 0.05, null]);
});

test("a run's checkpoints name the recipe and the code", async () => {
  const { recipe } = recipes.pretrainMae;
  const options = { ...pretraining, epochs: 1, recipe, out: join(temporaryFolder(), "run") };
  const { checkpoint } = await pretrain(tinyMae(), await images(), options).done;
  const { state } = await readTrainingCheckpoint(checkpoint!);
  assert.equal(state.recipe, "pretrainMae");
  assert.equal(state.commit, codeVersion());
});

test("a cost counts whole batches, whole steps and the epochs of a cool-down", () => {
  const recipe = { epochs: 2, cooldownEpochs: 1, batchSize: 4, accumulate: 2 };
  // 18 images are four batches, 20 are five, of which each two make a step.
  assert.deepEqual(costOf(recipe, 18), { steps: 6, images: 48 });
  assert.deepEqual(costOf(recipe, 20), { steps: 6, images: 48 });
  assert.deepEqual(costOf({ epochs: 1, batchSize: 4 }, 18), { steps: 4, images: 16 });
  assert.deepEqual(costOf({ epochs: 1, batchSize: 1 }), { steps: 1_281_167, images: 1_281_167 });
  for (const [{ recipe: notes }, cost] of [
    [recipes.coco, "183,200 steps of 64 on COCO's train2017, 11.7 million images of 1024 pixels"],
    [recipes.segmentSsl, "3,500 steps of 256 on ImageNet-S-919, 0.9 million images"],
    [recipes.pretrainMae, "249,600 steps of 4096 on ImageNet-1K, 1022 million images"],
  ] as const)
    assert.equal(notes.cost, cost);
});
