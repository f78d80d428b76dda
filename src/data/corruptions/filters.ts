import { type Layer, toSingle } from "./image";

/** What lies beyond the edge: the edge pixel again, the image mirrored with or without repeating its edge. */
export type Border = "nearest" | "reflect" | "reflect101";

/** The position inside 0 … length - 1 that stands for one that may lie outside. */
export function inside(position: number, length: number, border: Border): number {
  if (position >= 0 && position < length) return position;
  if (border === "nearest" || length === 1) return position < 0 ? 0 : length - 1;
  const once = border === "reflect" ? 0 : 1;
  const period = 2 * (length - once);
  const folded = ((position % period) + period) % period;
  return folded < length ? folded : period - folded - 1 + once;
}

/** Weights of a Gaussian over -radius … radius, summing to 1. */
export function gaussianWeights(sigma: number, radius: number): Float64Array {
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp((-0.5 / (sigma * sigma)) * (i - radius) ** 2),
  );
  const sum = numpySum(weights);
  return weights.map((weight) => weight / sum);
}

/** A sum with numpy's rounding: halves of at most 128 numbers, and in these every eighth goes to the same partial sum. */
function numpySum(values: Float64Array): number {
  if (values.length > 128) {
    const half = 8 * (values.length >> 4);
    return numpySum(values.subarray(0, half)) + numpySum(values.subarray(half));
  }
  const whole = values.length < 8 ? 0 : values.length - (values.length % 8);
  const parts = values.slice(0, Math.min(8, whole));
  for (let i = 8; i < whole; i++) parts[i % 8] += values[i];
  const [a, b, c, d, e, f, g, h] = parts;
  const sum = whole === 0 ? 0 : a + b + (c + d) + (e + f + (g + h));
  return values.subarray(whole).reduce((total, value) => total + value, sum);
}

/** How far a Gaussian reaches and how it goes on beyond the edge. */
export interface GaussianOptions {
  border?: Border;
  /** Standard deviations after which it is cut off; default 4. */
  truncate?: number;
  /** Round between the two passes to single precision. */
  single?: boolean;
}

/** Gaussian blur of each channel, as scipy.ndimage.gaussian_filter: rows, then columns. */
export function gaussianBlur(layer: Layer, sigma: number, options: GaussianOptions = {}): Layer {
  const { border = "nearest", truncate = 4, single = false } = options;
  const weights = gaussianWeights(sigma, Math.floor(truncate * sigma + 0.5));
  const down = correlateLines(layer, weights, "columns", border);
  const result = correlateLines(single ? toSingle(down) : down, weights, "rows", border);
  return single ? toSingle(result) : result;
}

/**
 * Correlation with symmetric weights of odd length along rows or columns. The middle comes first, then pairs from the
 * outside in, as in scipy: glass blur cuts the sums to whole numbers, and in even areas they are nearly whole.
 */
export function correlateLines(
  layer: Layer,
  weights: Float64Array,
  along: "rows" | "columns",
  border: Border,
): Layer {
  const { data, width, height, channels } = layer;
  const [length, lines] = along === "rows" ? [width, height] : [height, width];
  const [step, stride] = along === "rows" ? [channels, width * channels] : [width * channels, channels];
  const radius = weights.length >> 1;
  const result = new Float64Array(data.length);
  const padded = new Float64Array(length + 2 * radius);
  for (let line = 0; line < lines; line++) {
    for (let c = 0; c < channels; c++) {
      const start = line * stride + c;
      for (let i = 0; i < padded.length; i++) {
        padded[i] = data[start + inside(i - radius, length, border) * step];
      }
      for (let i = 0; i < length; i++) {
        let sum = padded[i + radius] * weights[radius];
        for (let k = 0; k < radius; k++) sum += (padded[i + k] + padded[i + 2 * radius - k]) * weights[k];
        result[start + i * step] = sum;
      }
    }
  }
  return { ...layer, data: result };
}

/** Correlation with a kernel [size, size] of odd size; only weights that are not 0 cost time. */
export function correlate(layer: Layer, kernel: ArrayLike<number>, size: number, border: Border): Layer {
  const { data, width, height, channels } = layer;
  const radius = size >> 1;
  const paddedWidth = width + 2 * radius;
  const result = new Float64Array(data.length);
  for (let c = 0; c < channels; c++) {
    const padded = new Float64Array(paddedWidth * (height + 2 * radius));
    for (let i = 0; i < padded.length; i++) {
      const x = inside((i % paddedWidth) - radius, width, border);
      const y = inside(Math.floor(i / paddedWidth) - radius, height, border);
      padded[i] = data[(y * width + x) * channels + c];
    }
    for (let k = 0; k < size * size; k++) {
      const weight = kernel[k];
      if (weight === 0) continue;
      const offset = Math.floor(k / size) * paddedWidth + (k % size);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          result[(y * width + x) * channels + c] += weight * padded[offset + y * paddedWidth + x];
        }
      }
    }
  }
  return { ...layer, data: result };
}
