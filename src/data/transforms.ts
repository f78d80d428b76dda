import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import type { Rng } from "../core/rng";
import { Canvas } from "./augment/canvas";
import { operations } from "./augment/operations";
import { eraseRandomly } from "./augment/placedErasing";
import { drawRandAugment, type RandAugmentRecipe } from "./augment/randAugment";
import type { RgbImage } from "./decode";
import { centreBox, cropIds, type IdMap, resizeIds, shorterSideSize } from "./geometry";
import { normalizePlaced } from "./normalize";
import { evalTransformOptions, finetuneAugmentOptions, sizeArgument } from "./options";
import { applySteps, type PixelSteps, randomCrop, resized, whole } from "./pixelSteps";
import { cropBox, resize } from "./resample";
import { withRecipe } from "./workers/recipes";

/** What happens to a picture between the file and the model. */
export interface ImageTransform {
  readonly name: string;
  /** Side of the result in pixels. */
  readonly size: number;
  /** Range of the crop's share of the picture's area, where crops are random. */
  readonly scale?: readonly [number, number];
  /** Picture -> normalised float32 [3, size, size]. Draws only from `rng`. */
  apply(image: RgbImage, rng: Rng): Float32Array;
}

/** A transform without randomness that can also carry a segmentation map along. */
export interface EvalTransform extends ImageTransform {
  /** The same geometry in bytes, before normalisation. */
  pixels(image: RgbImage): RgbImage;
  /** The same geometry on ids, by nearest neighbour: [size, size]. */
  ids(map: IdMap): IdMap;
}

/** Makes a transform for a side in pixels, e.g. `maeAugment`. */
export type TransformFactory = (size: number) => ImageTransform;

/** Pretraining: random resized crop of 20-100 % of the area (bicubic), mirrored half of the time. MAE main_pretrain.py. */
export function maeAugment(size = 224): ImageTransform {
  checkOptions("maeAugment", sizeArgument, { size });
  const scale = [0.2, 1] as const;
  const steps: PixelSteps = {
    region: randomCrop(scale),
    finish: (memory, part, rng) =>
      normalizePlaced(memory, resized(memory, part, size, size), rng.uniform() < 0.5),
  };
  const apply = (image: RgbImage, rng: Rng) => applySteps(steps, size, image, rng);
  return withRecipe({ name: "maeAugment", size, scale, apply }, { kind: "maeAugment", size }, steps);
}

/** What finetuning does to pictures after crop and mirror. */
export interface FinetuneAugmentOptions {
  /** Default `rand-m9-mstd0.5-inc1`; null for none. */
  randAugment?: RandAugmentRecipe | null;
  /** Probability that a box of the normalised picture is erased; default 0.25. */
  erasing?: number;
}

/**
 * Finetuning: random resized crop of 8-100 % of the area (bicubic), mirrored half of the time, RandAugment, normalisation,
 * random erasing, in this order. Every draw comes from the picture's own stream.
 *
 * Reference: mae/util/datasets.py; timm 0.3.2 data/transforms_factory.py.
 */
export function finetuneAugment(size = 224, options: FinetuneAugmentOptions = {}): ImageTransform {
  checkOptions("finetuneAugment", sizeArgument, { size });
  checkOptions("finetuneAugment", finetuneAugmentOptions, options);
  const { randAugment = {}, erasing = 0.25 } = options;
  const scale = [0.08, 1] as const;
  const steps: PixelSteps = {
    region: randomCrop(scale),
    finish(memory, part, rng) {
      const crop = resized(memory, part, size, size);
      const mirrored = rng.uniform() < 0.5;
      const canvas = new Canvas(memory, crop, mirrored);
      const drawn = randAugment ? drawRandAugment(rng, randAugment) : [];
      for (const { op, argument } of drawn) operations[op].apply(canvas, argument);
      const planes = canvas.planes();
      eraseRandomly(memory, planes, size, size, rng, erasing);
      return planes;
    },
  };
  const apply = (image: RgbImage, rng: Rng) => applySteps(steps, size, image, rng);
  const recipe = { kind: "finetuneAugment", size, randAugment, erasing } as const;
  return withRecipe({ name: "finetuneAugment", size, scale, apply }, recipe, steps);
}

/**
 * Evaluation: shorter side to floor(size / cropRatio) (bicubic), then the centred square. The ratio is 0.875 up to 224
 * pixels and 1 above, as in MAE util/datasets.py.
 */
export function evalTransform(size = 224, options: { cropRatio?: number } = {}): EvalTransform {
  checkOptions("evalTransform", sizeArgument, { size });
  checkOptions("evalTransform", evalTransformOptions, options);
  const { cropRatio = size <= 224 ? 0.875 : 1 } = options;
  const side = Math.floor(size / cropRatio);
  const pixels = (image: RgbImage) => {
    const to = shorterSideSize(image.width, image.height, side);
    return cropBox(resize(image, to.width, to.height), centreBox(to.width, to.height, size));
  };
  const ids = (map: IdMap) => {
    const to = shorterSideSize(map.width, map.height, side);
    return cropIds(resizeIds(map, to.width, to.height), centreBox(to.width, to.height, size));
  };
  const steps: PixelSteps = {
    region: whole,
    finish(memory, part) {
      const to = shorterSideSize(part.width, part.height, side);
      const { address, line } = resized(memory, part, to.width, to.height);
      const { left, top } = centreBox(to.width, to.height, size);
      return normalizePlaced(memory, {
        address: address + top * line + 3 * left,
        line,
        width: size,
        height: size,
      });
    },
  };
  const apply = (image: RgbImage, rng: Rng) => applySteps(steps, size, image, rng);
  const transform = { name: "evalTransform", size, pixels, ids, apply };
  return withRecipe(transform, { kind: "evalTransform", size, cropRatio }, steps);
}

/** Pictures that already have the model's size: only normalised. Any other size is a "bad-argument" error. */
export function asIs(size = 224): EvalTransform {
  checkOptions("asIs", sizeArgument, { size });
  const expectSize = (width: number, height: number) => {
    if (width === size && height === size) return;
    throw new LuvitError(
      "bad-argument",
      `picture of ${width} x ${height} pixels where ${size} x ${size} is expected; pictures are used as they are here ` +
        "(set the size to that of the files, or ask for a resize)",
    );
  };
  const pixels = (image: RgbImage) => {
    expectSize(image.width, image.height);
    return image;
  };
  const ids = (map: IdMap) => {
    expectSize(map.width, map.height);
    return map;
  };
  const steps: PixelSteps = {
    region(width, height, rng) {
      expectSize(width, height);
      return whole(width, height, rng);
    },
    finish: (memory, part) => normalizePlaced(memory, part),
  };
  const apply = (image: RgbImage, rng: Rng) => applySteps(steps, size, image, rng);
  return withRecipe({ name: "asIs", size, pixels, ids, apply }, { kind: "asIs", size }, steps);
}
