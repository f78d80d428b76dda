import { either, exactly, optionsOf, type Rule } from "../core/options";
import { datasetField, type ImageDataset } from "../data/dataset";
import { type FinetuneAugmentOptions, finetuneAugmentOptions } from "../data/imageTransform";
import { mixAlphas } from "../data/options";
import { finetuning } from "./options";
import { type TrainOptions, trainOptions } from "./plan";

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
