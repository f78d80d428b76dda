import { LuvitError } from "../core/errors";
import type { ImageDataset } from "../data/dataset";
import { expectImageSize } from "../train/checkSizes";
import { imageFeed } from "../train/feeds";
import type { Forward } from "../train/forward";
import { expectUsualTokens } from "./expectUsualTokens";
import { releaseKept, takeForward } from "./keptForward";
import type { ImageRange } from "./keptRanges";
import {
  type Body,
  type ForwardBatch,
  type ForwardBatchOptions,
  gridOf,
  type LookedAt,
  openShape,
  type ReadableImages,
  runVariants,
} from "./lookGraphs";
import { squareSamples } from "./squareSamples";
import { wholeBatches } from "./wholeBatches";

export type {
  Body,
  Fed,
  ForwardBatch,
  ForwardBatchOptions,
  LookedAt,
  MaskedOrPlain,
  ReadableImages,
} from "./lookGraphs";

/**
 * Runs `body` on every image of a set, in order, on the engine; whole images in groups of one shape, which come out one by
 * one. Unreadable images are left out; a batch may have no samples at all.
 *
 * @throws LuvitError("bad-argument") for images or masks of another size than the model's, or a set that is empty;
 * ("bad-dataset") where no image can be read; ("non-finite") for images of NaN or infinities.
 */
export async function* forwardBatches(
  model: LookedAt,
  dataset: ReadableImages,
  body: Body,
  options: ForwardBatchOptions,
): AsyncGenerator<ForwardBatch> {
  const { ranges = [{ start: 0, end: dataset.length }], anyTokens = false } = options;
  const { config } = model.encoder;
  if (!dataset.ownShapes) expectImageSize(dataset, config.imageSize, "analysis");
  if (!anyTokens) expectUsualTokens(config);
  if (ranges.length === 0) return;
  if (dataset.length === 0) throw new LuvitError("bad-argument", "analysis: the set is empty");
  if (dataset.ownShapes) await releaseKept();
  const batches = dataset.ownShapes ? wholeBatches : squareBatches;
  let read = 0;
  for await (const batch of batches(model, dataset, body, { ...options, ranges })) {
    read += batch.samples.length;
    yield batch;
  }
  // Whoever chooses images tells what became of them.
  if (read === 0 && options.ranges === undefined) throw nothingRead(dataset);
}

/** Images of the model's own size, in batches. */
async function* squareBatches(
  model: LookedAt,
  dataset: ReadableImages,
  body: Body,
  options: ForwardBatchOptions & { ranges: readonly ImageRange[] },
): AsyncGenerator<ForwardBatch> {
  const { config } = model.encoder;
  const size = batchLength(options.batchSize, dataset);
  const shape = { height: config.imageSize, width: config.imageSize };
  const grid = gridOf(shape, config.patchSize);
  const open = () => openShape(model, body, { shape, grid, size, context: {} }, options);
  const { forward, giveBack } = await opened(model, open, size, options);
  let isSound = true;
  try {
    for await (const { images, samples, start, end } of squareSamples(
      dataset,
      config,
      size,
      options.ranges,
    )) {
      const feeds = { images: imageFeed(images, config.imageSize) };
      const variants = await runVariants(forward, feeds, samples, size, options);
      yield { samples, size, start, end, canStop: true, shape, grid, results: variants[0], variants };
    }
  } catch (error) {
    isSound = false;
    throw error;
  } finally {
    if (giveBack && forward.isGraph && isSound) await giveBack();
    else await forward.dispose();
  }
}

/** A graph that may stay open for the next call, or, where nothing is asked to, one of its own. */
async function opened(
  model: LookedAt,
  open: () => Promise<Forward>,
  size: number,
  { beside, variants, batchSize: _, ranges: __, ...rest }: ForwardBatchOptions,
) {
  if (rest.keepAs !== undefined)
    return takeForward(model, JSON.stringify([rest, size, beside?.width, variants?.shape]), open);
  await releaseKept();
  return { forward: await open(), giveBack: undefined };
}

function nothingRead({ length, report }: ReadableImages): LuvitError {
  return new LuvitError("bad-dataset", `analysis: none of the ${length} images can be read; ${report ?? ""}`);
}

/** Images in a batch: no more than there are. */
export function batchLength(batchSize: number, dataset: Pick<ImageDataset, "length">): number {
  return Math.min(batchSize, dataset.length);
}
