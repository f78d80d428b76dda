import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import type { Batch } from "../data/loader";
import type { MaskedAutoencoder } from "../models/mae";
import { drawNoise, maskFromNoise } from "../models/masking";
import { patchCount } from "../models/vit";
import { pretrainRules } from "../optim/groups";
import { expectImageSize } from "./fit";
import { startRun } from "./loop";
import { settlePlan, type TrainOptions } from "./plan";
import type { Run } from "./run";

/** A batch's pictures as a tensor [B, 3, S, S]. */
export function imageTensor(batch: Pick<Batch, "images">, size: number): Tensor {
  return tf.tensor(batch.images, [batch.images.length / (3 * size * size), 3, size, size]);
}

/**
 * Masked auto-encoding of a data set (LUViT section 3; mae/engine_pretrain.py). Returns at once with a handle; the
 * model is trained in place.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, or images of another size than the model's.
 */
export function pretrain(
  model: MaskedAutoencoder,
  dataset: ImageDataset,
  options: TrainOptions,
): Run<MaskedAutoencoder> {
  const { config } = model.encoder;
  expectImageSize(dataset, config.imageSize, "pretrain");
  const plan = settlePlan(dataset, options, [0.9, 0.95]);
  const draws = new Rng(plan.seed).fork("pretrain");
  return startRun(
    {
      name: "pretrain",
      model,
      dataset,
      plan,
      settings: { maskRatio: model.maskRatio, normPixLoss: model.normPixLoss },
      rules: pretrainRules(model, plan.weightDecay),
      loss(batch, micro) {
        const noise = drawNoise(plan.batchSize, patchCount(config), draws.fork("mask", micro));
        const mask = maskFromNoise(noise, plan.batchSize, model.maskRatio);
        return model.loss(model.inputs(imageTensor(batch, config.imageSize), mask));
      },
    },
    options,
  );
}
