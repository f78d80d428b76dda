import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, either, list, optionsOf, whole } from "../core/options";
import type { Rng } from "../core/rng";
import {
  datasetField,
  expectIndex,
  type ImageDataset,
  type Sample,
  SkipReport,
  spreadIndices,
} from "./dataset";
import type { ImageTransform, MaskTransform } from "./imageTransform";
import { imageSide } from "./options";
import {
  type Box,
  cropBox,
  cropIds,
  type IdMap,
  image,
  normalize,
  type RgbImage,
  resize,
  resizeIds,
  shorterSideSize,
} from "./pixels";

/** How images keep their own shapes. */
export interface WholeImagesOptions {
  /** The model's, in pixels; default 16. What fills no patch on the right and below is left out. */
  patch?: number;
  /** Pixels that the shorter side is resized to (bicubic) first; default as it is stored. */
  shorterSide?: number;
}

const wholeImagesOptions = optionsOf<WholeImagesOptions>(
  {},
  { patch: whole(1, 1024), shorterSide: imageSide },
);

const images = either(datasetField, either(image, list(image, 1)));

/** A sample in its own shape. */
export type WholeSample = Sample & { readonly height: number; readonly width: number };

/**
 * Images of a set, or single ones, in their own heights and widths instead of squares; masks along with them. Analyses take
 * them, and look at images of one shape together; nothing is padded, as in DINO's and ImageNet-S's protocols.
 *
 * @throws LuvitError("bad-argument") for something else than a set or images.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val");
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const rectangles = luvit.data.wholeImages(images, { patch: 8, shorterSide: 72 });
 * const maps = await luvit.analysis.patchMaps(model, rectangles.take(2));
 * console.log(maps.map(({ grid }) => `${grid.rows} x ${grid.columns}`));
 */
export function wholeImages(
  given: ImageDataset | RgbImage | readonly RgbImage[],
  options: WholeImagesOptions = {},
): WholeImages {
  checkOptions("data.wholeImages", images, given);
  return new WholeImages("load" in given ? given : "data" in given ? [given] : given, options);
}

/** A set whose images have shapes of their own; see `data.wholeImages`. */
export class WholeImages implements ImageDataset {
  readonly ownShapes = true;
  readonly classes: string[];
  readonly length: number;
  /** Side of the smallest image that can come out. */
  readonly size: number;
  readonly report: SkipReport;

  constructor(
    private readonly images: ImageDataset | readonly RgbImage[],
    private readonly options: WholeImagesOptions = {},
  ) {
    checkOptions("data.wholeImages", either(datasetField, list(image)), images);
    checkOptions("data.wholeImages", wholeImagesOptions, options);
    const { patch = 16, shorterSide = patch } = options;
    if (shorterSide < patch) {
      const text = `shorterSide: expected at least a patch (${patch} px), got ${shorterSide}`;
      throw new LuvitError("bad-argument", `data.wholeImages: ${text}`);
    }
    this.size = shorterSide - (shorterSide % patch);
    this.length = images.length;
    this.classes = "load" in images ? images.classes : [];
    this.report = "load" in images ? images.report : new SkipReport();
  }

  path(index: number): string {
    if ("load" in this.images) return this.images.path(index);
    expectIndex(index, this.length);
    return this.length === 1 ? "image" : `image ${index}`;
  }

  /** -1 for images of no set. */
  label(index: number): number {
    return "load" in this.images ? this.images.label(index) : -1;
  }

  /** Masks come along where the set has them. */
  async load(index: number, rng: Rng): Promise<WholeSample> {
    const shape = new ShapedTransform(this.options);
    if ("load" in this.images) {
      const sample = await this.images.withTransform(shape).load(index, rng);
      return { ...sample, ...shape.last };
    }
    const path = this.path(index);
    const planes = shape.apply(this.images[index]!);
    return { image: planes, label: -1, path, index, ...shape.last };
  }

  take(count: number): WholeImages {
    return this.subset(spreadIndices(this.length, count));
  }

  subset(indices: ArrayLike<number>): WholeImages {
    if ("load" in this.images) return new WholeImages(this.images.subset(indices), this.options);
    const { images } = this;
    return new WholeImages(
      Array.from(indices, (index) => {
        expectIndex(index, images.length);
        return images[index]!;
      }),
      this.options,
    );
  }

  /** The images as that transform cuts them. */
  withTransform(transform: ImageTransform): ImageDataset {
    if ("load" in this.images) return this.images.withTransform(transform);
    const text = "single images have no other transform; give them to the analysis themselves";
    throw new LuvitError("bad-argument", `WholeImages.withTransform: ${text}`);
  }

  [inspect.custom](): string {
    const { patch = 16, shorterSide } = this.options;
    const side = shorterSide === undefined ? "" : `, shorter side ${shorterSide} px`;
    return `WholeImages ${this.length} images in their own shapes${side}, cut to patches of ${patch} px`;
  }
}

/** Resizes and cuts one image after another, and tells the shape of the last. */
class ShapedTransform implements MaskTransform {
  readonly name = "whole";
  readonly size: number;
  last = { height: 0, width: 0 };

  constructor(private readonly options: WholeImagesOptions) {
    this.size = options.shorterSide ?? options.patch ?? 16;
  }

  apply(image: RgbImage): Float32Array {
    const { to, box } = this.geometry(image);
    const isSame = to.width === image.width && to.height === image.height;
    const resized = isSame ? image : resize(image, to.width, to.height);
    const isFilled = box.width === to.width && box.height === to.height;
    this.last = { height: box.height, width: box.width };
    return normalize(isFilled ? resized : cropBox(resized, box));
  }

  ids(map: IdMap): IdMap {
    const { to, box } = this.geometry(map);
    return cropIds(resizeIds(map, to.width, to.height), box);
  }

  private geometry({ width, height }: { width: number; height: number }) {
    const { patch = 16, shorterSide } = this.options;
    const to = shorterSide === undefined ? { width, height } : shorterSideSize(width, height, shorterSide);
    const box: Box = {
      left: 0,
      top: 0,
      width: to.width - (to.width % patch),
      height: to.height - (to.height % patch),
    };
    if (box.width >= patch && box.height >= patch) return { to, box };
    const text = `${width} x ${height} pixels hold no whole patch of ${patch} px`;
    throw new LuvitError("bad-image", `${text}; give shorterSide`);
  }
}
