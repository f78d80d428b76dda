import { LuvitError } from "../core/errors";
import {
  checkOptions,
  either,
  flag,
  object,
  oneOf,
  optionsOf,
  seed,
  such,
  whole,
  withoutUndefined,
} from "../core/options";
import { Rng } from "../core/rng";
import { datasetField, type ImageDataset, type Sample } from "./dataset";
import { expectSquares } from "./expectSquares";
import { MOST } from "./options";
import { BatchMemory, defaultWorkers, readerWith } from "./reading";

import { readSamples } from "./readSamples";
import { repeatedOrder } from "./repetitions";

/** Stacked samples. */
export interface Batch {
  /** Normalized float32 [B, 3, size, size]; empty where the pixels are bytes. */
  readonly images: Float32Array;
  /** What `images` are before their normalization, where bytes were asked for: [B, 3, size, size]. */
  readonly bytes?: Uint8Array;
  /** [B]. */
  readonly labels: Int32Array;
  /** Positions in the data set, [B]. */
  readonly indices: Int32Array;
  readonly paths: string[];
  /** What the data set gave of each image, [B]; other sets give more than labels. */
  readonly samples: readonly Omit<Sample, "image">[];
  readonly epoch: number;
  /** Number of the batch inside its epoch, from 0. */
  readonly batch: number;
}

/** Which batches to read. */
export interface BatchOptions {
  batchSize: number;
  /** Decides the order and every augmentation; default 0. */
  seed?: number;
  /** Default 0. */
  epoch?: number;
  /** Batch inside the epoch to begin with, e.g. after a stop; default 0. */
  start?: number;
  /** Default true. */
  shuffle?: boolean;
  /** Times that each image of the epoch comes, each time augmented anew; see `repeatedOrder`. Default 1. */
  repeats?: number;
  /** Batches of one optimizer step, over which the repetitions of an image are spread; default 1. */
  spread?: number;
  /** Of all batches, those that are read: every `count`-th, from `start` + `index` on. Default all. */
  share?: { index: number; count: number };
  /** Leave out the last batch when it is not full; default true. */
  dropLast?: boolean;
  /** Batches read ahead while the consumer works; default 2. */
  prefetch?: number;
  /**
   * Use memory again, which saves its being cleared and collected: a batch's images stay good until so many later ones
   * were asked for, or the loop has ended. Default: for good, each has memory of its own.
   */
  reuse?: number;
  /**
   * "bytes" leaves normalization to whoever takes the batches, which then have `bytes` in place of `images`: a quarter of the
   * memory. For sets that have them (`hasBytes`). Default "normalized".
   */
  pixels?: "normalized" | "bytes";
  /**
   * Threads that decode and transform images; 0 is the calling thread. Default half of the cores, at most 4, and
   * none for samples of up to 96 pixels a side. Sets and transforms of other makers are read in the calling thread.
   */
  workers?: number;
}

export const batchOptions = optionsOf<BatchOptions>(
  { batchSize: whole(1, 1_000_000) },
  {
    seed,
    epoch: whole(0, MOST),
    start: whole(0, MOST),
    shuffle: flag,
    repeats: whole(1, MOST),
    spread: whole(1, MOST),
    share: object({ index: whole(0, MOST), count: whole(1, MOST) }, {}),
    dropLast: flag,
    prefetch: whole(0, 10_000),
    reuse: either(
      whole(1, MOST),
      such("Infinity", (value) => value === Number.POSITIVE_INFINITY),
    ),
    pixels: oneOf(["normalized", "bytes"]),
    workers: whole(0, 1024),
  },
);

const batchCounts = object({ length: whole(0, MOST), batchSize: whole(1, MOST), dropLast: flag }, {});

/** Batches in one epoch. */
export function batchesPerEpoch(length: number, batchSize: number, dropLast = true): number {
  checkOptions("batchesPerEpoch", batchCounts, { length, batchSize, dropLast });
  return dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
}

/** The order of an epoch, a pure function of (seed, epoch). */
export function epochOrder(length: number, seed: number, epoch: number, shuffle = true): Int32Array {
  if (!shuffle) return Int32Array.from({ length }, (_, i) => i);
  return new Rng(seed).fork("order", epoch).permutation(length);
}

/** The order of an epoch over a set, which may have its own way of shuffling. */
export function datasetOrder(dataset: ImageDataset, seed: number, epoch: number, shuffle = true): Int32Array {
  if (shuffle && dataset.shuffled) return dataset.shuffled(new Rng(seed).fork("order", epoch));
  return epochOrder(dataset.length, seed, epoch, shuffle);
}

