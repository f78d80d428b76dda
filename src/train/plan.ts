import { LuvitError } from "../core/errors";
import {
  either,
  entry,
  exactly,
  flag,
  isPlain,
  oneOf,
  optionsOf,
  type Rule,
  seed,
  share,
  such,
  text,
  whole,
} from "../core/options";
import type { ImageDataset } from "../data/dataset";
import { batchesPerEpoch } from "../data/loader";
import { engineOptions } from "../engine/options";
import { optimizeOptions } from "../graph/passes";
import { betas, epochCount, gradNorm, positiveRate, rate, warmupEpochs, weightDecay } from "../optim/options";
import {
  rateAt,
  type Schedule,
  type StepSchedule,
  scaledRate,
  scheduleFits,
  stepRate,
} from "../optim/schedule";
import { MOST } from "./options";

import type { CompiledStepOptions } from "./stepper";

/** What a set of options is called, where it was published and what came out of it. */
export interface RecipeNotes {
  readonly name: string;
  /** Paper and section, or the repository's file. */
  readonly source: string;
  /** Which rows of the LUViT paper begin with it. */
  readonly rows: string;
  /** What its authors report, with the model it is about. */
  readonly expected: string;
  /** How much has to be computed. */
  readonly cost: string;
  /** How images are augmented: `data.transforms.mae`, `.finetune`, `.segment` or `.largeScaleJitter`. */
  readonly augment: "mae" | "finetune" | "segment" | "largeScaleJitter";
  /** What of the published recipe is done otherwise here. */
  readonly departs?: string;
}

/**
 * Options every training run understands. Those of the engine (`engine`, `precision`, `frozen`, `threads`, `memory`) may
 * differ when a run is resumed; the numbers then agree up to their rounding.
 */
export interface TrainOptions extends CompiledStepOptions {
  epochs: number;
  /** Images per batch; the effective batch is batchSize * accumulate. */
  batchSize: number;
  /** Batches whose gradients are averaged into one step; default 1. */
  accumulate?: number;
  /**
   * Peak rate. Give this, or `baseLr` to be scaled by effective batch / 256, never both: a recipe that is spread has one
   * of them, which is taken out by name, `{ ...recipes.pretrainToy, lr: undefined, baseLr: 1e-3 }`.
   */
  lr?: number;
  baseLr?: number;
  minLr?: number;
  warmupEpochs?: number;
  /** Further epochs behind `epochs`, at `minLr`; default 0. */
  cooldownEpochs?: number;
  /**
   * Rate that the warm-up begins with, in a schedule of one rate per epoch (timm's; see `optim.epochCosine`). Left out:
   * MAE's schedule, from 0 and anew at every step.
   */
  warmupLr?: number;
  weightDecay?: number;
  betas?: readonly [number, number];
  /**
   * Greatest norm of all gradients of a step taken together (of the whole step, all its batches); larger ones are scaled
   * down to it, as `torch.nn.utils.clip_grad_norm_` does. Default: none is. On a device and in TensorFlow the norm is taken
   * in single precision, as torch takes it: of gradients above 1e19 nothing is left, where op by op they are scaled.
   */
  clipGradNorm?: number;
  /** Decides order, augmentation, masks, drop path and mixing; default 0. */
  seed?: number;
  /** Folder for metrics and checkpoints; default `runs/<name>-<time>`; false writes nothing. */
  out?: string | false;
  /** Go on from the newest checkpoint in `out`, if there is one. Without it an existing folder is left alone. */
  resume?: boolean;
  /** Epochs between checkpoints (the last and every stop are always saved); default 1. */
  checkpointEvery?: number;
  /** Checkpoints kept; default 2. */
  keepCheckpoints?: number;
  /**
   * Share of the images that may be unreadable; default 0.1. With more, or with a class of which nothing can be read, a
   * run stops before its first step, or after the step that showed it.
   */
  maxUnreadable?: number;
  /** For the run's name and folder. */
  name?: string;
  /** Where these options come from; its name is noted in the run's checkpoints. Decides no number. */
  recipe?: RecipeNotes;
}

const recipe = such<RecipeNotes>(
  "notes of a recipe, as luvit.recipes have them",
  (value) => isPlain(value) && typeof value.name === "string",
);

/** The peak rate that options ask for, however it is written; undefined where they do not. */
export function peakRate({ lr, baseLr, batchSize = 1, accumulate = 1 }: Partial<TrainOptions>) {
  return lr ?? (baseLr === undefined ? undefined : scaledRate(baseLr, batchSize * accumulate));
}

