import { LuvitError, listOffenders } from "../core/errors";
import { allFinite } from "../core/finite";
import { breathe } from "../core/loop";
import { printable } from "../core/printable";
import { Rng } from "../core/rng";
import type { Tensor } from "../core/tf";
import type { ImageDataset, Sample } from "../data/dataset";
import type { CellMask } from "../data/masks";
import { defaultWorkers, readerWith } from "../data/reading";
import { readSamples } from "../data/readSamples";
import { loadIfReadable } from "../data/unreadable";
import type { EngineOptions } from "../engine";
import type { Encoder } from "../models/encoder";
import { patchCount, type ViTConfig } from "../models/vit";
import type { Module } from "../nn/module";
import { expectImageSize } from "../train/checkSizes";
import { imageFeed } from "../train/feeds";
import { openForward } from "../train/forward";
import { type ImageRange, piecesOf } from "./keptRanges";

/** A sample, with the mask on the patch grid where the set has masks. */
export type MaskedOrPlain = Sample & Partial<CellMask>;

/** What a forward function made of some samples. */
export interface ForwardBatch {
  samples: MaskedOrPlain[];
  /** Images the function was given, black ones behind the samples among them: the results' first axis. */
  size: number;
  /** The images that it is about: start … end - 1. */
  start: number;
  end: number;
  results: Record<string, Float32Array>;
  /** The results of every variant; of one without variants, `results` alone. */
  variants: readonly Record<string, Float32Array>[];
}

/** What of a set is needed here. */
export type ReadableImages = Pick<ImageDataset, "length" | "size" | "load"> &
  Partial<Pick<ImageDataset, "classes" | "report">>;

export interface ForwardBatchOptions extends EngineOptions {
  batchSize: number;
  /** Which images; default all. No batch goes over the end of a range. */
  ranges?: readonly ImageRange[];
  /** Numbers per image that are fed beside the images, under the name "beside", [B, `width`]. */
  beside?: { readonly width: number; of(sample: MaskedOrPlain): ArrayLike<number> };
  /**
   * The body asks the encoder where its patches are; a model with registers behind them, or without a class token in front,
   * is refused otherwise.
   */
  anyTokens?: boolean;
  /** Numbers that every batch is run with in turn, under the name "variant". */
  variants?: { readonly shape: readonly number[]; readonly feeds: readonly Float32Array[] };
}

/** What a forward function is given beside the images. */
export interface Fed {
  readonly beside?: Tensor;
  readonly variant?: Tensor;
}

/**
 * Runs `body` (images [B, 3, S, S] -> results by name) on every image of a set, in order, on the engine. Unreadable
 * images are left out; a batch may have no samples at all.
 *
 * @throws LuvitError("bad-argument") for images or masks of another size than the model's, or a set that is empty;
 * ("bad-dataset") where no image can be read; ("non-finite") for images of NaN or infinities.
 */
export async function* forwardBatches(
  model: Module & { readonly encoder: Encoder },
  dataset: ReadableImages,
  body: (images: Tensor, fed: Fed) => Record<string, Tensor>,
  options: ForwardBatchOptions,
): AsyncGenerator<ForwardBatch> {
  const {
    batchSize,
    ranges = [{ start: 0, end: dataset.length }],
    beside,
    variants,
    anyTokens = false,
    ...engine
  } = options;
  const { config } = model.encoder;
  expectImageSize(dataset, config.imageSize, "analysis");
  if (!anyTokens) expectUsualTokens(config);
  if (ranges.length === 0) return;
  if (dataset.length === 0) throw new LuvitError("bad-argument", "analysis: the set is empty");
  const size = batchLength(batchSize, dataset);
  const shape = [size, 3, config.imageSize, config.imageSize];
  const forward = await openForward(
    "analysis",
    model,
    {
      inputs: {
        images: { shape },
        ...(beside && { beside: { shape: [size, beside.width] } }),
        ...(variants && { variant: { shape: variants.shape } }),
      },
      body: ({ images, ...fed }) => body(images, fed),
    },
    engine,
  );
  let read = 0;
  try {
    for await (const { images, samples, start, end } of sampleBatches(dataset, config, size, ranges)) {
      read += samples.length;
      const feeds = {
        images: imageFeed(images, config.imageSize),
        ...(beside && { beside: besideFeed(beside, samples, size) }),
      };
      const made: Record<string, Float32Array>[] = [];
      for (const variant of variants?.feeds ?? [undefined]) {
        const own = variant && { variant: { data: variant, shape: variants!.shape } };
        made.push(await forward.run({ ...feeds, ...own }));
        await breathe();
      }
      yield { samples, size, start, end, results: made[0], variants: made };
    }
    // Whoever chooses images tells what became of them.
    if (read === 0 && options.ranges === undefined) throw nothingRead(dataset);
  } finally {
    await forward.dispose();
  }
}

