import { LuvitError } from "../core/errors";
import { checkOptions, row } from "../core/options";

/** What several seeds gave. */
export interface SeedStatistics {
  /** Number of values. */
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation (sum of squares divided by n - 1); NaN for one value. */
  readonly std: number;
  /** std / √n. */
  readonly standardError: number;
  /** std / n: what LUViT's Table 6 calls "standard error". */
  readonly paperStandardError: number;
  /** Half the width of the confidence interval around the mean, by Student's t with n - 1 degrees of freedom. */
  readonly halfWidth: number;
  /** mean ± halfWidth. */
  readonly interval: readonly [number, number];
}

/**
 * Mean, standard error and confidence interval (99 % unless told otherwise, as in Figure 6) of one number over seeds.
 *
 * @throws LuvitError("bad-argument") for no values, or values that are not numbers.
 */
export function seedStatistics(values: readonly number[], confidence = 0.99): SeedStatistics {
  checkOptions("seedStatistics", row("a list of numbers"), values);
  const n = values.length;
  if (n === 0 || !values.every(Number.isFinite)) {
    throw new LuvitError("bad-argument", `seedStatistics: expected numbers, got [${values.join(", ")}]`);
  }
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  const std = n > 1 ? Math.sqrt(squares / (n - 1)) : Number.NaN;
  const standardError = std / Math.sqrt(n);
  const halfWidth = n > 1 ? studentQuantile(confidence, n - 1) * standardError : Number.NaN;
  const interval = [mean - halfWidth, mean + halfWidth] as const;
  return { n, mean, std, standardError, paperStandardError: std / n, halfWidth, interval };
}

/** Mean and 95 % interval as a row of a table has them: null where values are too few to say. */
export function meanWithInterval(values: readonly number[]): {
  mean: number | null;
  low: number | null;
  high: number | null;
} {
  if (values.length === 0) return { mean: null, low: null, high: null };
  const { mean, interval } = seedStatistics(values, 0.95);
  const [low, high] = interval.map((x) => (Number.isNaN(x) ? null : x));
  return { mean, low, high };
}

/** t with P(|T| < t) = confidence, for Student's distribution with a whole number of degrees of freedom. */
export function studentQuantile(confidence: number, degrees: number): number {
  if (!(confidence > 0 && confidence < 1)) {
    throw new LuvitError("bad-argument", `confidence is ${confidence}, expected between 0 and 1`);
  }
  let [low, high] = [0, 1];
  while (probabilityWithin(high, degrees) < confidence) high *= 2;
  for (let halvings = 0; halvings < 100; halvings++) {
    const middle = (low + high) / 2;
    if (probabilityWithin(middle, degrees) < confidence) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(|T| < t), by the finite series for whole degrees of freedom. Reference: Abramowitz & Stegun 26.7.3 and 26.7.4. */
function probabilityWithin(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const square = Math.cos(angle) ** 2;
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(angle) : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= (square * (k - 1)) / k;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}
