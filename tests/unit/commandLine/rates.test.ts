import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readLines, temporaryFolder, writeImages } from "../train/support";
import { type TrainingByFile, trainByFile } from "./support";

const folder = temporaryFolder();

/** Runs a command with these options of a recipe. */
const run = (command: TrainingByFile["command"], recipe: string, options: object) =>
  trainByFile(folder, { command, recipe, options });

/** The rate of a run's first step under these options, without warm-up its peak. */
async function peak(...asked: Parameters<typeof run>): Promise<number> {
  const { status, out, said } = await run(...asked);
  assert.equal(status, 0, said);
  return readLines(out)[0].lr;
}

test("a file's lr or baseLr takes the place of the recipe's, however that is written", async () => {
  await writeImages(join(folder, "images"));
  const scaled = (base: number) => (base * 4) / 256;
  assert.equal(await peak("pretrain", "pretrainToy", {}), 3e-3);
  assert.equal(await peak("pretrain", "pretrainToy", { baseLr: 0.064 }), scaled(0.064));
  assert.equal(await peak("pretrain", "pretrainToy", { lr: 0.002 }), 0.002);
  assert.equal(await peak("pretrain", "pretrainMae", { baseLr: 0.064 }), scaled(0.064));
  assert.equal(await peak("pretrain", "pretrainMae", { lr: 0.002 }), 0.002);
  assert.equal(await peak("finetune", "finetuneToy", { baseLr: 0.064 }), scaled(0.064));
  assert.equal(await peak("finetune", "finetuneLuvit", { lr: 0.002 }), 0.002);
});

test("a file that gives both is told to choose", async () => {
  const { status, said } = await run("pretrain", "pretrainMae", { lr: 0.002, baseLr: 0.001 });
  assert.notEqual(status, 0);
  assert.match(said, /baseLr: expected nothing, because lr is 0\.002/);
});
