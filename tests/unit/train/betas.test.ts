import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { transforms } from "../../../src/data";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { finetune } from "../../../src/train/finetune";
import { pretrain } from "../../../src/train/pretrain";
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
