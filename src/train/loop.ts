import { LuvitError } from "../core/errors";
import type { ImageDataset } from "../data/dataset";
import { expectReadable, tooManyUnreadable } from "../data/expectReadable";
import { type Batch, batches } from "../data/loader";
import type { Module } from "../nn/module";
import { AdamW } from "../optim/adamw";
import { rateAt } from "../optim/schedule";
import { chooseStepper } from "./chooseStepper";
import { lastGoodCheckpoint } from "./nonFinite";
import { positionOf, type RunPlan, type TrainOptions } from "./plan";
import { Run, type RunDriver, type StepRecord } from "./run";
import { withRestarts } from "./restarts";
import { claimRunFolder, RunStore, releaseRunFolder } from "./runFolder";
import { WeightAverage } from "./weightAverage";
import type { Feeds } from "./feeds";
import type { Stepper, StepTask } from "./stepper";

/** What distinguishes one kind of training from another. */
export interface TrainingTask<M extends Module> extends StepTask<M> {
  dataset: ImageDataset;
  plan: RunPlan;
  /** Further settings that decide the numbers; saved with the plan, and a resumed run must have the same. */
  settings: Record<string, unknown>;
  /** What a step is fed for a batch; `micro` counts batches over the whole run and seeds the batch's draws. */
  feeds(batch: Batch, micro: number): Feeds;
  /** Times that each picture of an epoch comes in it, augmented anew; default 1. */
  repeats?: number;
  /** Decay of the moving average of the weights that the run keeps; default none. */
  emaDecay?: number;
  /** Metrics at the end of an epoch, e.g. accuracy. */
  evaluate?(stepper: Pick<Stepper, "call">): Promise<Record<string, number>>;
}

/** Starts a run. It goes on in the background; see `Run`. */
export function startRun<M extends Module>(task: TrainingTask<M>, options: TrainOptions): Run<M> {
  const name = options.name ?? task.name;
  const folder = claimRunFolder(name, options);
  return new Run(name, task.model, task.plan.totalSteps, folder, task.dataset.report, (driver) =>
    drive(task, options, folder, driver).finally(() => releaseRunFolder(folder)),
  );
}

async function drive<M extends Module>(
  task: TrainingTask<M>,
  options: TrainOptions,
  folder: string | undefined,
  driver: RunDriver<M>,
): Promise<void> {
  const { plan, model, rules, emaDecay } = task;
  const optimizer = new AdamW(model, rules, { betas: plan.betas });
  const average = emaDecay === undefined ? undefined : new WeightAverage(model, rules, emaDecay);
  const settings = { task: task.name, ...plan, ...task.settings, trainable: model.counts().trainable };
  const keep = options.keepCheckpoints ?? 2;
  const recipe = options.recipe?.name;
  const store = folder
    ? new RunStore({ folder, model, optimizer, average, plan, settings, keep, recipe })
    : undefined;
  try {
    await expectReadable(task.dataset, options.maxUnreadable);
    await store?.open();
    await average?.begin();
    const step = await resumeStep(store, options, driver);
    forgetSources(task);
    await withRestarts(step, { driver, store, optimizer }, (from, synced) =>
      trainFrom(from, { task, options, driver, store, optimizer, average }, synced),
    );
    driver.run.averaged = await average?.state();
  } finally {
    optimizer.dispose();
    average?.dispose();
  }
}

/** Everything a run of the loop works with. */
interface Session<M extends Module> {
  task: TrainingTask<M>;
  options: TrainOptions;
  driver: RunDriver<M>;
  store: RunStore<M> | undefined;
  optimizer: AdamW;
  average: WeightAverage | undefined;
}

