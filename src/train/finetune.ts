import { LuvitError } from "../core/errors";
import { checkOptions, either, exactly, optionsOf, type Rule } from "../core/options";
import { Rng } from "../core/rng";
import { datasetField, type ImageDataset } from "../data/dataset";
import { expectReadable } from "../data/expectReadable";
import { type FinetuneAugmentOptions, finetuneAugmentOptions } from "../data/imageTransform";
import type { Batch } from "../data/loader";
import { mixBatch } from "../data/mixup";
import { mixAlphas } from "../data/options";
import * as transforms from "../data/transforms";
import { type Classifier, classifierField } from "../models/classifier";
import { smoothedTargets, softTargetCrossEntropy } from "../nn/losses";
import { finetuneRules } from "../optim/groups";
import { expectClasses, expectImageSize } from "./checkSizes";
import { drawDropPath } from "./dropPath";
import { evaluateWith, logProbabilities } from "./evaluate";
import type { Feeds } from "./feeds";
import { startRun } from "./loop";
import { finetuning } from "./options";
import { type RunPlan, settlePlan, type TrainOptions, trainOptions } from "./plan";

import { imageFeed } from "./pretrain";
import type { Run } from "./run";

/** What finetuning adds to the common options. */
export interface FinetuneOptions extends TrainOptions {
  /** Rate of layer k is layerDecay^(depth + 1 - k); default 0.75, 1 for none. */
  layerDecay?: number;
  /** Drop-path rate of the last block; default 0.1. */
  dropPath?: number;
  /** Label smoothing; default 0.1. */
  smoothing?: number;
  /** Beta parameters of mixup and cutmix, one of which is drawn per batch; null (default) mixes nothing. */
  mix?: { mixupAlpha: number; cutmixAlpha: number } | null;
  /**
   * Repeated augmentation: every image that an epoch draws comes so often, each time augmented anew, and an epoch, no
   * longer than without, draws that many times fewer. Default 1; the supervised recipes have 3. See `data.repeatedOrder`.
   */
  repeatedAugmentation?: number;
  /**
   * Decay, per step, of a moving average of the weights, e.g. 0.99996. It is evaluated beside the weights (`emaTop1`),
   * saved with them (average.safetensors) and given back by `done` (`averaged`). Takes the memory of up to two more copies
   * of the trained weights. Default none.
   */
  emaDecay?: number;
  /** How the training images are cropped and augmented, instead of by the set's own transform. */
  augment?: FinetuneAugmentOptions;
  /** Evaluated after every epoch: `top1` in percent, `emaTop1` of the averaged weights. */
  validation?: ImageDataset;
}

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

/**
 * Supervised finetuning (mae/engine_finetune.py; LUViT D.3). Returns at once with a handle; the model is trained in place.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, or data that do not fit the model.
 *
 * @example
 * const transform = luvit.data.transforms.finetune(64);
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const { history } = await luvit.train.finetune(model, images.take(32), { ...luvit.recipes.finetuneToy, epochs: 1, out: false }).done;
 */
