import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { transforms } from "../../../src/data";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { Linear } from "../../../src/nn/layers";
import { AdamW } from "../../../src/optim/adamw";
import { finetune } from "../../../src/train/finetune";
import { pretrain } from "../../../src/train/pretrain";
import { Stepper } from "../../../src/train/stepper";
import {
  finetuning,
  images,
  pretraining,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyMae,
} from "./support";

/** Decay of the mean and of the squares, from what one step made of a gradient in both: (1 - b1) g and (1 - b2) g^2. */
async function ratioAfterOneStep(folder: string | undefined): Promise<number> {
  const { optimizer } = await readTrainingCheckpoint(folder!);
  for (const [name, { data }] of optimizer) {
    if (!name.endsWith(".exp_avg") || data.every((x) => Math.abs(x) < 1e-6)) continue;
    const squares = optimizer.get(`${name}_sq`)!.data;
    const most = data.reduce((best, x, i) => (Math.abs(x) > Math.abs(data[best]) ? i : best), 0);
    return data[most] ** 2 / squares[most];
  }
  assert.fail("no gradient");
}

const ratio = ([b1, b2]: readonly [number, number]) => (1 - b1) ** 2 / (1 - b2);
const close = (a: number, b: number) => assert.ok(Math.abs(a / b - 1) < 1e-3, `${a}, not ${b}`);

test("pretraining forgets gradients as MAE does, 0.9 and 0.95, unless other numbers are given", async () => {
  for (const betas of [undefined, [0.8, 0.99] as [number, number]]) {
    const out = join(temporaryFolder(), "run");
    const run = pretrain(tinyMae(), await images(), { ...pretraining, betas, out });
    const { checkpoint } = await stopAfter(run, 1);
    close(await ratioAfterOneStep(checkpoint), ratio(betas ?? [0.9, 0.95]));
  }
});

test("finetuning forgets gradients as timm does, 0.9 and 0.999, unless other numbers are given", async () => {
  for (const betas of [undefined, [0.8, 0.99] as [number, number]]) {
    const out = join(temporaryFolder(), "run");
    const set = await images(transforms.finetune);
    const { checkpoint } = await stopAfter(finetune(tinyClassifier(), set, { ...finetuning, betas, out }), 1);
    close(await ratioAfterOneStep(checkpoint), ratio(betas ?? [0.9, 0.999]));
  }
});

/** AdamW as torch has it, of one number: what so many gradients make of it. */
function adamW(start: number, gradients: readonly number[], lr: number, weightDecay: number): number {
  let [weight, average, squares] = [start, 0, 0];
  for (const [i, gradient] of gradients.entries()) {
    weight -= lr * weightDecay * weight;
    average = 0.8 * average + 0.2 * gradient;
    squares = 0.9 * squares + 0.1 * gradient ** 2;
    const [a, s] = [average / (1 - 0.8 ** (i + 1)), squares / (1 - 0.9 ** (i + 1))];
    weight -= (lr * a) / (Math.sqrt(s) + 1e-8);
  }
  return weight;
}

test("each weight has its own rate, and its own decay at that rate; what has no rule stays", async () => {
  await startBackend();
  const model = new Linear(2, 2, new Rng(0));
  model.weight.load({ shape: [2, 2], data: Float32Array.of(1, -2, 3, 4) });
  model.bias!.load({ shape: [2], data: Float32Array.of(5, 6) });
  const all = new Map([
    ["weight", { weightDecay: 0.3, lrScale: 0.5 }],
    ["bias", { weightDecay: 0, lrScale: 0.25 }],
  ]);
  for (const names of [["weight", "bias"], ["bias"]]) {
    const rules = new Map([...all].filter(([path]) => names.includes(path)));
    const before = new Map([...(await model.stateDict())].map(([path, { data }]) => [path, [...data]]));
    const optimizer = new AdamW(model, rules, { betas: [0.8, 0.9] });
    // The gradient of each weight and of each bias is the one of its row of `x`.
    const loss = ({ x }: Readonly<Record<string, Tensor>>) =>
      tf.add(
        tf.sum(tf.mul(model.weight.value, x)),
        tf.sum(tf.mul(model.bias!.value, tf.sum(x, 1))),
      ) as Tensor;
    const task = { name: "sums", model, rules, loss };
    const stepper = new Stepper({ task, optimizer, average: undefined, batches: 1 }, { engine: "eager" });
    const fed = [
      [1, -2, 0.5, 3],
      [-1, -3, 2, 0.25],
      [4, 0.5, -1, 1],
    ];
    for (const x of fed) await stepper.step([{ x: { data: Float32Array.from(x), shape: [2, 2] } }], 0.1);
    await stepper.sync();
    await stepper.dispose();
    const gradients = { weight: fed, bias: fed.map(([a, b, c, d]) => [a + b, c + d]) };
    for (const [path, { data }] of await model.stateDict())
      for (const [i, found] of data.entries()) {
        const { weightDecay, lrScale } = rules.get(path) ?? { weightDecay: 0, lrScale: 0 };
        const own = gradients[path as "weight" | "bias"].map((row) => row[i]);
        const expected = adamW(before.get(path)![i], own, 0.1 * lrScale, weightDecay);
        assert.ok(Math.abs(found - expected) < 1e-5, `${names}, ${path} ${i}: ${found}, not ${expected}`);
      }
    optimizer.dispose();
  }
});
