import { LuvitError } from "../core/errors";
import type { RgbImage } from "./decode";

/** Interpolation kernels, named as in Pillow; "bicubic" has a = -0.5. All but "nearest" widen when shrinking. */
export type ResampleFilter = "nearest" | "box" | "bilinear" | "bicubic";

/** A rectangle in pixels; `left` and `top` count from the upper left corner. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Kernel {
  readonly support: number;
  weight(distance: number): number;
}

const kernels: Record<Exclude<ResampleFilter, "nearest">, Kernel> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: bicubicWeight },
};

function bicubicWeight(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

const precisionBits = 22;

/** Fixed-point weights of one axis: output i sums `counts[i]` inputs from `starts[i]` on. */
interface AxisWeights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Int32Array;
  readonly stride: number;
}

/**
 * Resizes a picture exactly as Pillow's `Image.resize(size, filter, box)`: two 8-bit passes, horizontal then vertical,
 * with 22-bit fixed-point weights. `box` (may be fractional) is the part of the picture that fills the result.
 *
 * Reference: Pillow 12 src/libImaging/Resample.c, Geometry.c (nearest).
 */
export function resize(
  image: RgbImage,
  width: number,
  height: number,
  options: { filter?: ResampleFilter; box?: Box } = {},
): RgbImage {
  const { filter = "bicubic", box = { left: 0, top: 0, width: image.width, height: image.height } } = options;
  expectInside(image, box, width, height);
  if (filter === "nearest") return resizeNearest(image, width, height, box);
  const kernel = kernels[filter];
  const columns = axisWeights(image.width, box.left, box.width, width, kernel);
  const rows = axisWeights(image.height, box.top, box.height, height, kernel);
  const firstRow = rows.starts[0];
  const lastRow = rows.starts[height - 1] + rows.counts[height - 1];
  const narrowed = horizontalPass(image, columns, width, firstRow, lastRow - firstRow);
  return verticalPass(narrowed, rows, height, firstRow);
}

/** Cuts a box of whole pixels out of a picture. Throws "bad-argument" when it reaches outside. */
export function cropBox(image: RgbImage, box: Box): RgbImage {
  expectInside(image, box, box.width, box.height);
  const data = new Uint8Array(box.width * box.height * 3);
  for (let row = 0; row < box.height; row++) {
    const from = 3 * ((box.top + row) * image.width + box.left);
    data.set(image.data.subarray(from, from + 3 * box.width), 3 * row * box.width);
  }
  return { data, width: box.width, height: box.height };
}

/** For each of `length` outputs the input position nearest to its centre, as Pillow's NEAREST finds it. */
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

function axisWeights(
  inputs: number,
  start: number,
  extent: number,
  outputs: number,
  kernel: Kernel,
): AxisWeights {
  const scale = extent / outputs;
  const widening = Math.max(1, scale);
  const support = kernel.support * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputs);
  const counts = new Int32Array(outputs);
  const weights = new Int32Array(outputs * stride);
  for (let i = 0; i < outputs; i++) {
    const centre = start + (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(inputs, Math.trunc(centre + support + 0.5)) - first;
    const raw = Array.from({ length: count }, (_, x) =>
      kernel.weight((x + first - centre + 0.5) * (1 / widening)),
    );
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    for (let x = 0; x < count; x++)
      weights[i * stride + x] = toFixedPoint(total === 0 ? raw[x] : raw[x] / total);
    starts[i] = first;
    counts[i] = count;
  }
  return { starts, counts, weights, stride };
}

function toFixedPoint(weight: number): number {
  return Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * (1 << precisionBits));
}

function toByte(sum: number): number {
  const value = sum >> precisionBits;
  return Math.min(255, Math.max(0, value));
}

function horizontalPass(
  image: RgbImage,
  axis: AxisWeights,
  width: number,
  firstRow: number,
  rows: number,
): RgbImage {
  const data = new Uint8Array(width * rows * 3);
  const source = image.data;
  for (let row = 0; row < rows; row++) {
    const line = 3 * image.width * (firstRow + row);
    for (let i = 0; i < width; i++) {
      let red = 1 << (precisionBits - 1);
      let green = red;
      let blue = red;
      let from = line + 3 * axis.starts[i];
      for (let k = i * axis.stride, end = k + axis.counts[i]; k < end; k++, from += 3) {
        const weight = axis.weights[k];
        red += source[from] * weight;
        green += source[from + 1] * weight;
        blue += source[from + 2] * weight;
      }
      const out = 3 * (row * width + i);
      data[out] = toByte(red);
      data[out + 1] = toByte(green);
      data[out + 2] = toByte(blue);
    }
  }
  return { data, width, height: rows };
}

function verticalPass(image: RgbImage, axis: AxisWeights, height: number, firstRow: number): RgbImage {
  const line = 3 * image.width;
  const data = new Uint8Array(line * height);
  const sums = new Int32Array(line);
  for (let i = 0; i < height; i++) {
    sums.fill(1 << (precisionBits - 1));
    for (let k = 0; k < axis.counts[i]; k++) {
      const weight = axis.weights[i * axis.stride + k];
      const from = line * (axis.starts[i] + k - firstRow);
      for (let x = 0; x < line; x++) sums[x] += image.data[from + x] * weight;
    }
    for (let x = 0; x < line; x++) data[i * line + x] = toByte(sums[x]);
  }
  return { data, width: image.width, height };
}

function expectInside(image: RgbImage, box: Box, width: number, height: number): void {
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
    `resize: a box of ${box.width} x ${box.height} at (${box.left}, ${box.top}) to ${width} x ${height} pixels ` +
      `does not fit a picture of ${image.width} x ${image.height}`,
  );
}
