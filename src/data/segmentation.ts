import { existsSync } from "node:fs";
import { basename, dirname, extname, join, sep } from "node:path";
import { inspect } from "node:util";
import { LuvitError, listOffenders, withPath } from "../core/errors";
import { checkOptions, flag, oneOf, optionsOf, such, text, whole } from "../core/options";
import type { Rng } from "../core/rng";
import { expectIndex, type ImageDataset, type Sample, type SkipReport, spreadIndices } from "./dataset";
import { cacheOf, FolderDataset } from "./imageFolder";
import { type ImageTransform, type MaskTransform, maskTransform } from "./imageTransform";
import { expectMasks, expectSameSize } from "./maskChecks";
import { type CellMask, decodeMaskIds, maskCells } from "./masks";
import { bytes, exif, has, MOST_PIXELS } from "./options";
import type { IdMap, RgbImage } from "./pixels";
import { listImages, scanClassFolders } from "./scanFolder";
import { evaluation } from "./transforms";
import { readOrReplace } from "./unreadable";

/** A sample and its mask; `ids` [size, size] went through the same geometry as the image. */
export interface MaskedSample extends Sample, CellMask {
  readonly ids: Int32Array;
}

/** The published sets by their number of classes, and how many images with masks each part has. */
const published = {
  validation: { 50: 752, 300: 4097, 919: 12419 },
  "train-semi": { 50: 500, 300: 3000, 919: 9190 },
} as const;

/** The parts of ImageNet-S whose masks are public; `train-semi` has ten images of every class. */
export type ImageNetSSplit = keyof typeof published;

/** Where an ImageNet-S like set lies and how it is cut up: `root` and `variant`, or `images` and `masks`. */
export interface ImageNetSOptions {
  /**
   * Folder of `ImageNetS<variant>`, or that folder itself: `<split>/<wnid>/*.JPEG` and
   * `<split>-segmentation/<wnid>/*.png`.
   */
  root?: string;
  /** Default "validation". */
  split?: ImageNetSSplit;
  /** Number of classes of the published set, whose count of images is checked. */
  variant?: keyof (typeof published)["validation"];
  /** Folder of class folders with images, e.g. ILSVRC `val`. Images without a mask are left out, and counted. */
  images?: string;
  /** Folder of class folders with masks, e.g. `segmentation/validation`. */
  masks?: string;
  /** With `variant`: fewer images than were published are no error; default false. */
  partial?: boolean;
  /** Side of a cell in pixels; default 16. */
  patch?: number;
  /** E.g. `transforms.none(64)` or, to train, `transforms.segment(224)`; default `transforms.evaluation(224)`. */
  transform?: MaskTransform;
  /** Default "ignore": masks are drawn on the stored pixels. */
  exif?: "honor" | "ignore";
  /** Bytes of decoded pixels kept in memory, or false for none; default 512 MB. */
  cache?: number | false;
}

export const imageNetSOptions = optionsOf<ImageNetSOptions>(
  {},
  {
    root: text,
    split: oneOf(["validation", "train-semi"]),
    variant: such("50, 300 or 919", (value) => [50, 300, 919].includes(value as number)),
    images: text,
    masks: text,
    partial: flag,
    patch: whole(1, MOST_PIXELS),
    transform: maskTransform,
    exif,
    cache: bytes,
  },
);

/** A set with masks, for what takes no other. */
export const maskedField = such<MaskedDataset>("a set with masks, from data.imageNetS", (value) =>
  has(value, "images", "masks", "transform", "pair"),
);

/** Images with segmentation masks. */
export class MaskedDataset implements ImageDataset {
  constructor(
    readonly images: FolderDataset,
    readonly masks: readonly string[],
    readonly transform: MaskTransform,
    readonly patch: number,
    /** Images beside them that have no mask and were left out. */
    readonly withoutMask = 0,
  ) {}

  get classes(): string[] {
    return this.images.classes;
  }

  get length(): number {
    return this.images.length;
  }

  get size(): number {
    return this.transform.size;
  }

  get report(): SkipReport {
    return this.images.report;
  }

  path(index: number): string {
    return this.images.path(index);
  }

  label(index: number): number {
    return this.images.label(index);
  }

  /** Reads an image with its mask; when either is unreadable, or their sizes differ, another pair of the class comes. */
  load(index: number, rng: Rng): Promise<MaskedSample> {
    return readOrReplace(this, index, (at) => this.readPair(at, rng));
  }

  /**
   * As they are stored.
   * @throws LuvitError("bad-image") where one cannot be read, or their sizes differ.
   */
  async pair(at: number): Promise<{ readonly image: RgbImage; readonly mask: IdMap }> {
    expectIndex(at, this.length);
    const path = this.path(at);
    const image = await this.images.cache.get(path);
    const mask = await decodeMaskIds(this.masks[at]);
    expectSameSize(path, image, this.masks[at], mask);
    return { image, mask };
  }

  take(count: number): MaskedDataset {
    return this.subset(spreadIndices(this.length, count));
  }

