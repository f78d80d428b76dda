import { LuvitError } from "../../core/errors";
import { checkOptions, object, oneOf, shaped } from "../../core/options";
import { axisWeights, kernels, packAxis } from "./kernels/axisWeights";
import { PixelMemory } from "./kernels/pixelMemory";
import { placePixels, resamplePixels } from "./kernels/resamplePixels";
import type { RgbImage } from "./rgbImage";
import { image as imageField } from "./rgbImage";

/** Interpolation kernels, named as in Pillow; "bicubic" has a = -0.5. All but "nearest" widen when shrinking. */
export type ResampleFilter = "nearest" | "box" | "bilinear" | "bicubic";

/** A rectangle in pixels; `left` and `top` count from the upper left corner. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const boxField = shaped<Box>("a box { left, top, width, height }", "left", "top", "width", "height");
const resizeOptions = object({}, { filter: oneOf(["nearest", "box", "bilinear", "bicubic"]), box: boxField });

/**
 * Resizes an image exactly as Pillow's `Image.resize(size, filter, box)`: two 8-bit passes, horizontal then vertical,
 * with 22-bit fixed-point weights. `box` (may be fractional) is the part of the image that fills the result.
 *
 * Reference: Pillow 12 src/libImaging/Resample.c, Geometry.c (nearest).
 */
export function resize(
  image: RgbImage,
  width: number,
  height: number,
  options: { filter?: ResampleFilter; box?: Box } = {},
): RgbImage {
  checkOptions("resize", imageField, image);
  checkOptions("resize", resizeOptions, options);
  const { filter = "bicubic", box = { left: 0, top: 0, width: image.width, height: image.height } } = options;
  expectInside("resize", image, box, width, height);
  if (filter === "nearest") return resizeNearest(image, width, height, box);
  const columns = packAxis(axisWeights(image.width, box.left, box.width, width, kernels[filter]));
  const rows = packAxis(axisWeights(image.height, box.top, box.height, height, kernels[filter]));
  return PixelMemory.use((memory) => {
    const source = placePixels(memory, { ...image, offset: 0, line: 3 * image.width });
    const { address } = resamplePixels(memory, source, columns, rows);
    return { data: memory.bytes(address, 3 * width * height).slice(), width, height };
  });
}

/**
 * Cuts a box of whole pixels out of an image.
 *
 * @throws LuvitError("bad-argument") when it reaches outside.
 */
export function cropBox(image: RgbImage, box: Box): RgbImage {
  checkOptions("cropBox", imageField, image);
  checkOptions("cropBox", boxField, box);
  expectInside("cropBox", image, box, box.width, box.height);
  const data = new Uint8Array(box.width * box.height * 3);
  for (let row = 0; row < box.height; row++) {
    const from = 3 * ((box.top + row) * image.width + box.left);
    data.set(image.data.subarray(from, from + 3 * box.width), 3 * row * box.width);
  }
  return { data, width: box.width, height: box.height };
}

/** For each of `length` outputs the input position nearest to its center, as Pillow's NEAREST finds it. */
export function nearestPositions(start: number, extent: number, length: number): Int32Array {
  const step = extent / length;
  const positions = new Int32Array(length);
  let position = start + step * 0.5;
  for (let i = 0; i < length; i++) {
    positions[i] = Math.trunc(position);
    position += step; // summed up, not multiplied, as Pillow does: rounding decides ties
  }
  return positions;
}

function resizeNearest(image: RgbImage, width: number, height: number, box: Box): RgbImage {
  const columns = nearestPositions(box.left, box.width, width);
  const rows = nearestPositions(box.top, box.height, height);
  const data = new Uint8Array(width * height * 3);
  let out = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = 3 * (row * image.width + column);
      for (let c = 0; c < 3; c++) data[out++] = image.data[from + c];
    }
  }
  return { data, width, height };
}

function expectInside(where: string, image: RgbImage, box: Box, width: number, height: number): void {
  const inside =
    box.left >= 0 &&
    box.top >= 0 &&
    box.left + box.width <= image.width &&
    box.top + box.height <= image.height;
  const positive =
    box.width > 0 &&
    box.height > 0 &&
    Number.isInteger(width) &&
    Number.isInteger(height) &&
    width > 0 &&
    height > 0;
  if (inside && positive) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: a box of ${box.width} x ${box.height} at (${box.left}, ${box.top}) to ${width} x ${height} pixels ` +
      `does not fit an image of ${image.width} x ${image.height}`,
  );
}
