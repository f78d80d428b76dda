import { LuvitError } from "../core/errors";
import type { Rng } from "../core/rng";
import { randomErasing } from "./augment/erasing";
import { augment, drawRandAugment, expectRandAugment, type RandAugmentRecipe } from "./augment/randAugment";
import type { RgbImage } from "./decode";
import {
  centreBox,
  cropDraws,
  cropIds,
  flipHorizontally,
  type IdMap,
  randomCropBox,
  resizeIds,
  shorterSideSize,
} from "./geometry";
import { cropBox, resize } from "./resample";
import { withRecipe } from "./workers/recipes";

/** Mean per channel of ImageNet pictures, in units of 0 … 1. */
export const imageNetMean: readonly [number, number, number] = [0.485, 0.456, 0.406];
/** Standard deviation per channel of ImageNet pictures, in units of 0 … 1. */
export const imageNetStd: readonly [number, number, number] = [0.229, 0.224, 0.225];

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
  const scale = [0.2, 1] as const;
  const apply = (image: RgbImage, rng: Rng) => normalize(croppedOrMirrored(image, size, scale, rng));
  return withRecipe({ name: "maeAugment", size, scale, apply }, { kind: "maeAugment", size });
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
  const { randAugment = {}, erasing = 0.25 } = options;
  expectAugmentation(randAugment, erasing);
  const scale = [0.08, 1] as const;
  const apply = (image: RgbImage, rng: Rng) => {
    const crop = croppedOrMirrored(image, size, scale, rng);
    const steps = randAugment ? drawRandAugment(rng, randAugment) : [];
    const planes = normalize(steps.reduce(augment, crop));
    randomErasing(planes, size, size, rng, erasing);
    return planes;
  };
  const transform = { name: "finetuneAugment", size, scale, apply };
  return withRecipe(transform, { kind: "finetuneAugment", size, randAugment, erasing });
}

function expectAugmentation(randAugment: RandAugmentRecipe | null, erasing: number): void {
  if (randAugment) expectRandAugment(randAugment);
  if (erasing >= 0 && erasing <= 1) return;
  throw new LuvitError(
    "bad-argument",
    `finetuneAugment: erasing is ${erasing}, expected a probability of 0 … 1`,
  );
}

function croppedOrMirrored(
  image: RgbImage,
  size: number,
  scale: readonly [number, number],
  rng: Rng,
): RgbImage {
  const box = randomCropBox(image.width, image.height, cropDraws(rng, scale));
  const crop = resize(cropBox(image, box), size, size);
  return rng.uniform() < 0.5 ? flipHorizontally(crop) : crop;
}

/**
 * Evaluation: shorter side to floor(size / cropRatio) (bicubic), then the centred square. The ratio is 0.875 up to 224
 * pixels and 1 above, as in MAE util/datasets.py.
 */
export function evalTransform(size = 224, options: { cropRatio?: number } = {}): EvalTransform {
  const { cropRatio = size <= 224 ? 0.875 : 1 } = options;
  if (!(cropRatio > 0 && cropRatio <= 1)) {
    throw new LuvitError("bad-argument", `evalTransform: cropRatio must lie in (0, 1], got ${cropRatio}`);
  }
  const side = Math.floor(size / cropRatio);
  const pixels = (image: RgbImage) => {
    const to = shorterSideSize(image.width, image.height, side);
    return cropBox(resize(image, to.width, to.height), centreBox(to.width, to.height, size));
  };
  const ids = (map: IdMap) => {
    const to = shorterSideSize(map.width, map.height, side);
    return cropIds(resizeIds(map, to.width, to.height), centreBox(to.width, to.height, size));
  };
  const apply = (image: RgbImage) => normalize(pixels(image));
  const transform = { name: "evalTransform", size, pixels, ids, apply };
  return withRecipe(transform, { kind: "evalTransform", size, cropRatio });
}

/** Pictures that already have the model's size: only normalised. Any other size is a "bad-argument" error. */
export function asIs(size = 224): EvalTransform {
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
  const apply = (image: RgbImage) => normalize(pixels(image));
  return withRecipe({ name: "asIs", size, pixels, ids, apply }, { kind: "asIs", size });
}

const normalized = imageNetMean.map((mean, c) =>
  Float32Array.from({ length: 256 }, (_, byte) => {
    const unit = Math.fround(byte / 255);
    return Math.fround(unit - Math.fround(mean)) / Math.fround(imageNetStd[c]);
  }),
);

/** RGB bytes [H, W, 3] -> float32 [3, H, W], (byte / 255 - mean) / std per channel. */
export function normalize(image: RgbImage): Float32Array {
  const pixels = image.width * image.height;
  const planes = new Float32Array(3 * pixels);
  for (let c = 0; c < 3; c++) {
    const table = normalized[c];
    for (let i = 0; i < pixels; i++) planes[c * pixels + i] = table[image.data[3 * i + c]];
  }
  return planes;
}

/** The inverse for looking at pictures: float32 [3, H, W] -> RGB bytes, rounded and clipped. */
export function unnormalize(planes: Float32Array, width: number, height: number): RgbImage {
  const pixels = width * height;
  if (planes.length !== 3 * pixels) {
    throw new LuvitError(
      "shape-mismatch",
      `unnormalize: expected [3, ${height}, ${width}], got ${planes.length} numbers`,
    );
  }
  const data = new Uint8Array(3 * pixels);
  for (let i = 0; i < data.length; i++) {
    const c = i % 3;
    const value = 255 * (planes[c * pixels + (i - c) / 3] * imageNetStd[c] + imageNetMean[c]);
    data[i] = Math.min(255, Math.max(0, Math.round(value)));
  }
  return { data, width, height };
}
