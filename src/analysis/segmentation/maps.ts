import { LuvitError } from "../../core/errors";
import { checkOptions, either, such } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import { type MaskedDataset, type MaskedSample, maskedField } from "../../data/segmentation";
import { WholeImages } from "../../data/wholeImages";
import { predictIds } from "../../models/predictIds";
import { type Segmenter, segmenterField } from "../../models/segmenter";
import type { PatchGrid } from "../../nn/positionEmbedding";
import { patchEntropy } from "../entropy";
import { type Body, forwardBatches, type MaskedOrPlain } from "../forwardBatches";
import type { ImageShape } from "../graphsByShape";
import { type LookOptions, patchMapOptions } from "../options";
import { expectLayers, tapPatterns } from "../patterns";

/** What a segmenter makes of one image, as the set's transform cuts it. */
export interface SegmentationMaps {
  readonly sample: MaskedSample;
  /** Of the image, and of both maps of ids, in pixels. */
  readonly shape: ImageShape;
  /** [height * width]. */
  readonly truth: Int32Array;
  readonly prediction: Int32Array;
  /** Rows and columns of patches. */
  readonly grid: PatchGrid;
  /** Attention entropy of every patch, mean over heads, nats, [P]. */
  readonly entropy: Float32Array;
}

const wholeField = such<WholeImages>(
  "a set with masks, from data.imageNetS, or its data.wholeImages",
  (value) => value instanceof WholeImages,
);

function withMask(sample: MaskedOrPlain): MaskedSample {
  if ("ids" in sample) return sample as MaskedSample;
  const text = `${sample.path} has no mask; make the set with data.imageNetS`;
  throw new LuvitError("bad-argument", `segmentationMaps: ${text}`);
}

/** Predictions beside truth and attention entropy of every image of a (small) set; default the last ViT block's. */
export async function segmentationMaps(
  model: Segmenter,
  dataset: MaskedDataset | WholeImages,
  options: { layer?: string; batchSize?: number } & LookOptions = {},
): Promise<SegmentationMaps[]> {
  checkOptions("segmentationMaps", segmenterField, model);
  checkOptions("segmentationMaps", either(maskedField, wholeField), dataset);
  checkOptions("segmentationMaps", patchMapOptions, options);
  const { depth } = model.encoder.config;
  const { layer = `blocks.${depth - 1}`, batchSize = 8, ...engine } = options;
  const body: Body = (images, { context }) => {
    const patterns = new Map<string, Tensor>();
    const tap = tapPatterns((at, pattern) => void patterns.set(at, pattern));
    const logits = model.forward(images, { ...context, tap });
    expectLayers("segmentationMaps", [layer], [...patterns.keys()]);
    return { logits, entropy: tf.mean(patchEntropy(patterns.get(layer)!), 1) };
  };
  const maps: SegmentationMaps[] = [];
  const batches = forwardBatches(model, dataset, body, { batchSize, ...engine });
  for await (const { samples, shape, grid, results } of batches) {
    const patches = grid.rows * grid.columns;
    const length = model.classes * patches;
    for (const [i, one] of samples.entries()) {
      const sample = withMask(one);
      const logits = results.logits.subarray(i * length, (i + 1) * length);
      const prediction = predictIds({ logits, ...grid }, shape.height, shape.width);
      const entropy = results.entropy.slice(i * patches, (i + 1) * patches);
      maps.push({ sample, shape, truth: sample.ids, prediction, grid, entropy });
    }
  }
  return maps;
}
