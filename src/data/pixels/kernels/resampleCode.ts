import type { I32Local } from "../../../core/wasm/function";
import { i32, type V128 } from "../../../core/wasm/values";

/*
 * The two passes of Pillow's resizing, in its own integers. A weight of 22 bits does not fit the 16-bit lanes that
 * multiply fastest, so it is split: weight = 2048 high + low. Both halves' sums are exact, and so is what they add up to.
 *
 * Weights lie in pairs: two high halves, then two low ones. Where there are no more than MOST_PAIRS for a pixel, kernels
 * of their own keep them in registers.
 */

export const WEIGHT_BITS = 22;
export const LOW_BITS = 11;
export const PAIR_BYTES = 8;
export const MOST_PAIRS = 6;

/** 2048 high + low, rounded to a whole value. */
export const total = (high: V128, low: V128) =>
  high
    .shiftedLeft(LOW_BITS)
    .plus(low)
    .plus(i32(1 << (WEIGHT_BITS - 1)).inLanes())
    .shiftedRight(WEIGHT_BITS);

export const sumOf = (values: readonly V128[]) => values.reduce((sum, value) => sum.plus(value));

export const advance = (pointer: I32Local, step: Parameters<I32Local["plus"]>[0]) =>
  pointer.set(pointer.plus(step));
