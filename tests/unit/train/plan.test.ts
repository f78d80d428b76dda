import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import { rateAt, warmupCosine } from "../../../src/optim/schedule";
import { drawDropPath, dropPathRates } from "../../../src/train/dropPath";
import { positionOf, settlePlan } from "../../../src/train/plan";
import * as recipes from "../../../src/train/recipes";
import { assertThrows } from "./support";

before(async () => void (await startBackend()));

const ofLength = (length: number) => ({ length }) as ImageDataset;
const imageNet = ofLength(1_281_167);
const betas = [0.9, 0.95] as const;

test("the paper's recipes have the paper's effective batches and rates", () => {
  const pretrain = settlePlan(imageNet, recipes.pretrainMae, betas);
  assert.equal(pretrain.batchSize * pretrain.accumulate, 4096);
  assert.ok(Math.abs(pretrain.schedule.lr - 2.4e-3) < 1e-12);
  assert.deepEqual([pretrain.stepsPerEpoch, pretrain.totalSteps], [312, 249_600]);
  const tuning = settlePlan(imageNet, recipes.finetuneLuvit, betas);
  assert.equal(tuning.batchSize * tuning.accumulate, 1024);
  assert.ok(Math.abs(tuning.schedule.lr - 4e-3) < 1e-12);
  assert.deepEqual([...tuning.betas], [0.9, 0.999]);
});

test("every recipe can be settled, the toy ones on the toy set's 600 images", () => {
  for (const [name, recipe] of Object.entries(recipes)) {
    const plan = settlePlan(name.endsWith("Toy") ? ofLength(600) : imageNet, recipe, betas);
    assert.ok(plan.totalSteps > 0 && plan.schedule.lr > 0, name);
  }
});

test("steps of accumulated batches lie where MAE's loader has them", () => {
  const options = { epochs: 3, batchSize: 2, accumulate: 3, lr: 1, warmupEpochs: 1 };
  const plan = settlePlan(ofLength(17), options, betas);
  assert.deepEqual([plan.batchesPerEpoch, plan.stepsPerEpoch, plan.totalSteps], [8, 2, 6]);
  const positions = [0, 1, 2, 3, 4, 5].map((step) => positionOf(plan, step));
  assert.deepEqual(
    positions.map(({ epoch, batch }) => [epoch, batch]),
    [
      [0, 0],
      [0, 3],
      [1, 0],
      [1, 3],
      [2, 0],
      [2, 3],
    ],
  );
  assert.deepEqual(
    positions.map(({ fraction }) => fraction),
    [0, 3 / 8, 1, 1 + 3 / 8, 2, 2 + 3 / 8],
  );
  assert.deepEqual(
    positions.slice(0, 3).map(({ fraction }) => warmupCosine(plan.schedule, fraction)),
    [0, 3 / 8, 1],
  );
});

test("baseLr is scaled by the effective batch, lr is taken as it is", () => {
  const options = { epochs: 1, batchSize: 8, accumulate: 4 };
  assert.equal(settlePlan(ofLength(64), { ...options, baseLr: 1e-3 }, betas).schedule.lr, (1e-3 * 32) / 256);
  assert.equal(settlePlan(ofLength(64), { ...options, lr: 1e-3 }, betas).schedule.lr, 1e-3);
});

test("a cool-down's epochs come on top and have a step each, as the others; the rates fall before it", () => {
  const options = { epochs: 3, cooldownEpochs: 2, batchSize: 4, lr: 1, minLr: 0.1 };
  const plan = settlePlan(ofLength(8), options, betas);
  assert.deepEqual([plan.epochs, plan.stepsPerEpoch, plan.totalSteps], [5, 2, 10]);
  const rates = [5, 6, 9].map((step) => rateAt(plan.schedule, positionOf(plan, step).fraction));
  assert.ok(rates[0] > 0.1);
  assert.deepEqual(rates.slice(1), [0.1, 0.1]);
});

test("what is told nothing decays by 0.05, from zero to zero, without a warm-up", () => {
  const { weightDecay, seed, accumulate, schedule } = settlePlan(
    ofLength(8),
    { epochs: 1, batchSize: 4, lr: 1 },
    betas,
  );
  assert.deepEqual([weightDecay, seed, accumulate], [0.05, 0, 1]);
  assert.deepEqual({ ...schedule }, { lr: 1, minLr: 0, warmupEpochs: 0, epochs: 1 });
});

test("images that do not fill one step are counted", () => {
  const few = { epochs: 1, batchSize: 8, accumulate: 9, lr: 1e-3 };
  assertThrows(() => settlePlan(ofLength(64), few, betas), "bad-argument", "64 images", "8 x 9");
});

test("drop path rises linearly from 0, scales what it keeps, and draws each branch on its own", () => {
  assert.deepEqual(dropPathRates(5, 0.4), [0, 0.1, 0.2, 0.30000000000000004, 0.4]);
  assert.deepEqual(dropPathRates(1, 0.4), [0]);
  const batch = 2000;
  const factors = drawDropPath(3, 0.5, batch, new Rng(1));
  for (const [row, rate] of [0, 0, 0.25, 0.25, 0.5, 0.5].entries()) {
    const values = [...factors.subarray(row * batch, (row + 1) * batch)];
    assert.ok(values.every((x) => x === 0 || x === Math.fround(1 / (1 - rate))));
    const dropped = values.filter((x) => x === 0).length / batch;
    assert.ok(Math.abs(dropped - rate) < 0.04, `row ${row}: ${dropped} dropped, rate ${rate}`);
  }
  assert.notDeepEqual(factors.subarray(4 * batch, 5 * batch), factors.subarray(5 * batch));
});