function nothingRead({ length, report }: ReadableImages): LuvitError {
  return new LuvitError("bad-dataset", `analysis: none of the ${length} images can be read; ${report ?? ""}`);
}

/** @throws LuvitError("bad-argument") */
function expectUsualTokens({ registers = 0, classToken = true }: ViTConfig): void {
  if (registers === 0 && classToken) return;
  const has = classToken ? `${registers} registers behind them` : "no class token in front of them";
  throw new LuvitError(
    "bad-argument",
    `this analysis takes all tokens but the first for patches, and the model has ${has}; ` +
      "relevance, lens, extractFeatures, tokenNorms, attentionDistances, ablateHeads and patchActivations know them",
  );
}

function besideFeed(
  { width, of }: NonNullable<ForwardBatchOptions["beside"]>,
  samples: readonly MaskedOrPlain[],
  size: number,
) {
  const data = new Float32Array(size * width);
  for (const [i, sample] of samples.entries()) data.set(of(sample), i * width);
  return { data, shape: [size, width] };
}

/** Images in a batch: no more than there are. */
export function batchLength(batchSize: number, dataset: Pick<ImageDataset, "length">): number {
  return Math.min(batchSize, dataset.length);
}

interface SampleBatch extends Pick<ForwardBatch, "samples" | "start" | "end"> {
  /** [size, 3, S, S]: the samples' images, then black ones. */
  readonly images: Float32Array;
}

async function* sampleBatches(
  dataset: ReadableImages,
  config: ViTConfig,
  size: number,
  ranges: readonly ImageRange[],
): AsyncGenerator<SampleBatch> {
  const rng = new Rng(0);
  const length = 3 * config.imageSize ** 2;
  const readable: Pick<ImageDataset, "load" | "size"> = {
    size: dataset.size,
    load: async (index, stream, into) =>
      (await loadIfReadable(dataset, index, stream, into)) ?? standIn(length),
  };
  const reader = readerWith(defaultWorkers(dataset.size));
  const stop = new AbortController();
  try {
    for (const { start, end } of ranges.flatMap((range) => [...piecesOf(range, size)])) {
      const images = new Float32Array(size * length);
      const indices = Array.from({ length: end - start }, (_, i) => start + i);
      const stream = (place: number) => rng.fork(start + place);
      const loads = readSamples({
        dataset: readable,
        indices,
        images,
        length,
        stream,
        reader,
        signal: stop.signal,
      });
      const samples = withoutStandIns(await Promise.all(loads), indices, images);
      for (const sample of samples) expectCells(sample, config);
      if (!allFinite(images)) throw brokenImage(samples);
      yield { images, samples, start, end };
    }
  } finally {
    stop.abort();
  }
}

function brokenImage(samples: readonly Sample[]): LuvitError {
  const broken = samples.filter(({ image }) => !allFinite(image)).map(({ path }) => printable(path));
  return new LuvitError(
    "non-finite",
    `analysis: these images hold NaN or infinities\n${listOffenders(broken)}`,
  );
}

/** In place of an image of which nothing, not even another of its class, can be read. */
const standIn = (length: number): Sample => ({
  image: new Float32Array(length),
  label: -1,
  path: "",
  index: -1,
});

/** Another index stands in for an unreadable image; no image is to count twice. Images follow one another again. */
function withoutStandIns(read: Sample[], indices: readonly number[], images: Float32Array): Sample[] {
  const samples = read.filter(({ index }, i) => index === indices[i]);
  if (samples.length === read.length) return samples;
  const { length } = read[0].image;
  const moved = samples.map((sample, i) => {
    const place = images.subarray(i * length, (i + 1) * length);
    place.set(sample.image);
    return { ...sample, image: place };
  });
  images.fill(0, samples.length * length);
  return moved;
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
