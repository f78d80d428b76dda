/*
 * A training script of its own process: node childRun.js <mode> <images> <out>. Prints "step N" after every step, and
 * a line of JSON at the end. Modes: "interrupt" sends itself SIGINT after step 2; "forever" has a thousand epochs, its
 * tenth the first one to be saved; "unwatched" fails while nobody awaits the run; "saving" has a given number of steps, each saved,
 * and goes on from what is there, printing "from N" first.
 */
import { startBackend } from "../../../src/core/tf";
import { type FolderDataset, imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { latestTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { pretrain } from "../../../src/train/pretrain";
import { pretraining, tinyMae } from "./support";

async function main([mode, images, out, steps]: readonly string[]): Promise<void> {
  await startBackend();
  const set = await imageFolder(images, { transform: transforms.mae(16) });
  if (mode === "saving") return saveEveryStep(set, out, Number(steps));
  const lr = mode === "unwatched" ? 1e30 : 1e-3;
  const options = { ...pretraining, epochs: mode === "unwatched" ? 20 : 1000, lr, warmupEpochs: 0, out };
  const run = pretrain(tinyMae(), set, mode === "forever" ? { ...options, checkpointEvery: 10 } : options);
  run.onRecord(({ step }) => {
    console.log(`step ${step}`);
    if (mode === "interrupt" && step === 2) process.kill(process.pid, "SIGINT");
  });
  if (mode === "unwatched") {
    while (run.state === "running") await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(JSON.stringify({ state: run.state }));
    return;
  }
  const { stopped, checkpoint, history } = await run.done;
  console.log(JSON.stringify({ stopped, checkpoint, steps: history.length }));
  process.exitCode = 7;
}

async function saveEveryStep(set: FolderDataset, out: string, epochs: number): Promise<void> {
  const from = (await latestTrainingCheckpoint(out))?.step ?? 0;
  console.log(`from ${from}`);
  const options = { ...pretraining, epochs, batchSize: 12, out, resume: true, engine: "eager" } as const;
  const run = pretrain(tinyMae(), set, options);
  run.onRecord(({ step }) => console.log(`step ${step}`));
  const { checkpoint, history } = await run.done;
  console.log(JSON.stringify({ checkpoint, steps: history.length, notes: run.notes }));
}

void main(process.argv.slice(2));
