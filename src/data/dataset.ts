import { inspect } from "node:util";
import { LuvitError, listOffenders } from "../core/errors";
import { checkOptions } from "../core/options";
import type { Rng } from "../core/rng";
import type { ClassMapping } from "./classMapping";
import { countArgument } from "./options";
import type { PictureReader } from "./pictureReader";
import type { ImageTransform } from "./transforms";

/** One training or evaluation example. */
export interface Sample {
  /** Normalised float32 [3, size, size]. */
  readonly image: Float32Array;
  readonly label: number;
  readonly path: string;
  /** Position in the data set of the picture that was read. */
  readonly index: number;
}

/** A labelled set of pictures that are read one at a time. */
export interface ImageDataset {
  /** Class names in label order. */
  readonly classes: string[];
  readonly length: number;
  /** Side of the samples in pixels. */
  readonly size: number;
  /** Pictures that could not be read so far. */
  readonly report: SkipReport;
  /** How a model with `mapping.modelClasses` classes answers; absent where the model's classes are the set's. */
  readonly mapping?: ClassMapping;
  /**
   * Reads and transforms one picture; an unreadable one is replaced by the next readable one. A set that reads picture
   * files may leave decoding and transforming to `reader`, which `batches` runs in other threads.
   */
  load(index: number, rng: Rng, reader?: PictureReader): Promise<Sample>;
  path(index: number): string;
  label(index: number): number;
  /**
   * A random order of all positions that reads neighbours together, from the stream alone; absent where every picture
   * can be read on its own.
   */
  shuffled?(rng: Rng): Int32Array;
  /** `count` pictures spread evenly over the set. */
  take(count: number): ImageDataset;
  /** The pictures at these positions, in this order. */
  subset(indices: ArrayLike<number>): ImageDataset;
  /** The same pictures under another transform. */
  withTransform(transform: ImageTransform): ImageDataset;
}

/** A picture that was left out, and why. */
export interface SkippedImage {
  readonly path: string;
  readonly reason: string;
}

/** Pictures that could not be read, each named once however often it was asked for. */
export class SkipReport {
  private readonly reasons = new Map<string, string>();

  /** Notes a picture. */
  add(path: string, reason: string): void {
    if (!this.reasons.has(path)) this.reasons.set(path, reason);
  }

  has(path: string): boolean {
    return this.reasons.has(path);
  }

  get count(): number {
    return this.reasons.size;
  }

  get skipped(): SkippedImage[] {
    return [...this.reasons].map(([path, reason]) => ({ path, reason }));
  }

  toString(): string {
    if (this.count === 0) return "no picture skipped";
    const lines = this.skipped.map(({ reason }) => reason);
    return `${this.count} unreadable picture${this.count === 1 ? "" : "s"} left out or replaced by the next:\n${listOffenders(lines)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Reads position `index`, or the next readable one (cyclically), noting what had to be skipped. Throws "bad-dataset"
 * when nothing in the set can be read; every error that is not about the picture file is passed on.
 */
export async function readOrNext<T>(
  index: number,
  length: number,
  report: SkipReport,
  path: (index: number) => string,
  read: (index: number) => Promise<T>,
): Promise<T> {
  expectIndex(index, length);
  for (let offset = 0; offset < length; offset++) {
    const candidate = (index + offset) % length;
    if (report.has(path(candidate))) continue;
    try {
      return await read(candidate);
    } catch (error) {
      if (!(error instanceof LuvitError && error.code === "bad-image")) throw error;
      report.add(path(candidate), error.message);
    }
  }
  throw new LuvitError("bad-dataset", `none of the ${length} pictures can be read; ${report}`);
}

/** `count` of `length` positions spread evenly, each once. */
export function spreadIndices(length: number, count: number): number[] {
  checkOptions("take", countArgument, { count });
  const kept = Math.min(count, length);
  return Array.from({ length: kept }, (_, i) => Math.floor((i * length) / kept));
}

/** Part `index` of `count` of a set's positions, [start, end): parts follow each other and differ by at most one. */
export function shardRange(length: number, index: number, count: number): { start: number; end: number } {
  if (Number.isInteger(count) && Number.isInteger(index) && count >= 1 && index >= 0 && index < count) {
    return { start: Math.floor((index * length) / count), end: Math.floor(((index + 1) * length) / count) };
  }
  throw new LuvitError(
    "bad-argument",
    `shard ${index} of ${count} does not exist; the first is 0 of ${count}`,
  );
}

/** Part `index` (from 0) of `count` of a set, e.g. for one of several processes. */
export function shard(dataset: ImageDataset, index: number, count: number): ImageDataset {
  const { start, end } = shardRange(dataset.length, index, count);
  return dataset.subset(Array.from({ length: end - start }, (_, i) => start + i));
}

/** Runs a step on the picture of a file and puts the file's name in front of what it complains about. */
export function withPath<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof LuvitError)) throw error;
    throw new LuvitError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

/** Throws "bad-argument" unless `index` is one of 0 … length - 1. */
export function expectIndex(index: number, length: number): void {
  if (Number.isInteger(index) && index >= 0 && index < length) return;
  throw new LuvitError(
    "bad-argument",
    `picture ${index} does not exist; the data set holds 0 … ${length - 1}`,
  );
}
