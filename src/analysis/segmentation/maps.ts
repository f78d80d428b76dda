import { checkOptions } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import { type MaskedDataset, type MaskedSample, maskedField } from "../../data/segmentation";
import type { EngineOptions } from "../../engine";
import { predictIds } from "../../models/predictIds";
import { type Segmenter, segmenterField } from "../../models/segmenter";
import { patchEntropy } from "../entropy";
import { forwardBatches } from "../forwardBatches";
import { patchMapOptions } from "../options";
import { expectLayers, tapPatterns } from "../patterns";

/** What a segmenter makes of one image, as the set's transform cuts it. */
export interface SegmentationMaps {
  readonly sample: MaskedSample;
  /** Side of the image, and of both maps of ids, in pixels. */
  readonly size: number;
  /** [size * size]. */
  readonly truth: Int32Array;
  readonly prediction: Int32Array;
  /** Patches per side. */
  readonly grid: number;
  /** Attention entropy of every patch, mean over heads, nats, [grid * grid]. */
  readonly entropy: Float32Array;
}

/** Predictions beside truth and attention entropy of every image of a (small) set; default the last ViT block's. */
export async function segmentationMaps(
  model: Segmenter,
  dataset: MaskedDataset,
  options: { layer?: string; batchSize?: number } & EngineOptions = {},
): Promise<SegmentationMaps[]> {
  checkOptions("segmentationMaps", segmenterField, model);
  checkOptions("segmentationMaps", maskedField, dataset);
  checkOptions("segmentationMaps", patchMapOptions, options);
  const { imageSize: size, patchSize, depth } = model.encoder.config;
  const { layer = `blocks.${depth - 1}`, batchSize = 8, ...engine } = options;
  const grid = size / patchSize;
  const body = (images: Tensor) => {
    const found: Record<string, Tensor> = {};
    const tap = tapPatterns((at, pattern) => {
      if (at === layer) found[at] = tf.mean(patchEntropy(pattern), 1);
    });
    const logits = model.forward(images, { tap });
    expectLayers("segmentationMaps", [layer], Object.keys(found));
    return { logits, entropy: found[layer] };
  };
  const maps: SegmentationMaps[] = [];
  for await (const { samples, results } of forwardBatches(model, dataset, body, { batchSize, ...engine })) {
    const length = model.classes * grid ** 2;
    for (const [i, one] of samples.entries()) {
      const sample = one as MaskedSample;
      const planes = {
        logits: results.logits.subarray(i * length, (i + 1) * length),
        rows: grid,
        columns: grid,
      };
      const prediction = predictIds(planes, size, size);
      const entropy = results.entropy.slice(i * grid ** 2, (i + 1) * grid ** 2);
      maps.push({ sample, size, truth: sample.ids, prediction, grid, entropy });
    }
  }
  return maps;
}
