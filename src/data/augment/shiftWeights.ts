import type { PixelMemory } from "../kernels/pixelMemory";
import { LOW_BITS, WEIGHT_BITS } from "../kernels/resampleKernel";

/** By how much a row or a column moves along its axis, in pixels: what is taken from four neighbours of each. */
export interface Shift {
  readonly offset: number;
  readonly whole: number;
  /** How near to a whole number a sum, in units of 2^-22, leaves open what Pillow's byte is; 0 where pixels only move. */
  readonly margin: number;
  /** Weights of the first two, high and low halves, then of the last two: two of 16 bits in a number. */
  readonly pairs: readonly [number, number, number, number];
}

/**
 * Weights each are rounded to 2^-22, but the largest is what makes their sum 1. The errors cancel out in what all four
 * bytes have in common, 127.5 say, and so are below 127.5 (3 x 0.5 + 1.5) of these units.
 */
const MARGIN = 512;
const ONE = 1 << WEIGHT_BITS;

export function shiftBy(offset: number): Shift {
  const whole = Math.floor(offset);
  const weights = cubicWeights(offset - whole).map((weight) => Math.round(weight * ONE));
  const largest = weights[1] > weights[2] ? 1 : 2;
  weights[largest] += ONE - weights.reduce((a, b) => a + b);
  const [high, low] = [weights.map(highHalf), weights.map((w) => w - (highHalf(w) << LOW_BITS))];
  const pair = (halves: readonly number[], first: number) =>
    (halves[first] & 0xffff) | (halves[first + 1] << 16);
  const pairs = [pair(high, 0), pair(low, 0), pair(high, 2), pair(low, 2)] as const;
  return { offset, whole, margin: offset === whole ? 0 : MARGIN, pairs };
}

const highHalf = (weight: number) => (weight + (1 << (LOW_BITS - 1))) >> LOW_BITS;

/** Pillow's cubic (a = -1) at a share between the second and the third of four pixels. */
const cubicWeights = (share: number) => {
  const [square, cube] = [share * share, share * share * share];
  return [2 * square - share - cube, 1 - 2 * square + cube, share + square - cube, cube - square];
};

/** Places the weights of every byte of a row: pairs [4, 3 columns], `stride` bytes apart. */
export function placeShifts(memory: PixelMemory, shifts: readonly Shift[], stride: number): number {
  const address = memory.take(4 * stride);
  const table = memory.ints(address, stride);
  for (let k = 0; k < 4; k++) {
    let at = (stride / 4) * k;
    for (const { pairs } of shifts) {
      for (let channel = 0; channel < 3; channel++) table[at++] = pairs[k];
    }
  }
  return address;
}

/** Where values that only grow, or only shrink, with their position lie in 0 <= value < limit: from `start` to `end`. */
export function spanWithin(
  length: number,
  limit: number,
  value: (position: number) => number,
): { start: number; end: number } {
  const growing = value(length - 1) >= value(0);
  const notBelow = firstWhere(length, (x) => (growing ? value(x) >= 0 : value(x) < limit));
  const beyond = firstWhere(length, (x) => (growing ? value(x) >= limit : value(x) < 0));
  return { start: Math.min(notBelow, beyond), end: beyond };
}

/** The first position of which a predicate holds, as it does of all later ones; the length where there is none. */
function firstWhere(length: number, holds: (position: number) => boolean): number {
  let [from, to] = [0, length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
