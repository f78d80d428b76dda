import { LuvitError } from "../../core/errors";
import { checkOptions, list, optionsOf } from "../../core/options";
import { rngField } from "../../core/options/rng";
import type { Rng } from "../../core/rng";
import { type CorruptionType, corruptionTypes } from "../corruptionTypes";
import { image as imageField, type RgbImage } from "../pixels";
import { defocusBlur, gaussianBlur, glassBlur } from "./blur";
import { brightness, contrast, saturate } from "./color";
import { jpegCompression, pixelate } from "./digital";
import { type Draws, drawsFrom } from "./draws";
import { elasticTransform } from "./elastic";
import { fog } from "./fog";
import { frost } from "./frost";
import { type Layer, truncate } from "./image";
import { motionBlur } from "./motion";
import { gaussianNoise, impulseNoise, shotNoise, speckleNoise } from "./noise";
import { snow } from "./snow";
import { spatter } from "./spatter";
import { zoomBlur } from "./zoom";

/** What some corruptions need beside the image. */
export interface CorruptionOptions {
  /** Photographs for `frost`, larger than the image; of more than five the first five are used, as in the original. */
  frost?: readonly RgbImage[];
}

export const corruptionOptions = optionsOf<CorruptionOptions>({}, { frost: list(imageField) });

type LayerCorruption = (
  image: RgbImage,
  severity: number,
  draws: Draws,
  photographs?: readonly RgbImage[],
) => Layer;

/** Corruptions that give values 0 … 255 [H, W, 3] before these are cut to bytes. */
export const layerCorruptions: Readonly<
  Record<Exclude<CorruptionType, "pixelate" | "jpeg_compression">, LayerCorruption>
> = {
  gaussian_noise: gaussianNoise,
  shot_noise: shotNoise,
  impulse_noise: impulseNoise,
  speckle_noise: speckleNoise,
  gaussian_blur: gaussianBlur,
  defocus_blur: defocusBlur,
  glass_blur: glassBlur,
  motion_blur: motionBlur,
  zoom_blur: zoomBlur,
  snow,
  frost,
  fog,
  brightness,
  contrast,
  saturate,
  elastic_transform: elasticTransform,
  spatter,
};

/**
 * An image under one of the 19 corruptions of ImageNet-C at severity 1 … 5, of the same size. The constants are meant
 * for 224 x 224 pixels; the official images were made from those. Everything random is drawn from `rng`.
 *
 * Reference: Hendrycks & Dietterich 2019; hendrycks/robustness ImageNet-C/create_c/make_imagenet_c.py.
 *
 * @throws LuvitError("bad-argument") for another type or severity, an image that is too small, and frost without
 * photographs.
 */
export async function apply(
  image: RgbImage,
  type: CorruptionType,
  severity: number,
  rng: Rng,
  options: CorruptionOptions = {},
): Promise<RgbImage> {
  checkOptions("corruptions.apply", imageField, image);
  checkOptions("corruptions.apply", corruptionOptions, options);
  expectKnown(image, type, severity);
  checkOptions("corruptions.apply", rngField, rng);
  if (type === "pixelate") return pixelate(image, severity);
  if (type === "jpeg_compression") return jpegCompression(image, severity);
  return truncate(layerCorruptions[type](image, severity, drawsFrom(rng), options.frost));
}

const smallestSide = 32;

function expectKnown({ width, height }: RgbImage, type: string, severity: number): void {
  const problems: string[] = [];
  if (!corruptionTypes.some((name) => name === type)) {
    problems.push(`no corruption ${type}; there are ${corruptionTypes.join(", ")}`);
  }
  if (![1, 2, 3, 4, 5].includes(severity)) problems.push(`severity must be 1, 2, 3, 4 or 5, got ${severity}`);
  if (Math.min(width, height) < smallestSide) {
    problems.push(`images need at least ${smallestSide} pixels a side, this one has ${width} x ${height}`);
  }
  if (problems.length > 0) throw new LuvitError("bad-argument", `corruptions: ${problems.join("; ")}`);
}
