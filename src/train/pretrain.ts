import { checkOptions, optionsOf, type Rule } from "../core/options";
import { Rng } from "../core/rng";
import type { Tensor } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { type MaeInputs, type MaskedAutoencoder, maeField } from "../models/mae";
import { drawNoise, maskFromNoise } from "../models/masking";
import { patchCount } from "../models/vit";
import { pretrainRules } from "../optim/groups";
import { expectImageSize } from "./checkSizes";
import { type Feeds, normalizedImages, pixelFeed, pixelsOf } from "./feeds";
import { startRun } from "./loop";
import { settlePlan, type TrainOptions, trainOptions } from "./plan";

import { type MaeTeaching, maeTeaching, taughtParts } from "./pretrainTaught";
import type { Run } from "./run";

/** A random mask for each of `batch` images, as operands of a step. */
export function maskFeeds(model: MaskedAutoencoder, batch: number, rng: Rng): Feeds {
  const patches = patchCount(model.encoder.config);
  const noise = drawNoise(batch, patches, rng);
  const { keepRows, restoreRows, mask } = maskFromNoise(noise, batch, model.maskRatio);
  return {
    keepRows: { data: keepRows, shape: [keepRows.length], dtype: "int32" },
    restoreRows: { data: restoreRows, shape: [restoreRows.length], dtype: "int32" },
    mask: { data: mask, shape: [batch, patches] },
  };
}

/** What pretraining adds to the common options. */
export interface PretrainOptions extends TrainOptions {
  /** Distillation from another masked auto-encoder, on the visible patches. */
  distill?: MaeTeaching;
}

export const pretrainOptions = optionsOf<PretrainOptions>(
  trainOptions.required,
  { ...trainOptions.optional, distill: maeTeaching },
  ...(trainOptions.rules as Rule<PretrainOptions>[]),
);

/**
 * Masked auto-encoding of a data set (LUViT section 3; mae/engine_pretrain.py). Returns at once with a handle; the
 * model is trained in place.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, or images of another size than the model's.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform: luvit.data.transforms.mae(64) });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const { history } = await luvit.train.pretrain(model, images.take(32), { ...luvit.recipes.pretrainToy, epochs: 1, out: false }).done;
 */
export function pretrain(
  model: MaskedAutoencoder,
  dataset: ImageDataset,
  options: PretrainOptions,
): Run<MaskedAutoencoder> {
  checkOptions("pretrain", maeField, model);
  checkOptions("pretrain", datasetField, dataset);
  checkOptions("pretrain", pretrainOptions, options);
  const { config } = model.encoder;
  expectImageSize(dataset, config.imageSize, "pretrain");
  const plan = settlePlan(dataset, options, [0.9, 0.95]);
  const draws = new Rng(plan.seed).fork("pretrain");
  const taught = options.distill && taughtParts(model, options.distill, plan.seed);
  const pixels = pixelsOf(dataset);
  const loss =
    taught?.loss ??
    ((inputs: Readonly<Record<string, Tensor>>) => model.loss(inputs as unknown as MaeInputs));
  const rules = pretrainRules(taught?.whole ?? model, plan.weightDecay);
  model.decoderIsFresh = false;
  return startRun(
    {
      name: "pretrain",
      model,
      whole: taught?.whole,
      frozen: taught?.frozen,
      dataset,
      plan,
      settings: { maskRatio: model.maskRatio, normPixLoss: model.normPixLoss, distill: taught?.settings },
      rules: taught?.whole.withoutTeacher(rules) ?? rules,
      feeds(batch, micro) {
        return {
          images: pixelFeed(batch, config.imageSize),
          ...maskFeeds(model, plan.batchSize, draws.fork("mask", micro)),
        };
      },
      pixels,
      loss: (fed) => loss({ ...fed, images: normalizedImages(fed.images, pixels) }),
    },
    options,
  );
}
