import type { Rng } from "../../core/rng";
import { cropDraws, randomCropBox } from "./geometry";
import { axisWeights, bicubicAxis, kernels, packAxis, partOfAxis } from "./kernels/axisWeights";
import { PixelMemory, type PlacedPixels } from "./kernels/pixelMemory";
import { placePixels, resamplePixels } from "./kernels/resamplePixels";
import { bytePlanes, normalizePlaced } from "./normalize";
import type { Box } from "./resample";
import type { RgbImage } from "./rgbImage";

/** Numbers of an image [3, size, size]: normalized, or the bytes before. */
export type Planes = Float32Array | Uint8Array;

/** A transform by its steps, which work where the image was decoded and only on what they look at. */
export interface PixelSteps {
  /** The part of an image that is looked at. Draws first. */
  region(width: number, height: number, rng: Rng): Box;
  /** That part to normalized float32 [3, size, size]: their address. Draws what is left. */
  finish(memory: PixelMemory, part: PlacedPixels, rng: Rng): number;
  /** The same without normalization, where that comes last: the address of bytes [3, size, size]. */
  bytes?(memory: PixelMemory, part: PlacedPixels, rng: Rng): number;
}

/** Where pixels lie that are only to be normalized, mirrored left to right or not. */
export interface LastPixels {
  readonly pixels: PlacedPixels;
  readonly mirrored?: boolean;
}

/** Steps whose last one is normalization. */
export function normalizedLast(
  region: PixelSteps["region"],
  last: (memory: PixelMemory, part: PlacedPixels, rng: Rng) => LastPixels,
): PixelSteps {
  return {
    region,
    finish(memory, part, rng) {
      const { pixels, mirrored } = last(memory, part, rng);
      return normalizePlaced(memory, pixels, mirrored);
    },
    bytes(memory, part, rng) {
      const { pixels, mirrored } = last(memory, part, rng);
      return bytePlanes(memory, pixels, mirrored);
    },
  };
}

/** Does the steps for a decoded image and writes float32 [3, size, size], or bytes for an array of bytes. */
export function applyStepsInto(planes: Planes, steps: PixelSteps, image: RgbImage, rng: Rng): void {
  const { left, top, width, height } = steps.region(image.width, image.height, rng);
  const line = 3 * image.width;
  const rows = { data: image.data, offset: top * line + 3 * left, line, width, height };
  PixelMemory.use((memory) => {
    const placed = placePixels(memory, rows);
    if (planes instanceof Uint8Array)
      planes.set(memory.bytes(steps.bytes!(memory, placed, rng), planes.length));
    else planes.set(memory.floats(steps.finish(memory, placed, rng), planes.length));
  });
}

/** The same in new memory: float32 [3, size, size]. */
export function applySteps(steps: PixelSteps, size: number, image: RgbImage, rng: Rng): Float32Array {
  const planes = new Float32Array(3 * size * size);
  applyStepsInto(planes, steps, image, rng);
  return planes;
}

/** All of an image. */
export const whole: PixelSteps["region"] = (width, height) => ({ left: 0, top: 0, width, height });

/** A random crop of this share of the area. */
export function randomCrop(scale: readonly [number, number]): PixelSteps["region"] {
  return (width, height, rng) => randomCropBox(width, height, cropDraws(rng, scale));
}

/** Pillow's bicubic resizing of a whole part. */
export function resized(
  memory: PixelMemory,
  part: PlacedPixels,
  width: number,
  height: number,
): PlacedPixels {
  return resamplePixels(memory, part, bicubicAxis(part.width, width), bicubicAxis(part.height, height));
}

/** A part of Pillow's bilinear resizing; what lies outside of it is not computed. */
export function resizedPart(
  memory: PixelMemory,
  pixels: PlacedPixels,
  to: { width: number; height: number },
  part: Box,
): PlacedPixels {
  const axis = (inputs: number, outputs: number, start: number, length: number) =>
    packAxis(partOfAxis(axisWeights(inputs, 0, inputs, outputs, kernels.bilinear), start, length));
  const columns = axis(pixels.width, to.width, part.left, part.width);
  return resamplePixels(memory, pixels, columns, axis(pixels.height, to.height, part.top, part.height));
}

/** Mirrors pixels left to right where they lie. */
export function flipInPlace(memory: PixelMemory, { address, line, width, height }: PlacedPixels): void {
  const bytes = memory.bytes(address, line * height);
  for (let row = 0; row < height; row++) {
    let [left, right] = [row * line, row * line + 3 * (width - 1)];
    for (; left < right; left += 3, right -= 3) {
      for (let c = 0; c < 3; c++) [bytes[left + c], bytes[right + c]] = [bytes[right + c], bytes[left + c]];
    }
  }
}
