import type { AugmentOp } from "../../../../src/data/pixels/augment/randAugment";
import { rotation } from "../../../../src/data/pixels/augment/rotation";
import type { AffineMatrix } from "../../../../src/data/pixels/augment/shift";
import type { RgbImage } from "../../../../src/data/pixels/rgbImage";

/* Pillow's operations as they are defined, one byte after another. */

type Operation = (image: RgbImage, argument: number) => Uint8Array;

const clip = (value: number) => Math.min(255, Math.max(0, Math.trunc(value)));
const pointwise =
  (value: (byte: number, argument: number) => number): Operation =>
  ({ data }, argument) =>
    Uint8Array.from(data, (byte) => value(byte, argument));

/** Through a table of each channel's own, made from its bytes' counts. */
const byHistogram =
  (tableOf: (counts: number[]) => (byte: number) => number): Operation =>
  ({ data }) => {
    const tables = [0, 1, 2].map((c) => {
      const counts = Array<number>(256).fill(0);
      for (let i = c; i < data.length; i += 3) counts[data[i]]++;
      return tableOf(counts);
    });
    return Uint8Array.from(data, (byte, i) => tables[i % 3](byte));
  };

function stretch(counts: number[]): (byte: number) => number {
  const used = counts.flatMap((count, byte) => (count > 0 ? [byte] : []));
  const [low, high] = [used[0], used[used.length - 1]];
  if (high <= low) return (byte) => byte;
  const scale = 255 / (high - low);
  return (byte) => clip(byte * scale + -low * scale);
}

function level(counts: number[]): (byte: number) => number {
  const used = counts.filter((count) => count > 0);
  const step = Math.floor((used.reduce((a, b) => a + b, 0) - used[used.length - 1]) / 255);
  if (used.length <= 1 || step === 0) return (byte) => byte;
  const below = (byte: number) => counts.slice(0, byte).reduce((a, b) => a + b, 0);
  return (byte) => Math.min(255, Math.floor((Math.floor(step / 2) + below(byte)) / step));
}

function luma(data: Uint8Array, at: number): number {
  return (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;
}

/** Single precision all along. */
export function blend(dull: number, byte: number, amount: number): number {
  const factor = Math.fround(amount);
  return clip(Math.fround(dull + Math.fround(factor * (byte - dull))));
}

const enhancement =
  (dull: (image: RgbImage) => (at: number) => number): Operation =>
  (image, amount) => {
    const dullOf = dull(image);
    return Uint8Array.from(image.data, (byte, i) => blend(dullOf(i), byte, amount));
  };

const meanLuma = ({ data }: RgbImage) => {
  let sum = 0;
  for (let i = 0; i < data.length; i += 3) sum += luma(data, i);
  return Math.trunc(sum / (data.length / 3) + 0.5);
};

function smoothed({ data, width, height }: RgbImage, at: number): number {
  const line = 3 * width;
  const [x, y] = [Math.floor((at % line) / 3), Math.floor(at / line)];
  if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return data[at];
  let sum = 4 * data[at];
  for (const row of [-line, 0, line]) for (const side of [-3, 0, 3]) sum += data[at + row + side];
  return Math.floor(Math.fround(sum / 13) + 0.5);
}

function cubic([v1, v2, v3, v4]: number[], share: number): number {
  const [p2, p3, p4] = [-v1 + v3, 2 * (v1 - v2) + v3 - v4, -v1 + v2 - v3 + v4];
  return v2 + share * (p2 + share * (p3 + share * p4));
}

const fill = [124, 116, 104];

/** Pillow's transform by a matrix, bicubic, in double precision. */
export function plainAffine({ data, width, height }: RgbImage, matrix: AffineMatrix): Uint8Array {
  const [a, b, c, d, e, f] = matrix;
  const near = (value: number, length: number) => Math.min(length - 1, Math.max(0, value));
  const around = [-1, 0, 1, 2];
  return Uint8Array.from(data, (_, i) => {
    const channel = i % 3;
    const [x, y] = [((i - channel) / 3) % width, Math.floor(i / (3 * width))];
    const fromX = a * (x + 0.5) + b * (y + 0.5) + c;
    const fromY = d * (x + 0.5) + e * (y + 0.5) + f;
    if (!(fromX >= 0 && fromX < width && fromY >= 0 && fromY < height)) return fill[channel];
    const [left, top] = [Math.floor(fromX - 0.5), Math.floor(fromY - 0.5)];
    const rows = around.map((row) => {
      const start = near(top + row, height) * width;
      const values = around.map((side) => data[3 * (start + near(left + side, width)) + channel]);
      return cubic(values, fromX - 0.5 - left);
    });
    return clip(cubic(rows, fromY - 0.5 - top));
  });
}

/** RandAugment's operations on an image. */
export const plainOperations: Readonly<Record<AugmentOp, Operation>> = {
  AutoContrast: byHistogram(stretch),
  Equalize: byHistogram(level),
  Invert: pointwise((byte) => 255 - byte),
  Rotate: (image, degrees) => plainAffine(image, rotation(degrees, image.width, image.height)),
  PosterizeIncreasing: pointwise((byte, bits) => byte & ~(2 ** (8 - bits) - 1)),
  SolarizeIncreasing: pointwise((byte, threshold) => (byte < threshold ? byte : 255 - byte)),
  SolarizeAdd: pointwise((byte, amount) => (byte < 128 ? Math.min(255, byte + amount) : byte)),
  ColorIncreasing: enhancement((image) => (at) => luma(image.data, at - (at % 3))),
  ContrastIncreasing: enhancement((image) => {
    const mean = meanLuma(image);
    return () => mean;
  }),
  BrightnessIncreasing: enhancement(() => () => 0),
  SharpnessIncreasing: enhancement((image) => (at) => smoothed(image, at)),
  ShearX: (image, factor) => plainAffine(image, [1, factor, 0, 0, 1, 0]),
  ShearY: (image, factor) => plainAffine(image, [1, 0, 0, factor, 1, 0]),
  TranslateXRel: (image, share) => plainAffine(image, [1, 0, share * image.width, 0, 1, 0]),
  TranslateYRel: (image, share) => plainAffine(image, [1, 0, 0, 0, 1, share * image.height]),
};
