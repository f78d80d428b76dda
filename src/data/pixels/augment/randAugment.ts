import { checkOptions, number, optionsOf, share, such, whole } from "../../../core/options";
import { rngField } from "../../../core/options/rng";
import type { Rng } from "../../../core/rng";
import { PixelMemory } from "../kernels/pixelMemory";
import { placePixels } from "../kernels/resamplePixels";
import type { RgbImage } from "../rgbImage";
import { image as imageField } from "../rgbImage";
import { Canvas } from "./canvas";
import { type AugmentOp, type Operation, operations } from "./operations";

/** How strongly images are augmented; the defaults are timm's `rand-m9-mstd0.5-inc1`. */
export interface RandAugmentRecipe {
  /** Operations drawn per image, with replacement; default 2. */
  layers?: number;
  /** Mean magnitude, 0 … 10; default 9. */
  magnitude?: number;
  /** Standard deviation of the magnitude; default 0.5. */
  magnitudeStd?: number;
  /** Share of the drawn operations that are done; default 0.5. */
  probability?: number;
}

export const randAugmentRecipe = optionsOf<RandAugmentRecipe>(
  {},
  {
    layers: whole(0, 100),
    magnitude: number(0, 10),
    magnitudeStd: number(0, 100),
    probability: share,
  },
);

export type { AugmentOp };

/** The fifteen operations, in timm's order. */
export const augmentOps = Object.keys(operations) as readonly AugmentOp[];

/** One operation with the number that it takes: degrees, bits, a threshold, a factor, a share. */
export interface AugmentStep {
  readonly op: AugmentOp;
  readonly argument: number;
}

/** The number an operation takes at a magnitude of 0 … 10; 0 for those that take none. */
export function augmentArgument(op: AugmentOp, magnitude: number, negative = false): number {
  return (operations[op] as Operation).argument?.(magnitude, negative) ?? 0;
}

const augmentStep = such<AugmentStep>("an operation { op, argument }", (value) =>
  Object.hasOwn(operations, (value as AugmentStep | null)?.op ?? ""),
);

/** Does one operation as Pillow does it, to the last bit. The result has the size of the image. */
export function applyAugmentation(image: RgbImage, step: AugmentStep): RgbImage {
  checkOptions("applyAugmentation", imageField, image);
  checkOptions("applyAugmentation", augmentStep, step);
  const { op, argument } = step;
  return PixelMemory.use((memory) => {
    const line = 3 * image.width;
    const canvas = new Canvas(memory, placePixels(memory, { ...image, offset: 0, line }));
    operations[op].apply(canvas, argument);
    return canvas.image();
  });
}

/** Draws the operations for one image. Reference: timm 0.3.2 data/auto_augment.py, RandAugment and AugmentOp. */
export function drawRandAugment(rng: Rng, recipe: RandAugmentRecipe = {}): AugmentStep[] {
  checkOptions("drawRandAugment", rngField, rng);
  checkOptions("drawRandAugment", randAugmentRecipe, recipe);
  const { layers = 2, magnitude = 9, magnitudeStd = 0.5, probability = 0.5 } = recipe;
  const drawn = Array.from({ length: layers }, () => augmentOps[rng.integer(augmentOps.length)]);
  return drawn.flatMap((op) => {
    if (rng.uniform() > probability) return [];
    const strength = Math.min(10, Math.max(0, magnitude + magnitudeStd * rng.normal()));
    const negative = (operations[op] as Operation).signed === true && rng.uniform() > 0.5;
    return [{ op, argument: augmentArgument(op, strength, negative) }];
  });
}