/**
 * The batches of one epoch. Order and augmentation follow from (seed, epoch, position) alone, so an epoch begun at
 * batch k gives exactly the batches that a full one gives from k on. Reading runs ahead of the consumer; breaking out of
 * the loop stops it.
 */
export function batches(dataset: ImageDataset, options: BatchOptions): AsyncIterableIterator<Batch> {
  checkOptions("batches", datasetField, dataset);
  checkOptions("batches", batchOptions, options);
  expectSquares(dataset, "batches");
  const plan = {
    seed: 0,
    epoch: 0,
    start: 0,
    shuffle: true,
    repeats: 1,
    spread: 1,
    share: { index: 0, count: 1 },
    dropLast: true,
    prefetch: 2,
    reuse: Number.POSITIVE_INFINITY,
    pixels: "normalized" as "normalized" | "bytes",
    workers: defaultWorkers(dataset.size),
    ...withoutUndefined(options),
  };
  const total = batchesPerEpoch(dataset.length, plan.batchSize, plan.dropLast);
  expectPlan(dataset, plan, total);
  const { indices: order, repetition } = repeatedOrder(
    datasetOrder(dataset, plan.seed, plan.epoch, plan.shuffle),
    plan,
  );
  const streams = new Rng(plan.seed);
  const reader = readerWith(plan.workers);
  const stop = new AbortController();
  const length = 3 * dataset.size ** 2;
  const isBytes = plan.pixels === "bytes";
  const memory = new BatchMemory(reader, plan.batchSize * length, plan.reuse, isBytes);
  const read = async (batch: number): Promise<Batch> => {
    const first = batch * plan.batchSize;
    const indices = order.subarray(first, first + plan.batchSize);
    const images = memory.take(indices.length * length);
    const stream = (place: number) => {
      const sample = streams.fork("sample", plan.epoch, indices[place]);
      const again = repetition[first + place];
      return again === 0 ? sample : sample.fork("repetition", again);
    };
    const loads = readSamples({ dataset, indices, images, length, stream, reader, signal: stop.signal });
    memory.writtenBy(loads);
    const numbers = images instanceof Uint8Array ? { images: NO_NUMBERS, bytes: images } : { images };
    return { ...numbers, ...describe(await Promise.all(loads)), epoch: plan.epoch, batch };
  };
  const { index, count } = plan.share;
  const numbers = { next: plan.start + index, stride: count, total };
  return ahead(numbers, plan.prefetch, read, memory, stop);
}

const NO_NUMBERS = new Float32Array();

type Stack = Omit<Batch, "epoch" | "batch">;

/** Stacks samples of equal size: images [B, 3, size, size]. */
export function collate(samples: readonly Sample[]): Stack {
  const length = samples[0].image.length;
  const images = new Float32Array(samples.length * length);
  for (const [i, sample] of samples.entries()) images.set(sample.image, i * length);
  return { images, ...describe(samples) };
}

function describe(samples: readonly Omit<Sample, "image">[]): Omit<Stack, "images"> {
  return {
    labels: Int32Array.from(samples, (sample) => sample.label),
    indices: Int32Array.from(samples, (sample) => sample.index),
    paths: samples.map((sample) => sample.path),
    samples,
  };
}

async function* ahead(
  { next, stride, total }: { next: number; stride: number; total: number },
  prefetch: number,
  read: (batch: number) => Promise<Batch>,
  memory: BatchMemory,
  stop: AbortController,
): AsyncIterableIterator<Batch> {
  const pending: Promise<Batch>[] = [];
  try {
    while (next < total || pending.length > 0) {
      while (next < total && pending.length <= prefetch) {
        const batch = read(next);
        next += stride;
        batch.catch(() => {}); // reported when its turn comes; nobody waits for it after an early end
        pending.push(batch);
      }
      const batch = await pending.shift()!;
      memory.handOut(batch.bytes ?? batch.images);
      yield batch;
      memory.takeBack();
    }
  } finally {
    stop.abort();
    void memory.close();
  }
}

function expectPlan(dataset: ImageDataset, plan: Required<BatchOptions>, total: number): void {
  if (plan.pixels === "bytes" && !dataset.hasBytes) {
    const why = "its images are not read by a transform of this library that ends with their normalization";
    throw new LuvitError("bad-argument", `batches: the set has no bytes, ${why}; use pixels: "normalized"`);
  }
  const { batchSize, start } = plan;
  if (total === 0) {
    throw new LuvitError(
      "bad-argument",
      `batches: ${dataset.length} images do not fill a batch of ${batchSize}; use a smaller one or dropLast: false`,
    );
  }
  if (start > total) {
    throw new LuvitError("bad-argument", `batches: start ${start} is behind the last of ${total} batches`);
  }
}