/** Trains from `step` to the end or a stop. `synced` hears of every step whose state model and optimiser have. */
async function trainFrom<M extends Module>(
  step: number,
  { task, options, driver, store, optimizer, average }: Session<M>,
  synced: (step: number) => void,
): Promise<void> {
  const { plan } = task;
  const { run } = driver;
  const stepper = chooseStepper(task, optimizer, average, plan.accumulate, options);
  let saved = step;
  const save = async () => {
    await stepper.sync();
    synced(step);
    if (store && saved !== step) run.checkpoint = await store.save(step, run.checkpoint);
    saved = step;
  };
  try {
    while (step < plan.totalSteps && !driver.shouldStop()) {
      const { epoch } = positionOf(plan, step);
      for await (const group of stepBatches(task, step)) {
        const record = await trainStep(task, stepper, group, step, run.checkpoint);
        run.engine = stepper.engine;
        step++;
        if (step % plan.stepsPerEpoch === 0) Object.assign(record, await task.evaluate?.(stepper));
        await store?.log(record);
        driver.record(record);
        if (driver.shouldStop()) break;
        const unusable = tooManyUnreadable(task.dataset, options.maxUnreadable);
        if (unusable) {
          await save();
          throw unusable;
        }
      }
      if ((epoch + 1) % (options.checkpointEvery ?? 1) === 0) await save();
    }
    await save();
  } finally {
    await stepper.dispose();
  }
}

/** What is trained is no longer what the file it came from holds. */
function forgetSources<M extends Module>({ model, rules }: TrainingTask<M>): void {
  for (const [path, parameter] of model.namedParameters()) if (rules.has(path)) parameter.source = undefined;
}

async function resumeStep<M extends Module>(
  store: RunStore<M> | undefined,
  options: TrainOptions,
  driver: RunDriver<M>,
): Promise<number> {
  const restored = options.resume ? await store?.restore() : undefined;
  if (!restored) return 0;
  driver.run.checkpoint = restored.folder;
  driver.run.history.push(...restored.history);
  driver.run.notes.push(...restored.notes);
  return restored.step;
}

/** The batches of each step from `step` to the end of its epoch. */
async function* stepBatches<M extends Module>(task: TrainingTask<M>, step: number): AsyncGenerator<Batch[]> {
  const { plan, dataset, repeats } = task;
  const { batchSize, seed, accumulate: spread } = plan;
  const { epoch, batch: start } = positionOf(plan, step);
  const last = plan.stepsPerEpoch * plan.accumulate;
  let group: Batch[] = [];
  const order = { batchSize, seed, epoch, start, repeats, spread };
  for await (const batch of batches(dataset, { ...order, reuse: plan.accumulate })) {
    if (batch.batch >= last) return;
    group.push(batch);
    if (group.length < plan.accumulate) continue;
    yield group;
    group = [];
  }
}

async function trainStep<M extends Module>(
  task: TrainingTask<M>,
  stepper: Stepper,
  group: readonly Batch[],
  step: number,
  checkpoint: string | undefined,
): Promise<StepRecord> {
  const started = performance.now();
  const { plan } = task;
  const { fraction } = positionOf(plan, step);
  const lr = rateAt(plan.schedule, fraction);
  const feeds = group.map((batch, i) => task.feeds(batch, step * plan.accumulate + i));
  const loss = await stepper.step(feeds, lr);
  if (!Number.isFinite(loss)) throw nonFiniteLoss(task.name, step, lr, group, checkpoint);
  const images = plan.batchSize * plan.accumulate;
  const imagesPerSecond = (1000 * images) / (performance.now() - started);
  return { step: step + 1, epoch: fraction, loss, lr, imagesPerSecond };
}

function nonFiniteLoss(
  name: string,
  step: number,
  lr: number,
  group: readonly Batch[],
  checkpoint?: string,
): LuvitError {
  const files = group
    .flatMap(({ paths }) => paths)
    .slice(0, 4)
    .join(", ");
  return new LuvitError(
    "non-finite",
    `${name}: the loss is no longer finite at step ${step + 1}, learning rate ${lr.toExponential(3)}, batch ${files}, …\n` +
      lastGoodCheckpoint(checkpoint),
  );
}
