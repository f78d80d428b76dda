import assert from "node:assert/strict";
import { test } from "node:test";
import * as recipes from "../../../src/train/answerRecipes";

const llava = { epochs: 1, accumulate: 8, minLr: 0, warmupEpochs: 0.03, weightDecay: 0 };
const toy = { batchSize: 32, minLr: 0, warmupEpochs: 0.5, weightDecay: 0 };

test("answer recipes are those of LLaVA-1.5's scripts, and the toy's are what they are", () => {
  assert.deepEqual(recipes.align, { ...llava, stage: "align", batchSize: 32, lr: 1e-3 });
  assert.deepEqual(recipes.instruct, { ...llava, stage: "instruct", batchSize: 16, lr: 2e-5 });
  assert.deepEqual(recipes.alignToy, { ...toy, stage: "align", epochs: 4, lr: 2e-3 });
  assert.deepEqual(recipes.instructToy, { ...toy, stage: "instruct", epochs: 8, lr: 1e-3 });
});
