import { checkOptions, optionsOf } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import type { MaskedAutoencoder } from "../../models/mae";
import { columnsOf, tableOf } from "../columns";
import { type Body, forwardBatches } from "../forwardBatches";
import { type GivenImages, givenImages, readable } from "../givenImages";
import { batchSize, encodingModel, type LookOptions, looking } from "../options";
import { tapPatterns } from "../patterns";
import type { ResultTable } from "../provenance";
import { meanDistance, patchDistances } from "./attentionDistance";

export interface AttentionDistanceOptions extends LookOptions {
  /** Images at a time; default 8. */
  batchSize?: number;
}

const distanceOptions = optionsOf<AttentionDistanceOptions>({}, { ...looking, batchSize });

/**
 * How far each head of each layer looks: a row per layer and head with `distance` in pixels, mean over patch queries and
 * images, weights on the class token counting as nothing; and `rescaled`, with every query's weights on patches summing to 1.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * console.log((await luvit.analysis.attentionDistances(model, images.take(4))).numRows); // 4 layers of 4 heads
 */
export async function attentionDistances(
  model: Classifier | MaskedAutoencoder,
  images: GivenImages,
  options: AttentionDistanceOptions = {},
): Promise<ResultTable> {
  checkOptions("attentionDistances", encodingModel, model);
  checkOptions("attentionDistances", givenImages, images);
  checkOptions("attentionDistances", distanceOptions, options);
  const { batchSize = 8, ...engine } = options;
  const { imageSize, patchSize } = model.encoder.config;
  const { firstPatch } = model.encoder;
  const layers = new Set<string>();
  const body: Body = (fed, { context, grid }) => {
    const patches = grid.rows * grid.columns;
    const pixels = tf.tensor(patchDistances(grid, patchSize), [patches, patches]);
    const results: Record<string, Tensor> = {};
    const tap = tapPatterns((layer, pattern) => {
      layers.add(layer);
      results[`${layer} plain`] = meanDistance(pattern, pixels, false, firstPatch);
      results[`${layer} rescaled`] = meanDistance(pattern, pixels, true, firstPatch);
    });
    model.encoder.tokens(fed, { ...context, tap });
    return results;
  };
  const sums = new Map<string, Float64Array>();
  let count = 0;
  const set = readable(images, imageSize);
  for await (const { samples, size, results } of forwardBatches(model, set, body, {
    batchSize,
    anyTokens: true,
    ...engine,
  })) {
    count += samples.length;
    for (const [name, values] of Object.entries(results)) {
      const heads = values.length / size;
      const sum = sums.get(name) ?? new Float64Array(heads);
      for (let i = 0; i < samples.length * heads; i++) sum[i % heads] += values[i];
      sums.set(name, sum);
    }
  }
  const rows = [...layers].flatMap((layer) =>
    Array.from(sums.get(`${layer} plain`) ?? [], (sum, head) => ({
      layer,
      head,
      distance: sum / count,
      rescaled: sums.get(`${layer} rescaled`)![head] / count,
      images: count,
    })),
  );
  return tableOf(columnsOf(rows, ["layer", "head", "distance", "rescaled", "images"]));
}
