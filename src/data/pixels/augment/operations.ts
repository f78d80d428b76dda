import { affine, type Fill } from "./affine";
import type { Canvas } from "./canvas";
import { enhanceBrightness, enhanceColor, enhanceContrast, enhanceSharpness } from "./enhance";
import { autoContrast, equalize, invert, posterize, solarize, solarizeAdd } from "./lookup";
import { rotation } from "./rotation";
import type { AffineMatrix } from "./shift";

/** One of RandAugment's operations, on an image where it lies. */
export interface Operation {
  /** From a magnitude of 0 … 10, and for those with a direction, whether it is turned round. */
  argument?(magnitude: number, negative: boolean): number;
  readonly signed?: boolean;
  apply(canvas: Canvas, argument: number): void;
}

/** 255 times the mean of ImageNet, rounded. */
const fill: Fill = [124, 116, 104];
const shift = (canvas: Canvas, matrix: AffineMatrix) => affine(canvas, matrix, fill);
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

/** Of the "increasing" set, by timm's names. */
export const operations = {
  AutoContrast: { apply: autoContrast },
  Equalize: { apply: equalize },
  Invert: { apply: invert },
  Rotate: {
    ...signed((magnitude) => (magnitude / 10) * 30),
    apply: (canvas, degrees) => shift(canvas, rotation(degrees, canvas.width, canvas.height)),
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
  ShearX: { ...shear, apply: (canvas, factor) => shift(canvas, [1, factor, 0, 0, 1, 0]) },
  ShearY: { ...shear, apply: (canvas, factor) => shift(canvas, [1, 0, 0, factor, 1, 0]) },
  TranslateXRel: {
    ...translation,
    apply: (canvas, share) => shift(canvas, [1, 0, share * canvas.width, 0, 1, 0]),
  },
  TranslateYRel: {
    ...translation,
    apply: (canvas, share) => shift(canvas, [1, 0, 0, 0, 1, share * canvas.height]),
  },
} satisfies Record<string, Operation>;

/** An operation of RandAugment's "increasing" set, by timm's name. */
export type AugmentOp = keyof typeof operations;
