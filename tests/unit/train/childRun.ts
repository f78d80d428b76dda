/*
 * A training script of its own process: node childRun.js <mode> <pictures> <out>. Prints "step N" after every step, and
 * a line of JSON at the end. Modes: "interrupt" sends itself SIGINT after step 2; "forever" has a thousand epochs, its
 * tenth the first one to be saved; "unwatched" fails while nobody awaits the run.
 */
import { startBackend } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import { maeAugment } from "../../../src/data/transforms";
import { pretrain } from "../../../src/train/pretrain";
import { pretraining, tinyMae } from "./support";

async function main([mode, pictures, out]: readonly string[]): Promise<void> {
  await startBackend();
  const set = await imageFolder(pictures, { size: 16, augment: maeAugment });
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

void main(process.argv.slice(2));
