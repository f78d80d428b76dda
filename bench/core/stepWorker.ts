import { startBackend } from "../../src/core/tf";
import { joinWorkers, leaveWorkers } from "../../src/engine";
import { AdamW } from "../../src/optim/adamw";
import { Stepper } from "../../src/train/stepper";
import { pretraining } from "../pretrainStep";
import type { PresetName } from "./presets";
import { serve, took } from "./workerSide";

/* node stepWorker.js <preset> <batch> <accumulate> <threads> <port>: makes its part of a pretraining step when told to. */

const [, , preset, batch, accumulate, threads, port] = process.argv;

async function main(): Promise<void> {
  const options = { engine: "onnxruntime", threads: Number(threads) } as const;
  await startBackend();
  const { task, betas, lr, batches } = pretraining(preset as PresetName, Number(batch));
  const workers = await joinWorkers(options);
  const optimizer = new AdamW(task.model, task.rules, { betas });
  const steps = { task, optimizer, average: undefined, batches: Number(accumulate) };
  const stepper = new Stepper(steps, options, workers);
  const { rank, size } = workers ?? { rank: 0, size: 1 };
  const own = Array.from(
    { length: Number(accumulate) / size },
    (_, i) => batches[(rank + i * size) % batches.length],
  );
  let loss = 0;
  const step = async () => {
    const time = await took(async () => {
      loss = await stepper.step(own, lr);
    });
    return { ...time, loss, engine: stepper.engine!, mpi: workers?.mpi ?? "" };
  };
  const leave = async () => {
    await stepper.dispose();
    await leaveWorkers();
  };
  serve(Number(port), { step }, leave);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
