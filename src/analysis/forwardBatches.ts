import { LuvitError } from "../core/errors";
import { breathe } from "../core/loop";
import { Rng } from "../core/rng";
import type { Tensor } from "../core/tf";
import type { ImageDataset, Sample } from "../data/dataset";
import { expectSample } from "../data/expectSample";
import type { CellMask } from "../data/masks";
import type { EngineOptions } from "../engine";
import type { Encoder } from "../models/encoder";
import { patchCount, type ViTConfig } from "../models/vit";
import type { Module } from "../nn/module";
import { expectImageSize } from "../train/fit";
import { openForward } from "../train/forward";
import { imageFeed } from "../train/pretrain";
import { type PictureRange, piecesOf } from "./keptRanges";

/** A sample, with the mask on the patch grid where the set has masks. */
export type MaskedOrPlain = Sample & Partial<CellMask>;

/** What a forward function made of some samples. */
export interface ForwardBatch {
  samples: MaskedOrPlain[];
  /** Images the function was given, black ones behind the samples among them: the results' first axis. */
  size: number;
  /** The pictures that it is about: start … end - 1. */
  start: number;
  end: number;
  results: Record<string, Float32Array>;
}

/** What of a set is needed here. */
export type ReadablePictures = Pick<ImageDataset, "length" | "size" | "load"> &
  Partial<Pick<ImageDataset, "classes">>;

export interface ForwardBatchOptions extends EngineOptions {
  batchSize: number;
  /** Which pictures; default all. No batch goes over the end of a range. */
  ranges?: readonly PictureRange[];
}

/**
 * Runs `body` (images [B, 3, S, S] -> results by name) on every image of a set, in order, on the engine. Unreadable
 * pictures are left out; a batch may have no samples at all.
 *
 * @throws LuvitError("bad-argument") for images or masks of another size than the model's.
 */
export async function* forwardBatches(
  model: Module & { readonly encoder: Encoder },
  dataset: ReadablePictures,
  body: (images: Tensor) => Record<string, Tensor>,
  { batchSize, ranges = [{ start: 0, end: dataset.length }], ...engine }: ForwardBatchOptions,
): AsyncGenerator<ForwardBatch> {
  const { config } = model.encoder;
  expectImageSize(dataset, config.imageSize, "analysis");
  if (ranges.length === 0) return;
  const size = batchLength(batchSize, dataset);
  const shape = [size, 3, config.imageSize, config.imageSize];
  const forward = await openForward(
    "analysis",
    model,
    { inputs: { images: { shape } }, body: ({ images }) => body(images) },
    engine,
  );
  try {
    for await (const { samples, start, end } of sampleBatches(dataset, config, size, ranges)) {
      const images = new Float32Array(size * 3 * config.imageSize ** 2);
      for (const [i, { image }] of samples.entries()) images.set(image, i * image.length);
      const results = await forward.run({ images: imageFeed(images, config.imageSize) });
      yield { samples, size, start, end, results };
      await breathe();
    }
  } finally {
    await forward.dispose();
  }
}

/** Pictures in a batch: no more than there are. */
export function batchLength(batchSize: number, dataset: Pick<ImageDataset, "length">): number {
  return Math.min(batchSize, dataset.length);
}

async function* sampleBatches(
  dataset: ReadablePictures,
  config: ViTConfig,
  size: number,
  ranges: readonly PictureRange[],
): AsyncGenerator<Pick<ForwardBatch, "samples" | "start" | "end">> {
  const rng = new Rng(0);
  for (const { start, end } of ranges.flatMap((range) => [...piecesOf(range, size)])) {
    const loads = Array.from({ length: end - start }, (_, i) => dataset.load(start + i, rng.fork(start + i)));
    // Another index stands in for an unreadable picture; no picture is to count twice.
    const samples = (await Promise.all(loads)).filter(({ index }, i) => index === start + i);
    for (const sample of samples) {
      expectSample(sample, dataset);
      expectCells(sample, config);
    }
    yield { samples, start, end };
  }
}

/** @throws LuvitError("bad-argument") when masks were cut into other cells than the model's patches. */
function expectCells({ path, foreground }: MaskedOrPlain, config: ViTConfig): void {
  const patches = patchCount(config);
  if (!foreground || foreground.length === patches) return;
  const counts = `${foreground.length} cells, the model sees ${patches} patches`;
  throw new LuvitError(
    "bad-argument",
    `${path}: its mask has ${counts}; open the set with patch: ${config.patchSize}`,
  );
}
