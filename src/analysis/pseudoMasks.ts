import { LuvitError } from "../core/errors";
import { checkOptions, row } from "../core/options";
import { headCount } from "../nn/options";
import { rowPhases } from "./fourier";

/** What the mean token of `magnitudeMap` and `frequencyMap` is taken over. */
export interface PseudoMaskMean {
  /** "all" tokens of the image (the text of Pang et al. A.5), or those of the same "column" (its printed code). */
  mean?: "all" | "column";
}

/** How the tokens of an image lie. */
interface TokenRows extends PseudoMaskMean {
  /** Patches in a row; needed for "column" where they are no square. */
  columns?: number;
}

/** 0.1, 0.2, …, 0.9: the thresholds that Pang et al. try. */
export const pseudoMaskThresholds: readonly number[] = Array.from({ length: 9 }, (_, i) => (i + 1) / 10);

/**
 * How far each token is from the mean token: || token - mean ||, min-max normalized. tokens [P, C], the patch tokens of
 * one image row by row -> [P]. Reference: Pang et al. 2023, A.3 and A.5.
 */
export function magnitudeMap(
  tokens: ArrayLike<number>,
  channels: number,
  options: TokenRows = {},
): Float64Array {
  return normalized(distancesFromMean(tokens, channels, options));
}

/**
 * The same of the phases of each token's Fourier transform along its channels; differences of phases are not wrapped.
 * tokens [P, C] -> [P].
 */
export function frequencyMap(
  tokens: ArrayLike<number>,
  channels: number,
  options: TokenRows = {},
): Float64Array {
  return normalized(distancesFromMean(rowPhases(tokens, channels), channels, options));
}

const weights = row<ArrayLike<number>>("a list of numbers");

/**
 * Where the class token looks, summed over heads: pattern [H, T, T] of one image, class token first -> [T-1].
 */
export function classAttentionMap(pattern: ArrayLike<number>, heads: number): Float64Array {
  checkOptions("classAttentionMap", weights, pattern);
  checkOptions("classAttentionMap", headCount, heads);
  const count = Math.round(Math.sqrt(pattern.length / heads));
  const sums = new Float64Array(count - 1);
  for (let head = 0; head < heads; head++) {
    for (let key = 1; key < count; key++) sums[key - 1] += pattern[head * count * count + key];
  }
  return normalized(sums);
}

/** || token - mean || over channels, before normalization; tokens [P, C] -> [P]. */
export function distancesFromMean(
  tokens: ArrayLike<number>,
  channels: number,
  { mean = "all", columns }: TokenRows = {},
): Float64Array {
  const count = tokens.length / channels;
  const groups = mean === "all" ? 1 : (columns ?? Math.round(Math.sqrt(count)));
  if (!Number.isInteger(count / groups) || (mean === "column" && !columns && groups ** 2 !== count)) {
    const grid = columns ? `grid of ${columns} columns` : "square";
    const sizes = `${tokens.length} numbers are no ${mean === "all" ? "row" : grid} of tokens of ${channels}`;
    throw new LuvitError("shape-mismatch", `pseudo-masks: ${sizes} channels`);
  }
  const means = new Float64Array(groups * channels);
  for (let i = 0; i < tokens.length; i++) {
    const group = Math.floor(i / channels) % groups;
    means[group * channels + (i % channels)] += (tokens[i] * groups) / count;
  }
  return Float64Array.from({ length: count }, (_, token) => {
    let squares = 0;
    for (let c = 0; c < channels; c++) {
      squares += (tokens[token * channels + c] - means[(token % groups) * channels + c]) ** 2;
    }
    return Math.sqrt(squares);
  });
}

/** (x - min) / (max - min); a map of one value becomes zeros. */
function normalized(map: Float64Array): Float64Array {
  const [least, most] = [Math.min(...map), Math.max(...map)];
  return map.map((x) => (most > least ? (x - least) / (most - least) : 0));
}

/**
 * Intersection over union of the cells above a threshold (strictly) and the foreground, both [P]; 0 where both are empty.
 * Cells with 0 in `valid` count nowhere.
 */
export function pseudoMaskOverlap(
  map: ArrayLike<number>,
  threshold: number,
  foreground: ArrayLike<number>,
  valid?: ArrayLike<number>,
): number {
  checkOptions("pseudoMaskOverlap", weights, map);
  checkOptions("pseudoMaskOverlap", weights, foreground);
  let [both, either] = [0, 0];
  for (let cell = 0; cell < map.length; cell++) {
    if (valid && !valid[cell]) continue;
    const [chosen, wanted] = [map[cell] > threshold, foreground[cell] !== 0];
    if (chosen && wanted) both++;
    if (chosen || wanted) either++;
  }
  return either === 0 ? 0 : both / either;
}
