import type { Canvas } from "./canvas";

const PASSES = 3;
const ONE = 2 ** 24;
const { fround } = Math;

/**
 * Pillow's Gaussian blur with this standard deviation in pixels: three averages over a fractional number of pixels along
 * each axis, rounded to bytes in between; beyond the border the last pixel is repeated.
 *
 * Reference: Pillow 12 src/libImaging/BoxBlur.c; Gwosdek et al. 2011, equations 7, 11 and 14.
 */
export function gaussianBlur(canvas: Canvas, deviation: number): void {
  const { address } = canvas.settled();
  const { width, height, memory } = canvas;
  const bytes = memory.bytes(address, 3 * width * height);
  const radius = boxRadius(deviation);
  if (radius === 0) return;
  blurLines(bytes, { lines: height, stride: 3 * width, length: width, step: 3 }, radius);
  blurLines(bytes, { lines: width, stride: 3, length: height, step: 3 * width }, radius);
}

/** Of the boxes whose repeated average has this deviation. */
function boxRadius(deviation: number): number {
  const variance = fround(fround(fround(deviation) * fround(deviation)) / PASSES);
  const length = fround(Math.sqrt(12 * variance + 1));
  const whole = Math.floor((length - 1) / 2);
  const upper = fround((2 * whole + 1) * (whole * (whole + 1) - 3 * variance));
  return fround(whole + fround(upper / fround(6 * fround(variance - (whole + 1) * (whole + 1)))));
}

/** Lines of pixels: how many, how far apart, how many pixels in each and how far apart these are. */
interface Lines {
  readonly lines: number;
  readonly stride: number;
  readonly length: number;
  readonly step: number;
}

function blurLines(bytes: Uint8Array, { lines, stride, length, step }: Lines, radius: number): void {
  const whole = Math.trunc(radius);
  const inner = Math.trunc(fround(ONE / fround(radius * 2 + 1)));
  const outer = Math.trunc((ONE - (whole * 2 + 1) * inner) / 2);
  const before = new Uint8Array(length + 2 * (whole + 1));
  for (let line = 0; line < lines; line++) {
    for (let channel = 0; channel < 3; channel++) {
      const start = line * stride + channel;
      for (let pass = 0; pass < PASSES; pass++) {
        for (let i = 0; i < before.length; i++) {
          const place = Math.min(length - 1, Math.max(0, i - whole - 1));
          before[i] = bytes[start + place * step];
        }
        average(before, whole, inner, outer, (i, value) => {
          bytes[start + i * step] = value;
        });
      }
    }
  }
}

/** Averages over 2 whole + 1 bytes and a fraction of the two beside them; `before` has whole + 1 more at both ends. */
function average(
  before: Uint8Array,
  whole: number,
  inner: number,
  outer: number,
  put: (i: number, value: number) => void,
): void {
  let sum = 0;
  for (let i = 1; i <= 2 * whole + 1; i++) sum += before[i];
  const length = before.length - 2 * (whole + 1);
  for (let i = 0; i < length; i++) {
    const right = before[i + 2 * whole + 2];
    const value = sum * inner + (before[i] + right) * outer;
    put(i, Math.floor((value + ONE / 2) / ONE));
    sum += right - before[i + 1];
  }
}
