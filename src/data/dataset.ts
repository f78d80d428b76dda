import { inspect } from "node:util";
import { LuvitError, listOffenders } from "../core/errors";
import { checkOptions, such } from "../core/options";
import type { Preprocessing } from "../core/preprocessing";
import type { Rng } from "../core/rng";
import type { ClassMapping } from "./classMapping";
import type { ImageTransform } from "./imageTransform";
import { countArgument, has, type Shard, shardOptions } from "./options";
import type { ImageReader } from "./reading";

/** One training or evaluation example. */
export interface Sample {
  /** Normalized float32 [3, size, size]; [3, height, width] where the set's images have shapes of their own. */
  readonly image: Float32Array;
  /** Pixels; absent for squares of the set's size. */
  readonly height?: number;
  readonly width?: number;
  readonly label: number;
  readonly path: string;
  /** Position in the data set of the image that was read. */
  readonly index: number;
}

/** A labeled set of images that are read one at a time. */
export interface ImageDataset {
  /** Class names in label order. */
  readonly classes: string[];
  readonly length: number;
  /** Side of the samples in pixels. */
  readonly size: number;
  /** Every image has a height and a width of its own, see `data.wholeImages`: for analyses, not for training. */
  readonly ownShapes?: boolean;
  /** Images that could not be read so far. */
  readonly report: SkipReport;
  /**
   * Whether its images come from a reader, by a transform that ends with normalization: then the bytes before it can be had
   * too (`BatchOptions.pixels`).
   */
  readonly hasBytes?: boolean;
  /** How images are prepared, where nothing about it is random. */
  readonly preprocessing?: Preprocessing;
  /** How a model with `mapping.modelClasses` classes answers; absent where the model's classes are the set's. */
  readonly mapping?: ClassMapping;
  /**
   * Reads and transforms one image; an unreadable one is replaced by the next readable one of its class (see
   * `readOrReplace`). A set that reads image files may leave decoding and transforming to `reader`, which `batches`
   * runs in other threads.
   */
  load(index: number, rng: Rng, reader?: ImageReader): Promise<Sample>;
  path(index: number): string;
  label(index: number): number;
  /**
   * A random order of all positions that reads neighbors together, from the stream alone; absent where every image
   * can be read on its own.
   */
  shuffled?(rng: Rng): Int32Array;
  /** `count` images spread evenly over the set. */
  take(count: number): ImageDataset;
  /** The images at these positions, in this order. */
  subset(indices: ArrayLike<number>): ImageDataset;
  /** The same images under another transform. */
  withTransform(transform: ImageTransform): ImageDataset;
}

/** A set of images, the library's or one of one's own. */
export const datasetField = such<ImageDataset>(
  "a data set, e.g. of data.imageFolder: classes, length, size, report and load are needed",
  (value) => {
    if (!has(value, "classes", "length", "size", "report", "load")) return false;
    const { classes, length, size, load } = value as ImageDataset;
    const counts = Number.isInteger(length) && length >= 0 && Number.isInteger(size) && size > 0;
    return Array.isArray(classes) && counts && typeof load === "function";
  },
);

/** An image that was left out, and why. */
export interface SkippedImage {
  readonly path: string;
  readonly reason: string;
}

/** Images that could not be read, each named once however often it was asked for. */
export class SkipReport {
  /** Samples that are other images of the same class, in place of unreadable ones. */
  replaced = 0;
  /** Images that are being read, by path: nobody tries one of them in place of another at the same time. */
  readonly ongoing = new Map<string, Promise<unknown>>();
  private readonly reasons = new Map<string, string>();

  /** Notes an image. */
  add(path: string, reason: string): void {
    if (!this.reasons.has(path)) this.reasons.set(path, reason);
  }

  has(path: string): boolean {
    return this.reasons.has(path);
  }

  /** Why an image could not be read; undefined for all others. */
  reason(path: string): string | undefined {
    return this.reasons.get(path);
  }

  get count(): number {
    return this.reasons.size;
  }

  get skipped(): SkippedImage[] {
    return [...this.reasons].map(([path, reason]) => ({ path, reason }));
  }

  toString(): string {
    if (this.count === 0) return "no image skipped";
    const lines = this.skipped.map(({ reason }) => reason);
    const times = this.replaced === 0 ? "" : ` (${this.replaced} time${this.replaced === 1 ? "" : "s"})`;
    const what = `${this.count} unreadable image${this.count === 1 ? "" : "s"}`;
    return `${what} left out or replaced by others of their class${times}:\n${listOffenders(lines)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** `count` of `length` positions spread evenly, each once. */
export function spreadIndices(length: number, count: number): number[] {
  checkOptions("take", countArgument, { count });
  const kept = Math.min(count, length);
  return Array.from({ length: kept }, (_, i) => Math.floor((i * length) / kept));
}

/** A shard's positions in a set, [start, end): shards follow each other and differ by at most one. */
export function shardRange(length: number, { index, count }: Shard): { start: number; end: number } {
  return { start: Math.floor(((index - 1) * length) / count), end: Math.floor((index * length) / count) };
}

/**
 * One of several parts of a set, e.g. for one of several processes: `data.shard(set, { index: 1, count: 8 })` is the
 * first of eight.
 *
 * @throws LuvitError("bad-argument") for an index that is not one of 1 … count.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const first = luvit.data.shard(images, { index: 1, count: 8 });
 */
export function shard(dataset: ImageDataset, which: Shard): ImageDataset {
  checkOptions("data.shard", datasetField, dataset);
  checkOptions("data.shard", shardOptions, which);
  const { start, end } = shardRange(dataset.length, which);
  return dataset.subset(Array.from({ length: end - start }, (_, i) => start + i));
}

/**
 * @throws LuvitError("bad-argument") unless `index` is one of 0 … length - 1.
 */
export function expectIndex(index: number, length: number): void {
  if (Number.isInteger(index) && index >= 0 && index < length) return;
  throw new LuvitError("bad-argument", `image ${index} does not exist; the data set holds 0 … ${length - 1}`);
}
