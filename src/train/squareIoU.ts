import { LuvitError } from "../core/errors";
import { breathe } from "../core/loop";
import { batches } from "../data/loader";
import type { MaskedDataset, MaskedSample } from "../data/segmentation";
import { leavingOut } from "../data/unreadable";
import { addPixels, emptyPixelCounts, iousOf, meanOf, sumOfCounts } from "../models/pixelCounts";
import { predictIds } from "../models/predictIds";
import type { Segmenter } from "../models/segmenter";
import type { Sharing } from "./agreement";
import { type Feeds, pixelFeed } from "./feeds";
import type { ForwardFunction } from "./forward";

/** images [B, 3, S, S] -> logits [B, classes, rows, columns]. */
export function squareLogits(model: Segmenter, batchSize: number): ForwardFunction {
  const { imageSize } = model.encoder.config;
  return {
    inputs: { images: { shape: [batchSize, 3, imageSize, imageSize] } },
    body: ({ images }) => ({ logits: model.forward(images) }),
  };
}

/**
 * Mean intersection over union, percent, over all ids, of a set cut into squares of the model's size by its own transform.
 * Unreadable images are left out. Each takes some batches.
 */
export async function squareIoU(
  logitsOf: (feeds: Feeds) => Promise<Float32Array>,
  model: Segmenter,
  dataset: MaskedDataset,
  batchSize: number,
  sharing: Sharing,
): Promise<number> {
  const { imageSize, patchSize } = model.encoder.config;
  const grid = imageSize / patchSize;
  const own = { counts: emptyPixelCounts(model.classes), read: 0 };
  const share = { index: sharing.rank, count: sharing.size };
  const order = { batchSize, shuffle: false, dropLast: false, share, reuse: 1 };
  for await (const batch of batches(leavingOut(dataset), order)) {
    const logits = await logitsOf({
      images: pixelFeed(batch, imageSize, batchSize),
    });
    const length = logits.length / batchSize;
    for (const [i, sample] of batch.samples.entries()) {
      if (sample.index < 0) continue;
      const planes = { logits: logits.subarray(i * length, (i + 1) * length), rows: grid, columns: grid };
      const ids = predictIds(planes, imageSize, imageSize);
      addPixels(own.counts, ids, (sample as MaskedSample).ids, sample.path);
      own.read++;
    }
    await breathe();
  }
  const all = await sharing.gather(own);
  if (all.some(({ read }) => read > 0)) return meanOf(iousOf(sumOfCounts(all.map(({ counts }) => counts))));
  const none = `none of the ${dataset.length} images can be read`;
  throw new LuvitError("bad-dataset", `segment: ${none}; ${dataset.report}`);
}
