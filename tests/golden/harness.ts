import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One comparison of a golden case: passes when `error <= tolerance`. Exact comparisons use tolerance 0. */
export interface Check {
  name: string;
  error: number;
  tolerance: number;
}

/** The parsed `case.json` of a golden folder; sizes and tolerances are always read from here, never assumed. */
export interface CaseFile {
  case: string;
  // biome-ignore lint/suspicious/noExplicitAny: the config differs per case
  config: any;
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  recommended_tolerance: any;
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  [key: string]: any;
}

/** Runs one case folder and reports every comparison it made. */
export type CaseRunner = (folder: string, meta: CaseFile) => Promise<Check[]>;

export function readCaseFile(folder: string): CaseFile {
  return JSON.parse(readFileSync(join(folder, "case.json"), "utf8")) as CaseFile;
}

type Numbers = ArrayLike<number>;

/** max |a - b|; Infinity when lengths differ, NaN anywhere counts as Infinity. */
export function maxAbsError(actual: Numbers, expected: Numbers): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (Number.isNaN(error)) return Number.POSITIVE_INFINITY;
    if (error > worst) worst = error;
  }
  return worst;
}

/** max |a - b| / max |b| over the whole tensor. */
export function relativeToTensorMax(actual: Numbers, expected: Numbers): number {
  let scale = 0;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]));
  const error = maxAbsError(actual, expected);
  return error === 0 ? 0 : error / scale;
}

/** max over rows (of `width` numbers) of max |a - b| / max |b| in that row; rows in `skip` are left out. */
export function relativeToRowMax(
  actual: Numbers,
  expected: Numbers,
  width: number,
  skip: readonly number[] = [],
): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let row = 0; row * width < expected.length; row++) {
    if (skip.includes(row)) continue;
    const slice = (x: Numbers) => Array.prototype.slice.call(x, row * width, (row + 1) * width) as number[];
    worst = Math.max(worst, relativeToTensorMax(slice(actual), slice(expected)));
  }
  return worst;
}
