import { breathe } from "../core/loop";
import { checkOptions } from "../core/options";
import { Rng } from "../core/rng";
import { tf } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { expectSample } from "../data/expectSample";
import { type RgbImage, unnormalize } from "../data/pixels";
import { type MaeInputs, type MaskedAutoencoder, maeField } from "../models/mae";
import { drawNoise, maskFromNoise } from "../models/masking";
import type { Context } from "../nn/context";
import { patchify, unpatchify } from "../nn/patches";
import { expectImageSize } from "../train/checkSizes";
import { type Feeds, specsOf } from "../train/feeds";
import { openForward } from "../train/forward";
import { GraphsByShape, type ImageShape } from "./graphsByShape";
import { gridOf } from "./lookGraphs";
import { type LookOptions, reconstructOptions } from "./options";

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
  options: { seed?: number } & LookOptions = {},
): Promise<Reconstruction[]> {
  checkOptions("reconstruct", maeField, model);
  checkOptions("reconstruct", datasetField, dataset);
  checkOptions("reconstruct", reconstructOptions, options);
  const { seed = 0, positions = "mae", graphs: most = 4, ...engine } = options;
  const { imageSize } = model.encoder.config;
  if (!dataset.ownShapes) expectImageSize(dataset, imageSize, "reconstruct");
  const draws = new Rng(seed);
  const context: Context = dataset.ownShapes ? { positions } : {};
  const graphs = new GraphsByShape((shape) => {
    const inputs = specsOf(
      maskedFeeds(model, new Float32Array(3 * shape.height * shape.width), shape, new Rng(0)),
    );
    return openForward(
      "reconstruct",
      model,
      { inputs, body: (fed) => imagesOf(model, fed, context) },
      engine,
    );
  }, most);
  const results: Reconstruction[] = [];
  try {
    for (let index = 0; index < dataset.length; index++) {
      const rng = draws.fork("reconstruct", index);
      const sample = await dataset.load(index, rng);
      expectSample(sample, dataset);
      const { height = imageSize, width = imageSize } = sample;
      const forward = await graphs.graphFor({ height, width }, 1, 1);
      const feeds = maskedFeeds(model, sample.image, { height, width }, rng);
      const { masked, predicted, combined } = await forward.run(feeds);
      const image = (pixels: Float32Array) => unnormalize(pixels, width, height);
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
    await graphs.dispose();
  }
  return results;
}

/** One image with a mask drawn for it. */
function maskedFeeds(
  model: MaskedAutoencoder,
  image: Float32Array,
  { height, width }: ImageShape,
  rng: Rng,
): Feeds {
  const { rows, columns } = gridOf({ height, width }, model.encoder.config.patchSize);
  const patches = rows * columns;
  const { keepRows, restoreRows, mask } = maskFromNoise(drawNoise(1, patches, rng), 1, model.maskRatio);
  return {
    images: { data: image, shape: [1, 3, height, width] },
    keepRows: { data: keepRows, shape: [keepRows.length], dtype: "int32" },
    restoreRows: { data: restoreRows, shape: [restoreRows.length], dtype: "int32" },
    mask: { data: mask, shape: [1, patches] },
  };
}

/** What is shown of one image, each [1, 3, H, W], normalized as the model's input is. */
function imagesOf(model: MaskedAutoencoder, fed: Readonly<Record<string, tf.Tensor>>, context: Context) {
  const { patchSize } = model.encoder.config;
  const inputs = fed as unknown as MaeInputs;
  const [height, width] = inputs.images.shape.slice(2);
  const grid = gridOf({ height, width }, patchSize);
  const prediction = model.decode(model.encode(inputs, context), inputs.restoreRows, context, grid);
  const pixels = patchify(inputs.images, patchSize);
  const predicted = model.normPixLoss ? withStatisticsOf(pixels, prediction) : prediction;
  const removed = tf.expandDims(inputs.mask, -1);
  const mix = (shown: tf.Tensor, hidden: tf.Tensor) =>
    tf.add(tf.mul(hidden, removed), tf.mul(shown, tf.sub(1, removed)));
  const image = (patches: tf.Tensor) => unpatchify(patches, patchSize, 3, grid);
  return {
    masked: image(mix(pixels, tf.zerosLike(pixels))),
    predicted: image(predicted),
    combined: image(mix(pixels, predicted)),
  };
}

/** Puts a normalized prediction back into pixels: times the patch's deviation, plus its mean. patches [1, L, P]. */
function withStatisticsOf(pixels: tf.Tensor, prediction: tf.Tensor): tf.Tensor {
  const mean = tf.mean(pixels, -1, true);
  const size = pixels.shape[2]!;
  const variance = tf.div(tf.sum(tf.square(tf.sub(pixels, mean)), -1, true), size - 1);
  return tf.add(tf.mul(prediction, tf.sqrt(tf.add(variance, 1e-6))), mean);
}
