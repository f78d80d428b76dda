import { LuvitError } from "../core/errors";
import { Rng } from "../core/rng";
import type { ImageDataset } from "../data/dataset";
import { expectReadable } from "../data/expectReadable";
import type { FinetuneAugmentOptions } from "../data/imageTransform";
import type { Batch } from "../data/loader";
import { mixBatch } from "../data/mixup";
import * as transforms from "../data/transforms";
import type { Classifier } from "../models/classifier";
import { smoothedTargets, softTargetCrossEntropy } from "../nn/losses";
import type { Module } from "../nn/module";
import { finetuneRules } from "../optim/groups";
import { expectClasses, expectImageSize } from "./checkSizes";
import { drawDropPath } from "./dropPath";
import { evaluateWith, logProbabilities } from "./evaluate";
import { type Feeds, imageFeed, pixelsOf } from "./feeds";
import type { FinetuneOptions } from "./finetuneOptions";
import { type RunPlan, settlePlan } from "./plan";
import type { TrainingTask } from "./steps";

/**
 * Finetuning as a task: what every kind of training of a classifier on labeled images begins with. `name` is that of
 * the public function. Where images are not `labeled`, their labels are looked at nowhere but in the validation; where
 * there is a `whole`, all of it that is trainable is trained.
 *
 * @throws LuvitError("bad-argument") for data that do not fit the model.
 */
export function finetuneTask(
  name: string,
  model: Classifier,
  images: ImageDataset,
  options: FinetuneOptions,
  { labeled = true, whole }: { labeled?: boolean; whole?: Module } = {},
): TrainingTask<Classifier> {
  const { config } = model.encoder;
  const settings = settingsOf(options);
  const { layerDecay, augment, repeatedAugmentation, emaDecay } = settings;
  const { validation } = options;
  const dataset = augment ? images.withTransform(transforms.finetune(config.imageSize, augment)) : images;
  for (const set of [dataset, validation]) {
    if (!set) continue;
    expectImageSize(set, config.imageSize, name);
    if (labeled || set === validation) expectClasses(set, model.classes, name);
  }
  expectValidation(name, validation);
  learnFrom(model, labeled ? dataset : validation, validation, dataset);
  const plan = settlePlan(dataset, options, [0.9, 0.999]);
  const rules = finetuneRules(whole ?? model, {
    weightDecay: plan.weightDecay,
    layerDecay,
    depth: config.depth,
  });
  const draws = new Rng(plan.seed).fork("finetune");
  return {
    name,
    model,
    whole,
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
    feeds: (batch, micro) => batchFeeds(model, batch, plan, settings, draws.fork("batch", micro), labeled),
    loss: ({ images, targets, dropPath: factors }) =>
      softTargetCrossEntropy(model.forward(images, { dropPath: factors }), targets),
    functions: validation ? { scores: logProbabilities(model, plan.batchSize, pixelsOf(validation)) } : {},
    evaluate: validation
      ? async (stepper, sharing) => {
          const top1 = async (averaged: boolean) => {
            const scores = (feeds: Feeds) => stepper.call("scores", feeds, { averaged });
            return (await evaluateWith(scores, model, validation, plan.batchSize, sharing)).top1;
          };
          const own = { top1: await top1(false) };
          return emaDecay === undefined ? own : { ...own, emaTop1: await top1(true) };
        }
      : undefined,
  };
}

/** @throws LuvitError("bad-argument") for a set that an epoch could not be evaluated on. */
function expectValidation(name: string, validation: ImageDataset | undefined): void {
  if (!validation || validation.length > 0) return;
  throw new LuvitError("bad-argument", `${name}: the validation set is empty; leave it out, or give another`);
}

/** What a model is to know of the data it is trained on: the names of its classes, and how images are prepared for it. */
function learnFrom(
  model: Classifier,
  labeled: ImageDataset | undefined,
  validation: ImageDataset | undefined,
  dataset: ImageDataset,
): void {
  if (labeled?.classes.length === model.classes) model.classNames = [...labeled.classes];
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
  labeled: boolean,
): Feeds {
  const { imageSize, depth } = model.encoder.config;
  const { dropPath } = settings;
  const known = labeled ? batch : { ...batch, labels: new Int32Array(batch.labels.length) };
  const { images, targets } = mixedBatch(model, known, settings, rng);
  const feeds: Feeds = {
    images: imageFeed(images, imageSize),
    ...(labeled && { targets: { data: targets, shape: [plan.batchSize, model.classes] } }),
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
