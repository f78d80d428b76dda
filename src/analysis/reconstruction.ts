import { breathe } from "../core/loop";
import { Rng } from "../core/rng";
import { onHost, tf } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import type { RgbImage } from "../data/decode";
import { unnormalize } from "../data/transforms";
import type { MaskedAutoencoder } from "../models/mae";
import { drawNoise, maskFromNoise } from "../models/masking";
import { patchCount } from "../models/vit";
import { patchify, unpatchify } from "../nn/patches";
import { expectImageSize } from "../train/fit";

/** One image, what the model saw of it, and what it made of that. */
export interface Reconstruction {
  original: RgbImage;
  /** Removed patches grey. */
  masked: RgbImage;
  /** The decoder's output for every patch. */
  predicted: RgbImage;
  /** The decoder's output where patches were removed, the original elsewhere. */
  combined: RgbImage;
}

/**
 * Masks and reconstructs every image of a (small) set. With `normPixLoss` the prediction is normalised per patch and is
 * put back with the patch's own mean and deviation, as mae/demo does for its figures.
 */
export async function reconstruct(
  model: MaskedAutoencoder,
  dataset: ImageDataset,
  { seed = 0 }: { seed?: number } = {},
): Promise<Reconstruction[]> {
  expectImageSize(dataset, model.encoder.config.imageSize, "reconstruct");
  const results: Reconstruction[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const rng = new Rng(seed).fork("reconstruct", index);
    const { image } = await dataset.load(index, rng);
    results.push(reconstructOne(model, image, rng));
    await breathe();
  }
  return results;
}

function reconstructOne(model: MaskedAutoencoder, image: Float32Array, rng: Rng): Reconstruction {
  const { imageSize: side, patchSize } = model.encoder.config;
  const mask = maskFromNoise(drawNoise(1, patchCount(model.encoder.config), rng), 1, model.maskRatio);
  return onHost(() => {
    const inputs = model.inputs(tf.tensor(image, [1, 3, side, side]), mask);
    const prediction = model.decode(model.encode(inputs), inputs.restoreRows);
    const pixels = patchify(inputs.images, patchSize);
    const predicted = model.normPixLoss ? withStatisticsOf(pixels, prediction) : prediction;
    const removed = tf.reshape(inputs.mask, [1, mask.patches, 1]);
    const mix = (shown: tf.Tensor, hidden: tf.Tensor) =>
      tf.add(tf.mul(hidden, removed), tf.mul(shown, tf.sub(1, removed)));
    const picture = (patches: tf.Tensor) =>
      unnormalize(unpatchify(patches, patchSize).dataSync<"float32">(), side, side);
    return {
      original: unnormalize(image, side, side),
      masked: picture(mix(pixels, tf.zerosLike(pixels))),
      predicted: picture(predicted),
      combined: picture(mix(pixels, predicted)),
    };
  });
}

/** Puts a normalised prediction back into pixels: times the patch's deviation, plus its mean. patches [1, L, P]. */
function withStatisticsOf(pixels: tf.Tensor, prediction: tf.Tensor): tf.Tensor {
  const mean = tf.mean(pixels, -1, true);
  const size = pixels.shape[2]!;
  const variance = tf.div(tf.sum(tf.square(tf.sub(pixels, mean)), -1, true), size - 1);
  return tf.add(tf.mul(prediction, tf.sqrt(tf.add(variance, 1e-6))), mean);
}
