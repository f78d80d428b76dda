import { LuvitError } from "../core/errors";
import { checkOptions, entry, flag, optionsOf, type Rule } from "../core/options";
import { Rng } from "../core/rng";
import { expectReadable } from "../data/expectReadable";
import type { Batch } from "../data/loader";
import { type MaskedDataset, type MaskedSample, maskedField } from "../data/segmentation";
import * as transforms from "../data/transforms";
import { type Segmenter, type SegmentInputs, segmenterField } from "../models/segmenter";
import { segmentTargets } from "../models/segmentTargets";
import { finetuneRules } from "../optim/groups";
import { expectImageSize } from "./checkSizes";
import { drawDropPath } from "./dropPath";
import { type Feeds, imageFeed } from "./feeds";
import { startRun } from "./loop";
import { finetuning } from "./options";
import { settlePlan, type TrainOptions, trainOptions } from "./plan";
import type { Run } from "./run";
import { squareIoU, squareLogits } from "./squareIoU";

/** What training a segmenter adds to the common options. */
export interface SegmentOptions extends TrainOptions {
  /** Rate of layer k is layerDecay^(depth + 1 - k); default 0.6, 1 for none. */
  layerDecay?: number;
  /** Drop-path rate of the last block; default 0.1. */
  dropPath?: number;
  /** Images and masks go through `transforms.segment` of the model's size, instead of the set's own transform. */
  augment?: boolean;
  /**
   * Scored after every epoch as its transform cuts it into squares: `squareMIoU`, percent, which is not ImageNet-S's
   * number; that is `benchmark.segmentation`'s.
   */
  validation?: MaskedDataset;
}

export const segmentOptions = optionsOf<SegmentOptions>(
  trainOptions.required,
  {
    ...trainOptions.optional,
    layerDecay: finetuning.layerDecay,
    dropPath: finetuning.dropPath,
    augment: entry(flag, "images and masks are cropped, flipped and recolored together", true),
    validation: maskedField,
  },
  ...(trainOptions.rules as Rule<SegmentOptions>[]),
);

/**
 * Training of a segmenter on images with masks, as ImageNet-S's authors do it. Returns at once with a handle; the model is
 * trained in place. Frozen parameters stay as they are: a segmenter made with `frozen` is a linear probe.
 *
 * Reference: LUSSeg/ImageNetSegModel main_segfinetune.py, engine_segfinetune.py.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, or data that do not fit the model.
 *
 * @example
 * const semi = await luvit.data.imageNetS({
 *   root: "data/shapes",
 *   split: "train-semi",
 *   patch: 8,
 *   transform: luvit.data.transforms.segment(64),
 * });
 * const model = luvit.segmenter.create({ encoder: luvit.vit.toy, classes: 7 });
 * const { history } = await luvit.train.segment(model, semi, { ...luvit.recipes.segmentToy, epochs: 1, warmupEpochs: 0, out: false }).done;
 */
export function segment(model: Segmenter, images: MaskedDataset, options: SegmentOptions): Run<Segmenter> {
  checkOptions("segment", segmenterField, model);
  checkOptions("segment", maskedField, images);
  checkOptions("segment", segmentOptions, options);
  const { imageSize, depth } = model.encoder.config;
  const { layerDecay = 0.6, dropPath = 0.1, augment = false, validation } = options;
  const dataset = augment ? images.withTransform(transforms.segment(imageSize)) : images;
  for (const set of [dataset, validation]) {
    if (!set) continue;
    expectImageSize(set, imageSize, "segment");
    expectMaskClasses(set, model, "segment");
  }
  if (validation?.length === 0)
    throw new LuvitError(
      "bad-argument",
      "segment: the validation set is empty; leave it out, or give another",
    );
  const plan = settlePlan(dataset, options, [0.9, 0.999]);
  const rules = finetuneRules(model, { weightDecay: plan.weightDecay, layerDecay, depth });
  const draws = new Rng(plan.seed).fork("segment");
  learnFrom(model, dataset, validation);
  return startRun(
    {
      name: "segment",
      model,
      dataset,
      plan,
      settings: { layerDecay, dropPath, augment },
      rules,
      validation,
      prepare: async () => {
        if (validation) await expectReadable(validation, options.maxUnreadable);
      },
      feeds(batch, micro) {
        const feeds = segmentFeeds(model, batch);
        if (dropPath === 0) return feeds;
        const rng = draws.fork("batch", micro).fork("drop path");
        const factors = drawDropPath(depth, dropPath, plan.batchSize, rng);
        return { ...feeds, dropPath: { data: factors, shape: [2 * depth, plan.batchSize] } };
      },
      loss: ({ dropPath: factors, ...inputs }) =>
        model.loss(inputs as unknown as SegmentInputs, { dropPath: factors }),
      functions: validation ? { logits: squareLogits(model, plan.batchSize) } : {},
      evaluate: validation
        ? async (stepper, sharing) => {
            const logits = async (feeds: Feeds) => (await stepper.call("logits", feeds)).logits;
            return { squareMIoU: await squareIoU(logits, model, validation, plan.batchSize, sharing) };
          }
        : undefined,
    },
    options,
  );
}

/** What a step is fed for a batch: images, and ids with weights on twice the grid of patches. */
function segmentFeeds(model: Segmenter, { images, samples, paths }: Batch): Feeds {
  const { imageSize, patchSize } = model.encoder.config;
  const side = 2 * (imageSize / patchSize);
  const maps = new Int32Array(samples.length * imageSize ** 2);
  for (const [i, sample] of samples.entries()) maps.set((sample as MaskedSample).ids, i * imageSize ** 2);
  const { ids, weights } = segmentTargets(
    { ids: maps, height: imageSize, width: imageSize },
    { rows: side, columns: side, classes: model.classes },
    (image) => paths[image],
  );
  return {
    images: imageFeed(images, imageSize),
    ids: { data: ids, shape: [ids.length], dtype: "int32" },
    weights: { data: weights, shape: [weights.length] },
  };
}

/** @throws LuvitError("bad-argument") for a set whose masks have other classes than a segmenter tells apart. */
export function expectMaskClasses(
  { classes }: Pick<MaskedDataset, "classes">,
  model: Segmenter,
  where: string,
): void {
  if (classes.length + 1 === model.classes) {
    expectSameOrder(classes, model, where);
    return;
  }
  const counts = `the set has ${classes.length} classes, the model tells ${model.classes} ids apart, "other" among them`;
  throw new LuvitError(
    "bad-argument",
    `${where}: ${counts}; make it with classes: ${classes.length + 1}, or open the set's own class folders`,
  );
}

function expectSameOrder(classes: readonly string[], { classNames }: Segmenter, where: string): void {
  const moved = classNames ? classes.findIndex((name, i) => name !== classNames[i]) : -1;
  if (moved < 0 || !classNames || classes.some((name) => !classNames.includes(name))) return;
  const names = `id ${moved + 1} is ${classNames[moved]} for the model, ${classes[moved]} in the set`;
  throw new LuvitError("bad-argument", `${where}: the classes are in another order: ${names}`);
}

/** What a model is to know of the data it is trained on: the names of its classes, and how images are prepared for it. */
function learnFrom(model: Segmenter, dataset: MaskedDataset, validation: MaskedDataset | undefined): void {
  model.classNames = [...dataset.classes];
  const known = [validation, dataset]
    .map((set) => set?.transform.preprocessing)
    .find((one) => one !== undefined);
  if (known) model.preprocessing = known;
}
