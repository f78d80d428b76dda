import {
  callback,
  either,
  entry,
  exactly,
  flag,
  isPlain,
  optionsOf,
  type Rule,
  seed,
  share,
  shareBelowOne,
  such,
  text,
  whole,
} from "../core/options";
import { datasetField, finetuneAugmentOptions, mixAlphas } from "../data/options";
import { engineOptions } from "../engine/options";
import { optimiseOptions } from "../graph/options";
import {
  betas,
  epochCount,
  layerDecay,
  positiveRate,
  rate,
  scheduleFits,
  warmupEpochs,
  weightDecay,
} from "../optim/options";
import { scaledRate } from "../optim/schedule";
import type { EvaluateOptions } from "./evaluate";
import type { FinetuneOptions } from "./finetune";
import type { LanguageModelTraining } from "./languageModel";
import type { RecipeNotes, TrainOptions } from "./plan";
import type { RunWeightsOptions } from "./runWeights";

/** Greatest number of pictures in a batch, or of batches in a step. */
const MOST = 1_000_000;

const recipe = such<RecipeNotes>(
  "notes of a recipe, as luvit.recipes have them",
  (value) => isPlain(value) && typeof value.name === "string",
);

/** The peak rate that options ask for, however it is written; undefined where they do not. */
export function peakRate({ lr, baseLr, batchSize = 1, accumulate = 1 }: Partial<TrainOptions>) {
  return lr ?? (baseLr === undefined ? undefined : scaledRate(baseLr, batchSize * accumulate));
}

const oneRate: Rule<TrainOptions> = (options) =>
  options.lr === undefined && options.baseLr === undefined
    ? [["lr", "a number above 0, or baseLr to be scaled by effective batch / 256"]]
    : [];

/** Options every training run understands. */
export const trainOptions = optionsOf<TrainOptions>(
  {
    epochs: entry(epochCount, "passes over the pictures", 800),
    batchSize: entry(whole(1, MOST), "pictures per batch", 64),
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
    seed: entry(seed, "of order, augmentation and masks", 0),
    out: either(text, exactly(false)),
    resume: flag,
    checkpointEvery: entry(epochCount, "epochs between checkpoints", 1),
    maxUnreadable: entry(share, "share of images that may be unreadable", 0.1),
    keepCheckpoints: entry(whole(1, MOST), "checkpoints kept", 2),
    name: text,
    recipe,
    ...engineOptions.optional,
    ...optimiseOptions.optional,
  },
  oneRate,
  (options) => scheduleFits({ ...options, lr: peakRate(options) }),
);

/** What finetuning adds. */
const finetuning = {
  layerDecay,
  dropPath: entry(shareBelowOne, "of the last block", 0.1),
  smoothing: entry(shareBelowOne, "of labels", 0.1),
  repeatedAugmentation: entry(whole(1, MOST), "times that each picture of an epoch comes, augmented anew", 3),
  emaDecay: entry(
    shareBelowOne,
    "of a moving average of the weights, evaluated and saved beside them",
    0.99996,
  ),
};

const evenBatches: Rule<FinetuneOptions> = ({ mix, batchSize = 0 }) =>
  mix && batchSize % 2 !== 0 ? [["batchSize", "an even number, because mixing pairs images"]] : [];

export const finetuneOptions = optionsOf<FinetuneOptions>(
  trainOptions.required,
  {
    ...trainOptions.optional,
    ...finetuning,
    mix: either(mixAlphas, exactly(null)),
    augment: finetuneAugmentOptions,
    validation: datasetField,
  },
  ...(trainOptions.rules as Rule<FinetuneOptions>[]),
  evenBatches,
);

export const evaluateOptions = optionsOf<EvaluateOptions>(
  {},
  { ...engineOptions.optional, batchSize: entry(whole(1, MOST), "pictures at a time", 32) },
);

export const runWeightsOptions = optionsOf<RunWeightsOptions>({}, { averaged: flag });

export const languageModelTraining = optionsOf<LanguageModelTraining>(
  {
    steps: epochCount,
    batchSize: whole(1, MOST),
    length: whole(1, MOST),
    lr: positiveRate,
    minLr: rate,
    warmupSteps: whole(0, 10_000_000),
    weightDecay,
    seed,
  },
  { onStep: callback() },
  ({ lr, minLr, steps, warmupSteps: warmup = 0 }) => [
    ...scheduleFits({ lr, minLr }),
    ...(steps !== undefined && warmup > steps ? [["warmupSteps", `at most steps (${steps})`] as const] : []),
  ],
);