export function finetune(model: Classifier, images: ImageDataset, options: FinetuneOptions): Run<Classifier> {
  checkOptions("finetune", classifierField, model);
  checkOptions("finetune", datasetField, images);
  checkOptions("finetune", finetuneOptions, options);
  const { config } = model.encoder;
  const settings = settingsOf(options);
  const { layerDecay, augment, repeatedAugmentation, emaDecay } = settings;
  const { validation } = options;
  const dataset = augment ? images.withTransform(transforms.finetune(config.imageSize, augment)) : images;
  for (const set of [dataset, validation]) {
    if (!set) continue;
    expectImageSize(set, config.imageSize, "finetune");
    expectClasses(set, model.classes, "finetune");
  }
  expectValidation(validation);
  learnFrom(model, dataset, validation);
  const plan = settlePlan(dataset, options, [0.9, 0.999]);
  const rules = finetuneRules(model, { weightDecay: plan.weightDecay, layerDecay, depth: config.depth });
  const draws = new Rng(plan.seed).fork("finetune");
  return startRun(
    {
      name: "finetune",
      model,
      dataset,
      plan,
      settings,
      rules,
      repeats: repeatedAugmentation,
      emaDecay,
      validation,
      // Images that cannot be read are found now, not after an epoch.
      prepare: async () => {
        if (validation) await expectReadable(validation, options.maxUnreadable);
      },
      feeds: (batch, micro) => batchFeeds(model, batch, plan, settings, draws.fork("batch", micro)),
      loss: ({ images, targets, dropPath: factors }) =>
        softTargetCrossEntropy(model.forward(images, { dropPath: factors }), targets),
      functions: validation ? { scores: logProbabilities(model, plan.batchSize) } : {},
      evaluate: validation
        ? async (stepper) => {
            const top1 = async (averaged: boolean) => {
              const scores = (feeds: Feeds) => stepper.call("scores", feeds, { averaged });
              return (await evaluateWith(scores, model, validation, plan.batchSize)).top1;
            };
            const own = { top1: await top1(false) };
            return emaDecay === undefined ? own : { ...own, emaTop1: await top1(true) };
          }
        : undefined,
    },
    options,
  );
}

/** @throws LuvitError("bad-argument") for a set that an epoch could not be evaluated on. */
function expectValidation(validation: ImageDataset | undefined): void {
  if (!validation || validation.length > 0) return;
  throw new LuvitError(
    "bad-argument",
    "finetune: the validation set is empty; leave it out, or give another",
  );
}

/** What a model is to know of the data it is trained on: the names of its classes, and how images are prepared for it. */
function learnFrom(model: Classifier, dataset: ImageDataset, validation: ImageDataset | undefined): void {
  if (dataset.classes.length === model.classes) model.classNames = [...dataset.classes];
  const known = [validation, dataset].map((set) => set?.preprocessing).find((one) => one !== undefined);
  if (known) model.preprocessing = known;
}

/** What decides the numbers, beside the plan: saved with every checkpoint, and the same when a run goes on. */
interface FinetuneSettings {
  layerDecay: number;
  dropPath: number;
  smoothing: number;
  mix: FinetuneOptions["mix"];
  augment?: FinetuneAugmentOptions;
  repeatedAugmentation?: number;
  emaDecay?: number;
}

/** The one place where finetuning's defaults stand. */
function settingsOf({
  layerDecay = 0.75,
  dropPath = 0.1,
  smoothing = 0.1,
  mix = null,
  augment,
  repeatedAugmentation,
  emaDecay,
}: FinetuneOptions): FinetuneSettings & Record<string, unknown> {
  return { layerDecay, dropPath, smoothing, mix, augment, repeatedAugmentation, emaDecay };
}

function batchFeeds(
  model: Classifier,
  batch: Batch,
  plan: RunPlan,
  settings: FinetuneSettings,
  rng: Rng,
): Feeds {
  const { imageSize, depth } = model.encoder.config;
  const { dropPath } = settings;
  const { images, targets } = mixedBatch(model, batch, settings, rng);
  const feeds = {
    images: imageFeed(images, imageSize),
    targets: { data: targets, shape: [plan.batchSize, model.classes] },
  };
  if (dropPath === 0) return feeds;
  const factors = drawDropPath(depth, dropPath, plan.batchSize, rng.fork("drop path"));
  return { ...feeds, dropPath: { data: factors, shape: [2 * depth, plan.batchSize] } };
}

function mixedBatch(model: Classifier, batch: Batch, { mix, smoothing }: FinetuneSettings, rng: Rng) {
  const { classes } = model;
  if (!mix) return { images: batch.images, targets: smoothedTargets(batch.labels, classes, smoothing) };
  const { imageSize: side } = model.encoder.config;
  const { images, labels } = batch;
  return mixBatch({
    ...mix,
    images,
    labels,
    height: side,
    width: side,
    classes,
    smoothing,
    rng: rng.fork("mix"),
  });
}
