import { placeSize } from "../kernels/pixelMemory";
import type { Canvas } from "./canvas";
import { lookUp } from "./lookup";

/* Pillow's ImageEnhance: the image is moved away from (factor > 1) or towards a duller version of itself. */

/** Sums of luma that a 32-bit number surely holds. */
const PIXELS_AT_ONCE = 2 ** 24;

const bitsOf = (factor: number) => new Int32Array(Float32Array.of(factor).buffer)[0];

/** Saturation: away from the gray image. */
export function enhanceColor(canvas: Canvas, amount: number): void {
  const { address } = canvas.settled();
  const target = canvas.takeTarget();
  canvas.memory.run.saturate(address, canvas.pixelCount, bitsOf(amount), target);
  canvas.replace(target);
}

/** Contrast: away from the mean gray, rounded to a whole one. */
export function enhanceContrast(canvas: Canvas, amount: number): void {
  const { address } = canvas.settled();
  const { pixelCount, memory } = canvas;
  let sum = 0;
  for (let at = 0; at < pixelCount; at += PIXELS_AT_ONCE) {
    sum += memory.run.lumaSum(address + 3 * at, Math.min(PIXELS_AT_ONCE, pixelCount - at)) >>> 0;
  }
  awayFrom(canvas, Math.trunc(sum / pixelCount + 0.5), amount);
}

/** Brightness: away from black. */
export function enhanceBrightness(canvas: Canvas, amount: number): void {
  awayFrom(canvas, 0, amount);
}

function awayFrom(canvas: Canvas, dull: number, amount: number): void {
  const factor = Math.fround(amount);
  lookUp(canvas, (byte) => {
    const value = Math.fround(dull + Math.fround(factor * (byte - dull)));
    return Math.min(255, Math.max(0, Math.trunc(value)));
  });
}

/** Sharpness: away from the smoothed image, whose border is that of the image. */
export function enhanceSharpness(canvas: Canvas, amount: number): void {
  const { memory, width, height } = canvas;
  if (width < 3 || height < 3) return;
  const { address } = canvas.settled();
  const line = 3 * width;
  const target = canvas.takeTarget();
  const bytes = memory.bytes(0, target + placeSize(line, height));
  memory.run.sharpen(address + line, line, height - 2, target + line, bitsOf(amount));
  for (const row of [0, height - 1]) {
    const from = address + row * line;
    bytes.copyWithin(target + row * line, from, from + line);
  }
  canvas.replace(target);
}
