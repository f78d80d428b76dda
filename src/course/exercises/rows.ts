import { sum } from "../../core/mean";
import type { Rng } from "../../core/rng";

/* Small numbers that exercises are asked about, rounded so that a hint can show them. */

const rounded = (value: number) => Math.round(100 * value) / 100;

/** Numbers of a normal distribution. */
export const drawRow = (rng: Rng, length: number): number[] =>
  Array.from({ length }, () => rounded(rng.normal()));

export const drawRows = (rng: Rng, rows: number, length: number): number[][] =>
  Array.from({ length: rows }, () => drawRow(rng, length));

/** Shares that add up to 1. */
export function drawShares(rng: Rng, length: number): number[] {
  const parts = Array.from({ length }, () => Math.floor(1 + 9 * rng.uniform()));
  const whole = sum(parts);
  return parts.map((part) => part / whole);
}

/** Products of the rows of a matrix with a row. */
export const times = (matrix: readonly (readonly number[])[], row: readonly number[]): number[] =>
  matrix.map((weights) => sum(weights.map((weight, i) => weight * row[i])));
