import { breathe } from "../core/loop";
import { checkOptions } from "../core/options";
import { Rng } from "../core/rng";
import { tf } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { expectSample } from "../data/expectSample";
import { type RgbImage, unnormalize } from "../data/pixels";
import type { EngineOptions } from "../engine";
import { type MaeInputs, type MaskedAutoencoder, maeField } from "../models/mae";
import { drawNoise, maskFromNoise } from "../models/masking";

import { patchCount } from "../models/vit";
import { patchify, unpatchify } from "../nn/patches";
import { expectImageSize } from "../train/checkSizes";
import { type Feeds, imageFeed, specsOf } from "../train/feeds";
import { openForward } from "../train/forward";
import { reconstructOptions } from "./options";

/** One image, what the model saw of it, and what it made of that. */
export interface Reconstruction {
  original: RgbImage;
  /** Removed patches gray. */
  masked: RgbImage;
  /** The decoder's output for every patch. */
  predicted: RgbImage;
  /** The decoder's output where patches were removed, the original elsewhere. */
  combined: RgbImage;
  /** What is to be known where it is shown: that the decoder was neither loaded nor trained. */
  note?: string;
}

const freshDecoder = "fresh decoder, not trained";

/**
 * Masks and reconstructs every image of a (small) set. With `normPixLoss` the prediction is normalized per patch and is
 * put back with the patch's own mean and deviation, as mae/demo does for its figures.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const shown = await luvit.analysis.reconstruct(model, images.take(2), { seed: 1 });
 * luvit.show(await luvit.figures.reconstructionGrid(shown));
 */
export async function reconstruct(
  model: MaskedAutoencoder,
  dataset: ImageDataset,
  options: { seed?: number } & EngineOptions = {},
): Promise<Reconstruction[]> {
  checkOptions("reconstruct", maeField, model);
  checkOptions("reconstruct", datasetField, dataset);
  checkOptions("reconstruct", reconstructOptions, options);
  const { seed = 0, ...engine } = options;
  const { imageSize: side } = model.encoder.config;
  expectImageSize(dataset, side, "reconstruct");
  const draws = new Rng(seed);
  const feedsAt = async (index: number) => {
    const rng = draws.fork("reconstruct", index);
    const sample = await dataset.load(index, rng);
    expectSample(sample, dataset);
    const { image } = sample;
    return maskedFeeds(model, image, rng);
  };
  const inputs = specsOf(await feedsAt(0));
  const forward = await openForward(
    "reconstruct",
    model,
    { inputs, body: (fed) => imagesOf(model, fed) },
    engine,
  );
  const results: Reconstruction[] = [];
  try {
    for (let index = 0; index < dataset.length; index++) {
      const feeds = await feedsAt(index);
      const { masked, predicted, combined } = await forward.run(feeds);
      const image = (pixels: Float32Array) => unnormalize(pixels, side, side);
      results.push({
        original: image(feeds.images.data as Float32Array),
        masked: image(masked),
        predicted: image(predicted),
        combined: image(combined),
        ...(model.decoderIsFresh && { note: freshDecoder }),
      });
      await breathe();
    }
  } finally {
    await forward.dispose();
  }
  return results;
}

/** One image with a mask drawn for it. */
function maskedFeeds(model: MaskedAutoencoder, image: Float32Array, rng: Rng): Feeds {
  const { config } = model.encoder;
  const patches = patchCount(config);
  const { keepRows, restoreRows, mask } = maskFromNoise(drawNoise(1, patches, rng), 1, model.maskRatio);
  return {
    images: imageFeed(image, config.imageSize),
    keepRows: { data: keepRows, shape: [keepRows.length], dtype: "int32" },
    restoreRows: { data: restoreRows, shape: [restoreRows.length], dtype: "int32" },
    mask: { data: mask, shape: [1, patches] },
  };
}

/** What is shown of one image, each [1, 3, S, S], normalized as the model's input is. */
function imagesOf(model: MaskedAutoencoder, fed: Readonly<Record<string, tf.Tensor>>) {
  const { patchSize } = model.encoder.config;
  const inputs = fed as unknown as MaeInputs;
  const prediction = model.decode(model.encode(inputs), inputs.restoreRows);
  const pixels = patchify(inputs.images, patchSize);
  const predicted = model.normPixLoss ? withStatisticsOf(pixels, prediction) : prediction;
  const removed = tf.expandDims(inputs.mask, -1);
  const mix = (shown: tf.Tensor, hidden: tf.Tensor) =>
    tf.add(tf.mul(hidden, removed), tf.mul(shown, tf.sub(1, removed)));
  return {
    masked: unpatchify(mix(pixels, tf.zerosLike(pixels)), patchSize),
    predicted: unpatchify(predicted, patchSize),
    combined: unpatchify(mix(pixels, predicted), patchSize),
  };
}

/** Puts a normalized prediction back into pixels: times the patch's deviation, plus its mean. patches [1, L, P]. */
function withStatisticsOf(pixels: tf.Tensor, prediction: tf.Tensor): tf.Tensor {
  const mean = tf.mean(pixels, -1, true);
  const size = pixels.shape[2]!;
  const variance = tf.div(tf.sum(tf.square(tf.sub(pixels, mean)), -1, true), size - 1);
  return tf.add(tf.mul(prediction, tf.sqrt(tf.add(variance, 1e-6))), mean);
}
