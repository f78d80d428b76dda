import { LuvitError } from "../core/errors";
import type { StopRequest } from "../core/stopRequest";
import type { ImageDataset } from "../data/dataset";
import { type Batch, batches } from "../data/loader";
import { ALONE, type Place } from "../distributed/place";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import type { Sharing } from "./agreement";
import type { Feeds, Pixels } from "./feeds";
import { lastGoodCheckpoint } from "./nonFinite";
import { positionOf, type RunPlan, rateOfStep } from "./plan";
import type { StepRecord } from "./run";
import type { StepTask } from "./stepPrograms";
import type { Stepper } from "./stepper";

/** What distinguishes one kind of training from another. */
export interface TrainingTask<M extends Module> extends StepTask<M> {
  dataset: ImageDataset;
  plan: RunPlan;
  /** Further settings that decide the numbers; saved with the plan, and a resumed run must have the same. */
  settings: Record<string, unknown>;
  /** What a step is fed for a batch; `micro` counts batches over the whole run and seeds the batch's draws. */
  feeds(batch: Batch, micro: number): Feeds;
  /** What a step is fed where numbers of the model decide it; names and shapes are those that `feeds` gave. */
  refine?(feeds: Feeds, batch: Batch, micro: number, call: CallFunction): Promise<Feeds>;
  /** What images of its batches are; default normalized. */
  pixels?: Pixels;
  /** Times that each image of an epoch comes in it, augmented anew; default 1. */
  repeats?: number;
  /** Decay of the moving average of the weights that the run keeps; default none. */
  emaDecay?: number;
  /** What it is evaluated on; its files are noted with those it is trained on. */
  validation?: ImageDataset;
  /** Weights outside the whole that decide the numbers too, by path; a resumed run must have the same. */
  frozen?: ReadonlyMap<string, Parameter>;
  /** Gets ready, before the first step, what is needed later; ends early when a stop is asked for. */
  prepare?(request: Pick<StopRequest, "stopped">): Promise<void>;
  /** Metrics at the end of an epoch, e.g. accuracy: the same for all who share the work, and as for one alone. */
  evaluate?(stepper: Pick<Stepper<M>, "call">, sharing: Sharing): Promise<Record<string, number>>;
}

/** Runs one of a task's functions with the model as the last step left it. */
export type CallFunction = (name: string, feeds: Feeds) => Promise<Record<string, Float32Array>>;

/** The batches of each step from `step` to the end of its epoch, of those that a worker takes. */
export async function* stepBatches<M extends Module>(
  { plan, dataset, repeats, pixels }: TrainingTask<M>,
  step: number,
  { rank: index, size: count }: Place = ALONE,
): AsyncGenerator<Batch[]> {
  const { batchSize, seed, accumulate: spread } = plan;
  const { epoch, batch: start } = positionOf(plan, step);
  const last = plan.stepsPerEpoch * plan.accumulate;
  const own = plan.accumulate / count;
  let group: Batch[] = [];
  const order = { batchSize, seed, epoch, start, repeats, spread, share: { index, count }, pixels };
  for await (const batch of batches(dataset, { ...order, reuse: own })) {
    group.push(batch);
    if (group.length < own) continue;
    yield group;
    if (batch.batch + count >= last) return; // what is left makes no step, and is not waited for
    group = [];
  }
}

/** Opens the engine for batches like that of a step, without making the step. */
export async function prepareStepper<M extends Module>(
  task: TrainingTask<M>,
  stepper: Stepper<M>,
  step: number,
  place?: Place,
): Promise<void> {
  for await (const [batch] of stepBatches(task, step, place)) {
    await stepper.prepare(task.feeds(batch, numberOf(batch, task.plan, step)));
    return;
  }
}

/**
 * Makes one step and measures it.
 * @throws LuvitError("non-finite") naming step, rate, images and the checkpoint to go back to.
 */
export async function trainStep<M extends Module>(
  task: TrainingTask<M>,
  stepper: Stepper<M>,
  group: readonly Batch[],
  step: number,
  checkpoint: string | undefined,
): Promise<StepRecord> {
  const started = performance.now();
  const { plan } = task;
  const { fraction } = positionOf(plan, step);
  const lr = rateOfStep(plan, step);
  const feeds = await feedsOf(task, stepper, group, step);
  const loss = await stepper.step(feeds, lr);
  if (!Number.isFinite(loss)) throw nonFiniteLoss(task.name, step, lr, group, checkpoint);
  const images = plan.batchSize * plan.accumulate;
  const imagesPerSecond = (1000 * images) / (performance.now() - started);
  return { step: step + 1, epoch: fraction, loss, lr, imagesPerSecond };
}

/** Counts batches over the whole run, whoever takes them. */
const numberOf = ({ batch }: Batch, { accumulate }: RunPlan, step: number) =>
  step * accumulate + (batch % accumulate);

/** What a step's batches feed. */
async function feedsOf<M extends Module>(
  task: TrainingTask<M>,
  stepper: Stepper<M>,
  group: readonly Batch[],
  step: number,
): Promise<Feeds[]> {
  const number = (batch: Batch) => numberOf(batch, task.plan, step);
  const feeds = group.map((batch) => task.feeds(batch, number(batch)));
  if (!task.refine) return feeds;
  await stepper.prepare(feeds[0]);
  for (const [i, batch] of group.entries())
    feeds[i] = await task.refine(feeds[i], batch, number(batch), (name, fed) => stepper.call(name, fed));
  return feeds;
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
