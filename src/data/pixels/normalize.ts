import { LuvitError } from "../../core/errors";
import { checkOptions, row } from "../../core/options";
import { imageNetMean, imageNetStd } from "../../core/preprocessing";
import { PIXELS } from "./kernels/normalizeKernel";
import { PixelMemory, type PlacedPixels } from "./kernels/pixelMemory";
import { placePixels } from "./kernels/resamplePixels";
import type { RgbImage } from "./rgbImage";
import { image as imageField } from "./rgbImage";

export { imageNetMean, imageNetStd };

/** By channel and byte: (byte / 255 - mean) / std in single precision. */
const normalized = Float32Array.from({ length: 3 * 256 }, (_, i) => {
  const [channel, byte] = [i >> 8, i & 255];
  const unit = Math.fround(byte / 255);
  return Math.fround(unit - Math.fround(imageNetMean[channel])) / Math.fround(imageNetStd[channel]);
});

/** RGB bytes [H, W, 3] -> float32 [3, H, W], (byte / 255 - mean) / std per channel. */
export function normalize(image: RgbImage): Float32Array {
  checkOptions("normalize", imageField, image);
  return PixelMemory.use((memory) => {
    const placed = placePixels(memory, { ...image, offset: 0, line: 3 * image.width });
    return memory.floats(normalizePlaced(memory, placed), image.data.length).slice();
  });
}

/**
 * The same between places of a memory, mirrored left to right and with bytes sent through tables [3, 256] if asked for;
 * gives the address of the planes, which are written to `target`.
 */
export function normalizePlaced(
  memory: PixelMemory,
  { address, line, width, height }: PlacedPixels,
  mirrored = false,
  bytes?: Uint8Array,
  target = memory.takeResult(12 * width * height),
): number {
  if (!bytes && width >= PIXELS) {
    const numbers = memory.take(4 * 6);
    memory.floats(numbers, 6).set([...imageNetMean, ...imageNetStd]);
    memory.run.normalizedPlanes(address, line, width, height, Number(mirrored), numbers, target);
    return target;
  }
  const table = memory.take(4 * normalized.length);
  memory.floats(table, normalized.length).set(bytes ? through(bytes) : normalized);
  const [first, step] = mirrored ? [3 * (width - 1), -3] : [0, 3];
  memory.run.planes(address, line, width, height, first, step, table, target);
  return target;
}

/** The bytes themselves as planes [3, H, W], mirrored left to right if asked for; gives their address. */
export function bytePlanes(
  memory: PixelMemory,
  { address, line, width, height }: PlacedPixels,
  mirrored = false,
): number {
  const target = memory.takeResult(3 * width * height);
  const from = memory.bytes(address, line * (height - 1) + 3 * width);
  const to = memory.bytes(target, 3 * width * height);
  const [first, step] = mirrored ? [3 * (width - 1), -3] : [0, 3];
  for (let c = 0, at = 0; c < 3; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0, i = y * line + first + c; x < width; x++, i += step) to[at++] = from[i];
  return target;
}

/** What bytes become that are sent through tables [3, 256] before. */
function through(bytes: Uint8Array): Float32Array {
  const result = new Float32Array(normalized.length);
  for (let i = 0; i < bytes.length; i++) result[i] = normalized[(i & ~255) | bytes[i]];
  return result;
}

/** The inverse for looking at images: float32 [3, H, W] -> RGB bytes, rounded and clipped. */
export function unnormalize(planes: Float32Array, width: number, height: number): RgbImage {
  checkOptions("unnormalize", row("numbers [3, H, W]"), planes);
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