const oneRate: Rule<TrainOptions> = ({ lr, baseLr }) => {
  if (lr === undefined && baseLr === undefined)
    return [["lr", "a number above 0, or baseLr to be scaled by effective batch / 256"]];
  if (lr === undefined || baseLr === undefined) return [];
  const advice =
    "one of the two has to be left out; a spread recipe's own with lr: undefined or baseLr: undefined";
  return [["baseLr", `nothing, because lr is ${lr} (${advice})`]];
};

/** Options every training run understands. */
export const trainOptions = optionsOf<TrainOptions>(
  {
    epochs: entry(epochCount, "passes over the images", 800),
    batchSize: entry(whole(1, MOST), "images per batch", 64),
  },
  {
    accumulate: entry(whole(1, MOST), "batches per step", 64),
    lr: entry(positiveRate, "peak rate", 2.4e-3),
    baseLr: entry(positiveRate, "peak rate / (effective batch / 256), instead of lr", 1.5e-4),
    minLr: entry(rate, "rate at the end", 0),
    warmupEpochs,
    warmupLr: entry(
      rate,
      "rate that the warm-up begins with, and then one rate per epoch, as timm has it",
      1e-6,
    ),
    cooldownEpochs: entry(whole(0, 10_000_000), "further epochs at minLr", 10),
    weightDecay,
    betas,
    clipGradNorm: gradNorm,
    seed: entry(seed, "of order, augmentation and masks", 0),
    out: either(text, exactly(false)),
    resume: flag,
    checkpointEvery: entry(epochCount, "epochs between checkpoints", 1),
    maxUnreadable: entry(share, "share of images that may be unreadable", 0.1),
    keepCheckpoints: entry(whole(1, MOST), "checkpoints kept", 2),
    name: text,
    recipe,
    ...engineOptions.optional,
    ...optimizeOptions.optional,
    sums: entry(oneOf(["float32", "bfloat16"]), "what gradients are summed in over workers", "float32"),
  },
  oneRate,
  (options) => scheduleFits({ ...options, lr: peakRate(options) }),
);

/** A run's numbers, settled: what is saved with a checkpoint and must be the same to resume it. */
export interface RunPlan {
  /** Those of the cool-down among them. */
  epochs: number;
  batchSize: number;
  accumulate: number;
  /** Batches per epoch; the schedule's unit. */
  batchesPerEpoch: number;
  stepsPerEpoch: number;
  totalSteps: number;
  /** By fractional epochs, or by steps. */
  schedule: Schedule | StepSchedule;
  weightDecay: number;
  betas: readonly [number, number];
  clipGradNorm?: number;
  seed: number;
  images: number;
}

/**
 * Settles checked options for a data set.
 * @throws LuvitError("bad-argument") where the images do not fill one step.
 */
export function settlePlan(
  dataset: ImageDataset,
  options: TrainOptions,
  betas: readonly [number, number],
): RunPlan & { schedule: Schedule } {
  const {
    epochs,
    batchSize,
    accumulate = 1,
    minLr = 0,
    warmupEpochs = 0,
    cooldownEpochs = 0,
    warmupLr,
    clipGradNorm,
    weightDecay = 0.05,
    seed = 0,
  } = options;
  const lr = peakRate(options)!;
  const batches = batchesPerEpoch(dataset.length, batchSize);
  const stepsPerEpoch = Math.floor(batches / accumulate);
  if (stepsPerEpoch === 0) {
    const step = `${dataset.length} images do not fill one step of ${batchSize} x ${accumulate}`;
    throw new LuvitError("bad-argument", `training options: ${step}; make batchSize or accumulate smaller`);
  }
  const allEpochs = epochs + cooldownEpochs;
  return {
    epochs: allEpochs,
    batchSize,
    accumulate,
    batchesPerEpoch: batches,
    stepsPerEpoch,
    totalSteps: allEpochs * stepsPerEpoch,
    schedule: { lr, minLr, warmupEpochs, epochs, ...(warmupLr !== undefined && { warmupLr }) },
    weightDecay,
    betas: options.betas ?? betas,
    ...(clipGradNorm !== undefined && { clipGradNorm }),
    seed,
    images: dataset.length,
  };
}

/** Where a step lies: its epoch, its first batch in the epoch, and the fractional epoch of the schedule. */
export function positionOf(plan: RunPlan, step: number): { epoch: number; batch: number; fraction: number } {
  const epoch = Math.floor(step / plan.stepsPerEpoch);
  const batch = (step % plan.stepsPerEpoch) * plan.accumulate;
  return { epoch, batch, fraction: epoch + batch / plan.batchesPerEpoch };
}

/** The rate of a step, before layer scales. */
export function rateOfStep(plan: RunPlan, step: number): number {
  const { schedule } = plan;
  return "milestones" in schedule
    ? stepRate(schedule, step)
    : rateAt(schedule, positionOf(plan, step).fraction);
}
