import { LuvitError } from "../../core/errors";
import type { Rng } from "../../core/rng";
import type { RgbImage } from "../decode";
import { type AffineMatrix, affine, type Fill, rotation } from "./affine";
import { enhanceBrightness, enhanceColor, enhanceContrast, enhanceSharpness } from "./enhance";
import { autoContrast, equalize, invert, posterize, solarize, solarizeAdd } from "./lookup";

/** How strongly pictures are augmented; the defaults are timm's `rand-m9-mstd0.5-inc1`. */
export interface RandAugmentRecipe {
  /** Operations drawn per picture, with replacement; default 2. */
  layers?: number;
  /** Mean magnitude, 0 … 10; default 9. */
  magnitude?: number;
  /** Standard deviation of the magnitude; default 0.5. */
  magnitudeStd?: number;
  /** Share of the drawn operations that are done; default 0.5. */
  probability?: number;
}

interface Operation {
  /** From a magnitude of 0 … 10, and for those with a direction, whether it is turned round. */
  argument?(magnitude: number, negative: boolean): number;
  readonly signed?: boolean;
  apply(image: RgbImage, argument: number): RgbImage;
}

/** 255 times the mean of ImageNet, rounded. */
const fill: Fill = [124, 116, 104];
const shift = (image: RgbImage, matrix: AffineMatrix) => affine(image, matrix, fill);
const signed = (value: (magnitude: number) => number) => ({
  signed: true,
  argument: (magnitude: number, negative: boolean) => (negative ? -value(magnitude) : value(magnitude)),
});
const enhancement = (apply: Operation["apply"]): Operation => {
  const { argument } = signed((magnitude) => (magnitude / 10) * 0.9);
  return { signed: true, argument: (magnitude, negative) => 1 + argument(magnitude, negative), apply };
};
const shear = signed((magnitude) => (magnitude / 10) * 0.3);
const translation = signed((magnitude) => (magnitude / 10) * 0.45);

const operations = {
  AutoContrast: { apply: autoContrast },
  Equalize: { apply: equalize },
  Invert: { apply: invert },
  Rotate: {
    ...signed((magnitude) => (magnitude / 10) * 30),
    apply: (image, degrees) => shift(image, rotation(degrees, image.width, image.height)),
  },
  PosterizeIncreasing: {
    argument: (magnitude) => 4 - Math.trunc((magnitude / 10) * 4),
    apply: posterize,
  },
  SolarizeIncreasing: {
    argument: (magnitude) => 256 - Math.trunc((magnitude / 10) * 256),
    apply: solarize,
  },
  SolarizeAdd: { argument: (magnitude) => Math.trunc((magnitude / 10) * 110), apply: solarizeAdd },
  ColorIncreasing: enhancement(enhanceColor),
  ContrastIncreasing: enhancement(enhanceContrast),
  BrightnessIncreasing: enhancement(enhanceBrightness),
  SharpnessIncreasing: enhancement(enhanceSharpness),
  ShearX: { ...shear, apply: (image, factor) => shift(image, [1, factor, 0, 0, 1, 0]) },
  ShearY: { ...shear, apply: (image, factor) => shift(image, [1, 0, 0, factor, 1, 0]) },
  TranslateXRel: {
    ...translation,
    apply: (image, share) => shift(image, [1, 0, share * image.width, 0, 1, 0]),
  },
  TranslateYRel: {
    ...translation,
    apply: (image, share) => shift(image, [1, 0, 0, 0, 1, share * image.height]),
  },
} satisfies Record<string, Operation>;

/** An operation of RandAugment's "increasing" set, by timm's name. */
export type AugmentOp = keyof typeof operations;

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

/** Does one operation as Pillow does it, to the last bit. The result has the size of the picture. */
export function augment(image: RgbImage, { op, argument }: AugmentStep): RgbImage {
  return operations[op].apply(image, argument);
}

/** Draws the operations for one picture. Reference: timm 0.3.2 data/auto_augment.py, RandAugment and AugmentOp. */
export function drawRandAugment(rng: Rng, recipe: RandAugmentRecipe = {}): AugmentStep[] {
  const { layers, magnitude, magnitudeStd, probability } = settled(recipe);
  const drawn = Array.from({ length: layers }, () => augmentOps[rng.integer(augmentOps.length)]);
  return drawn.flatMap((op) => {
    if (rng.uniform() > probability) return [];
    const strength = Math.min(10, Math.max(0, magnitude + magnitudeStd * rng.normal()));
    const negative = (operations[op] as Operation).signed === true && rng.uniform() > 0.5;
    return [{ op, argument: augmentArgument(op, strength, negative) }];
  });
}

function settled(recipe: RandAugmentRecipe): Required<RandAugmentRecipe> {
  const { layers = 2, magnitude = 9, magnitudeStd = 0.5, probability = 0.5 } = recipe;
  return { layers, magnitude, magnitudeStd, probability };
}

/** Throws "bad-argument" for a recipe that cannot be followed. */
export function expectRandAugment(recipe: RandAugmentRecipe): void {
  const { layers, magnitude, magnitudeStd, probability } = settled(recipe);
  const problems = [
    Number.isInteger(layers) && layers >= 0 ? "" : `layers is ${layers}, expected a whole number`,
    magnitude >= 0 && magnitude <= 10 ? "" : `magnitude is ${magnitude}, expected 0 … 10`,
    magnitudeStd >= 0 ? "" : `magnitudeStd is ${magnitudeStd}, expected at least 0`,
    probability >= 0 && probability <= 1 ? "" : `probability is ${probability}, expected 0 … 1`,
  ].filter(Boolean);
  if (problems.length > 0) throw new LuvitError("bad-argument", `RandAugment: ${problems.join("; ")}`);
}
