import type { PixelMemory } from "./pixelMemory";
import { LOW_BITS, WEIGHT_BITS } from "./resampleCode";

/** A kernel of interpolation: zero from `support` on, for a scale of one. */
export interface Kernel {
  readonly support: number;
  weight(distance: number): number;
}

function bicubicWeight(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

export const kernels = {
  box: { support: 0.5, weight: (x: number) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: bicubicWeight },
} as const satisfies Record<string, Kernel>;

/** Fixed-point weights of one axis: output i sums `counts[i]` inputs from `starts[i]` on, `stride` weights apart. */
export interface AxisWeights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Int32Array;
  readonly stride: number;
}

/** Pillow's weights for `outputs` positions over `extent` inputs from `start` on. Reference: Resample.c. */
export function axisWeights(
  inputs: number,
  start: number,
  extent: number,
  outputs: number,
  kernel: Kernel,
): AxisWeights {
  const scale = extent / outputs;
  const widening = Math.max(1, scale);
  const narrowing = 1 / widening;
  const support = kernel.support * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const raw = new Float64Array(stride);
  const starts = new Int32Array(outputs);
  const counts = new Int32Array(outputs);
  const weights = new Int32Array(outputs * stride);
  for (let i = 0; i < outputs; i++) {
    const center = start + (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inputs, Math.trunc(center + support + 0.5)) - first;
    let total = 0;
    for (let x = 0; x < count; x++) {
      raw[x] = kernel.weight((x + first - center + 0.5) * narrowing);
      total += raw[x];
    }
    for (let x = 0; x < count; x++) {
      weights[i * stride + x] = toFixedPoint(total === 0 ? raw[x] : raw[x] / total);
    }
    starts[i] = first;
    counts[i] = count;
  }
  return { starts, counts, weights, stride };
}

function toFixedPoint(weight: number): number {
  return Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * (1 << WEIGHT_BITS));
}

/** The weights of the outputs from `start` on, `length` of them. */
export function partOfAxis(axis: AxisWeights, start: number, length: number): AxisWeights {
  const { starts, counts, weights, stride } = axis;
  const end = start + length;
  return {
    starts: starts.subarray(start, end),
    counts: counts.subarray(start, end),
    weights: weights.subarray(start * stride, end * stride),
    stride,
  };
}

/** Weights as the kernels want them: in pairs, high halves before low ones. */
export interface PackedAxis {
  /** First inputs of all outputs, and one behind the last input of the last. */
  readonly starts: Int32Array;
  readonly end: number;
  readonly halves: Int16Array;
  /** Pairs of weights per output. */
  readonly pairs: number;
}

export function packAxis({ starts, counts, weights, stride }: AxisWeights): PackedAxis {
  const outputs = starts.length;
  let most = 0;
  for (const count of counts) most = Math.max(most, count);
  const pairs = (most + 1) >> 1;
  const halves = new Int16Array(4 * pairs * outputs);
  const half = 1 << (LOW_BITS - 1);
  for (let i = 0; i < outputs; i++) {
    for (let x = 0; x < counts[i]; x++) {
      const weight = weights[i * stride + x];
      const low = ((weight + half) & (2 * half - 1)) - half;
      const at = 4 * (pairs * i + (x >> 1)) + (x & 1);
      halves[at] = (weight - low) >> LOW_BITS;
      halves[at + 2] = low;
    }
  }
  return { starts, end: starts[outputs - 1] + counts[outputs - 1], halves, pairs };
}

const known = new Map<number, PackedAxis>();
let knownBytes = 0;
/** Sides of crops come again and again. */
const MOST_KNOWN_BYTES = 8 * 2 ** 20;

/** Bicubic weights for all of `inputs`. */
export function bicubicAxis(inputs: number, outputs: number): PackedAxis {
  const key = inputs * 2 ** 20 + outputs;
  const found = known.get(key);
  if (found) return found;
  const made = packAxis(axisWeights(inputs, 0, inputs, outputs, kernels.bicubic));
  const bytes = made.halves.byteLength + made.starts.byteLength;
  if (knownBytes + bytes > MOST_KNOWN_BYTES) {
    known.clear();
    knownBytes = 0;
  }
  known.set(key, made);
  knownBytes += bytes;
  return made;
}

/** Where an axis lies in memory: starts in bytes of `step` from `origin`. */
export function placeAxis(memory: PixelMemory, { starts, halves }: PackedAxis, step: number, origin: number) {
  const place = { starts: memory.take(starts.byteLength), weights: memory.take(halves.byteLength) };
  const offsets = memory.ints(place.starts, starts.length);
  for (let i = 0; i < starts.length; i++) offsets[i] = step * (starts[i] - origin);
  memory.shorts(place.weights, halves.length).set(halves);
  return place;
}
