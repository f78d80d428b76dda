import { checkOptions, optionsOf, type Rule, shaped } from "../core/options";
import { rate, schedule } from "./options";

/** Linear warm-up from 0, then half a cosine down to `minLr`, which stays. Epochs may be fractional. */
export interface WarmupCosine {
  lr: number;
  minLr: number;
  warmupEpochs: number;
  epochs: number;
}

/**
 * The rate at a fractional epoch (epoch + iteration / iterationsPerEpoch); the first step's rate is exactly 0.
 * Reference: mae/util/lr_sched.py.
 */
export function warmupCosine(schedule: WarmupCosine, epoch: number): number {
  checkOptions("warmupCosine", warmupCosineOptions, schedule);
  const { lr, minLr, warmupEpochs, epochs } = schedule;
  if (epoch < warmupEpochs) return (lr * epoch) / warmupEpochs;
  if (epoch >= epochs) return minLr;
  const progress = (epoch - warmupEpochs) / (epochs - warmupEpochs);
  return minLr + (lr - minLr) * 0.5 * (1 + Math.cos(Math.PI * progress));
}

/** timm's schedule as DeiT runs it: one rate per epoch. */
export interface EpochCosine extends WarmupCosine {
  /** Rate that the warm-up begins with. */
  warmupLr: number;
}

/** What is wrong with a schedule's parts together: no rate rises above the peak, the warm-up is a part of the whole. */
export function scheduleFits(schedule: Partial<EpochCosine>): ReturnType<Rule<EpochCosine>> {
  const most = Number.POSITIVE_INFINITY;
  const { lr = most, minLr = 0, warmupLr = 0, warmupEpochs: warmup = 0, epochs = most } = schedule;
  const wrong: [name: string, expected: string][] = [];
  if (minLr > lr) wrong.push(["minLr", `at most the peak rate (${lr})`]);
  if (warmupLr > lr) wrong.push(["warmupLr", `at most the peak rate (${lr})`]);
  if (warmup > epochs) wrong.push(["warmupEpochs", `at most epochs (${epochs})`]);
  return wrong;
}

export const warmupCosineOptions = optionsOf<WarmupCosine>(schedule, {}, scheduleFits);

export const epochCosineOptions = optionsOf<EpochCosine>({ ...schedule, warmupLr: rate }, {}, scheduleFits);

/**
 * The rate at a fractional epoch, the same all through an epoch: a line from `warmupLr`, then the cosine that began with
 * the first epoch (so the rate falls a little at the end of the warm-up). The rate is set behind each epoch with that
 * epoch's number, so it is one epoch late and the first two epochs share one.
 * Reference: timm scheduler/cosine_lr.py; DeiT main.py.
 */
export function epochCosine(schedule: EpochCosine, epoch: number): number {
  checkOptions("epochCosine", epochCosineOptions, schedule);
  const { warmupLr, ...cosine } = schedule;
  const { lr, minLr, warmupEpochs, epochs } = cosine;
  const set = Math.max(0, Math.floor(epoch) - 1);
  if (set < warmupEpochs) return warmupLr + ((lr - warmupLr) * set) / warmupEpochs;
  return warmupCosine({ lr, minLr, warmupEpochs: 0, epochs }, set);
}

/** Detectron2's schedule: a linear warm-up, then a rate that is multiplied by `factor` at every milestone. */
export interface StepSchedule {
  lr: number;
  warmupSteps: number;
  /** Of `lr`, in the first step. */
  warmupFactor: number;
  /** Steps, counted from 0, from which on the rate is lower. */
  milestones: readonly number[];
  factor: number;
}

/**
 * The rate of a step, counted from 0.
 * Reference: fvcore common/param_scheduler.py as detectron2 projects/ViTDet uses it.
 */
export function stepRate(schedule: StepSchedule, step: number): number {
  const { lr, warmupSteps, warmupFactor, milestones, factor } = schedule;
  if (step < warmupSteps) return lr * (warmupFactor + (1 - warmupFactor) * (step / warmupSteps));
  return lr * factor ** milestones.filter((milestone) => step >= milestone).length;
}

/** A schedule of either kind. */
export type Schedule = WarmupCosine | EpochCosine;

/** The rate of a schedule at a fractional epoch. */
export function rateAt(schedule: Schedule, epoch: number): number {
  checkOptions("rateAt", shaped("a schedule { lr, … }", "lr"), schedule);
  return "warmupLr" in schedule ? epochCosine(schedule, epoch) : warmupCosine(schedule, epoch);
}

/** MAE's linear scaling rule: base rate * effective batch / 256. */
export function scaledRate(baseLr: number, effectiveBatch: number): number {
  return (baseLr * effectiveBatch) / 256;
}
