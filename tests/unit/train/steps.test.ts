import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { type Batch, batches } from "../../../src/data/loader";
import type { MaeInputs } from "../../../src/models/mae";
import type { Feeds } from "../../../src/train/feeds";
import { settlePlan } from "../../../src/train/plan";
import { maskFeeds, pretrain } from "../../../src/train/pretrain";
import type { Stepper } from "../../../src/train/stepper";
import { stepBatches, type TrainingTask, trainStep } from "../../../src/train/steps";
import { assertRejects, images, pretraining, tinyMae } from "./support";

before(async () => void (await startBackend()));

test("every micro-batch of a run has a number of its own, and its own images", async () => {
  const dataset = await images();
  const plan = settlePlan(dataset, { ...pretraining, batchSize: 2, accumulate: 3 }, [0.9, 0.95]);
  const numbers: number[] = [];
  const seen: number[][] = [];
  const task = {
    name: "counted",
    dataset,
    plan,
    feeds(batch: Batch, micro: number): Feeds {
      numbers.push(micro);
      seen.push([...batch.indices]);
      return {};
    },
  } as unknown as TrainingTask<never>;
  const rates: number[] = [];
  const stepper = {
    step: async (group: readonly Feeds[], lr: number) => rates.push(lr) && group.length,
  } as unknown as Stepper<never>;
  let step = 0;
  while (step < plan.totalSteps) {
    for await (const group of stepBatches(task, step)) {
      const { loss } = await trainStep(task, stepper, group, step, undefined);
      assert.equal(loss, plan.accumulate, "a step gets as many batches as it accumulates");
      step++;
    }
  }
  assert.deepEqual(
    numbers,
    Array.from({ length: 12 }, (_, i) => i),
  );
  for (const epoch of [seen.slice(0, 6), seen.slice(6)])
    assert.deepEqual(
      epoch.flat().sort((a, b) => a - b),
      Array.from({ length: 12 }, (_, i) => i),
    );
});

test("a loss that is no longer finite is named with its step, its rate, its images and the last checkpoint", async () => {
  const dataset = await images();
  const rates = { epochs: 2, batchSize: 4, lr: 1e-2, minLr: 0, warmupEpochs: 1 };
  const plan = settlePlan(dataset, rates, [0.9, 0.95]);
  const task = { name: "lost", dataset, plan, feeds: () => ({}) } as unknown as TrainingTask<never>;
  for (const loss of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const stepper = { step: async () => loss } as unknown as Stepper<never>;
    for await (const group of stepBatches(task, 2)) {
      const rate = "at step 3, learning rate 6.667e-3"; // two thirds of the way up
      const paths = group[0].paths.join(", ");
      const step = trainStep(task, stepper, group, 2, "run/checkpoint-000001");
      await assertRejects(step, "non-finite", "lost: ", rate, paths, "run/checkpoint-000001");
    }
  }
});

test("a step is recorded with its number from one, its place in the epochs, its rate, and images of all its batches", async (t) => {
  const dataset = await images();
  const rates = { epochs: 2, batchSize: 2, accumulate: 3, lr: 1, minLr: 0, warmupEpochs: 2 };
  const plan = settlePlan(dataset, rates, [0.9, 0.95]);
  let [now, asked] = [1000, 0];
  t.mock.method(performance, "now", () => now);
  const task = { name: "timed", dataset, plan, feeds: () => ({}) } as unknown as TrainingTask<never>;
  const step = async (_: unknown, lr: number) => {
    now += 250;
    asked = lr;
    return 0.5;
  };
  for await (const group of stepBatches(task, 3)) {
    const record = await trainStep(task, { step } as unknown as Stepper<never>, group, 3, undefined);
    // 12 images are two steps an epoch: the fourth begins after one and a half, three quarters of the way up.
    assert.deepEqual(record, { step: 4, epoch: 1.5, loss: 0.5, lr: 0.75, imagesPerSecond: 24 });
    assert.equal(asked, 0.75);
  }
});

test("what an epoch has left after its last full step is neither made a step of nor waited for", async () => {
  const whole = await images();
  const indices = await orderOf(whole);
  const dataset = Object.assign(Object.create(whole), {
    load: (...asked: Parameters<typeof whole.load>) =>
      indices.indexOf(asked[0]) < 10 ? whole.load(...asked) : Promise.reject(new Error("not to be had")),
  });
  const plan = settlePlan(dataset, { ...pretraining, batchSize: 1, accumulate: 5 }, [0.9, 0.95]);
  assert.equal(plan.stepsPerEpoch, 2);
  const task = { dataset, plan } as unknown as TrainingTask<never>;
  const seen: number[][] = [];
  for await (const group of stepBatches(task, 0)) seen.push(group.map((batch) => batch.indices[0]));
  assert.deepEqual(seen, [indices.slice(0, 5), indices.slice(5, 10)]);
});

/** Positions in the order in which the first epoch has them. */
async function orderOf(dataset: Parameters<typeof batches>[0]): Promise<number[]> {
  const indices: number[] = [];
  for await (const batch of batches(dataset, { batchSize: 1, seed: 0 })) indices.push(batch.indices[0]);
  return indices;
}

test("the loss of a step is the mean over its micro-batches, each under masks of its own", async () => {
  const dataset = await images();
  const options = {
    ...pretraining,
    batchSize: 4,
    accumulate: 3,
    epochs: 2,
    engine: "eager",
    out: false,
  } as const;
  const { history } = await pretrain(tinyMae(), dataset, options).done;
  const model = tinyMae();
  const draws = new Rng(0).fork("pretrain");
  const lossOf = ({ images }: Batch, mask: number) => {
    const masks = maskFeeds(model, 4, draws.fork("mask", mask));
    return tf.tidy(() => {
      const fed = Object.entries(masks).map(([name, { data, shape, dtype }]) => [
        name,
        tf.tensor(data, [...shape], dtype ?? "float32"),
      ]);
      const inputs = { images: tf.tensor(images, [4, 3, 16, 16]), ...Object.fromEntries(fed) };
      return model.loss(inputs as unknown as MaeInputs).dataSync()[0];
    });
  };
  const [own, shared]: number[][] = [[], []];
  for await (const batch of batches(dataset, { batchSize: 4, seed: 0, epoch: 0, start: 0, spread: 3 })) {
    own.push(lossOf(batch, batch.batch));
    shared.push(lossOf(batch, 0));
  }
  const mean = (losses: readonly number[]) => losses.reduce((sum, x) => sum + x, 0) / losses.length;
  assert.equal(own.length, 3);
  assert.ok(Math.abs(history[0].loss - mean(own)) < 1e-5, `${history[0].loss}, not ${mean(own)}`);
  assert.ok(Math.abs(mean(shared) - mean(own)) > 1e-4, "masks that are shared would not be noticed");
});