  subset(indices: ArrayLike<number>): MaskedDataset {
    const masks = Array.from(indices, (index) => this.masks[index]);
    return new MaskedDataset(
      this.images.subset(indices),
      masks,
      this.transform,
      this.patch,
      this.withoutMask,
    );
  }

  /** Needs a transform that can carry masks along, such as `transforms.evaluation()` or `transforms.none()`. */
  withTransform(transform: ImageTransform): MaskedDataset {
    return new MaskedDataset(
      this.images.withTransform(transform),
      this.masks,
      expectMasks(transform),
      this.patch,
      this.withoutMask,
    );
  }

  [inspect.custom](): string {
    const left = this.withoutMask > 0 ? `, left out for want of a mask: ${this.withoutMask}` : "";
    return `MaskedDataset ${this.length} images with masks, ${this.size} px, cells of ${this.patch} px${left}`;
  }

  private async readPair(at: number, rng: Rng): Promise<MaskedSample> {
    const path = this.path(at);
    const { image: pixels, mask } = await this.pair(at);
    const { ids, width } = withPath(this.masks[at], () => this.transform.ids(mask, rng));
    const image = withPath(path, () => this.transform.apply(pixels, rng));
    return { image, label: this.label(at), path, index: at, ids, ...maskCells(ids, width, this.patch) };
  }
}

/**
 * Pairs images and masks by class folder and file name (or, where classes were merged, by file name alone). Labels are
 * positions in the sorted class folders of `images`.
 *
 * Reference: LUSSeg/ImageNet-S README, data/data.py.
 *
 * @throws LuvitError("bad-dataset") when a mask has no image.
 * @example
 * const set = await luvit.data.imageNetS({
 *   images: "data/shapes/val",
 *   masks: "data/shapes/segmentation/validation",
 *   patch: 8,
 *   transform: luvit.data.transforms.none(64),
 * });
 * console.log(set.length);
 */
export async function imageNetS(options: ImageNetSOptions): Promise<MaskedDataset> {
  checkOptions("data.imageNetS", imageNetSOptions, options);
  const { patch = 16, transform = evaluation(), exif = "ignore", cache } = options;
  const { images, masks } = foldersOf(options);
  if (transform.size % patch !== 0) {
    throw new LuvitError(
      "bad-argument",
      `imageNetS: ${transform.size} px cannot be cut into cells of ${patch} px`,
    );
  }
  const { classes, files } = await scanClassFolders(images);
  const maskPaths = await listImages(masks);
  if (maskPaths.length === 0)
    throw new LuvitError("bad-dataset", `imageNetS: no masks (*.png) under ${masks}`);
  expectPublished(options, classes.length, maskPaths.length);
  const byName = new Map(
    files.flatMap((file) => [[stem(file.path), file] as const, [pairName(file.path), file] as const]),
  );
  const paired = maskPaths.map((mask) => ({
    mask,
    file: byName.get(pairName(mask)) ?? byName.get(stem(mask)),
  }));
  const lonely = paired.filter(({ file }) => !file).map(({ mask }) => mask);
  if (lonely.length > 0) {
    const summary = `imageNetS: ${lonely.length} of ${maskPaths.length} masks have no image of their name under ${images}`;
    throw new LuvitError("bad-dataset", `${summary}:\n${listOffenders(lonely)}`);
  }
  const kept = { files: paired.map(({ file }) => file!), cache: cacheOf({ exif, cache }) };
  const set = new FolderDataset({ root: images, classes, transform, ...kept });
  const withMask = new Set(kept.files.map((file) => file.path)).size;
  return new MaskedDataset(set, maskPaths, transform, patch, files.length - withMask);
}

function foldersOf({ root, split = "validation", variant, images, masks }: ImageNetSOptions): {
  images: string;
  masks: string;
} {
  if (root !== undefined && images === undefined && masks === undefined) {
    const inside = join(root, `ImageNetS${variant}`);
    const base = variant !== undefined && existsSync(inside) ? inside : root;
    return { images: join(base, split), masks: join(base, `${split}-segmentation`) };
  }
  if (root === undefined && images !== undefined && masks !== undefined) return { images, masks };
  throw new LuvitError("bad-argument", "imageNetS: give root and variant, or images and masks");
}

function expectPublished(
  { variant, split = "validation", partial, images }: ImageNetSOptions,
  classes: number,
  masks: number,
): void {
  if (variant === undefined || partial) return;
  const wrongClasses = images === undefined && classes !== variant; // other folders hold more classes than have masks
  if (masks === published[split][variant] && !wrongClasses) return;
  const wanted = `${published[split][variant]} masks${images === undefined ? ` and ${variant} class folders` : ""}`;
  const hint = "copy what is missing, or give partial: true";
  throw new LuvitError(
    "bad-dataset",
    `ImageNet-S-${variant}: expected ${wanted}, found ${masks} and ${classes} in ${split}; ${hint}`,
  );
}

function stem(path: string): string {
  return basename(path, extname(path));
}

function pairName(path: string): string {
  return basename(dirname(path)) + sep + stem(path);
}
