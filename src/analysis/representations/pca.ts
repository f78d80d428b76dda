import { LuvitError } from "../../core/errors";
import { checkOptions, object, row, whole } from "../../core/options";
import { symmetricEigen } from "./symmetricEigen";

/** Principal components of rows. */
export interface PrincipalComponents {
  /** [D]. */
  readonly mean: Float64Array;
  /** [count × D], largest variance first; in each the channel of largest absolute value is positive. */
  readonly components: Float64Array;
  /** [count], divided by (rows - 1); and its share of the variance of all channels. */
  readonly variance: Float64Array;
  readonly share: Float64Array;
  /** [rows × count]: (row - mean) · component. */
  readonly projections: Float64Array;
  /** [rows × count], each component from its smallest projection (0) to its largest (1), over all rows together. */
  readonly colors: Float64Array;
}

const pcaArguments = object(
  { values: row("a list of numbers"), dim: whole(1, 1_000_000), count: whole(1, 1000) },
  {},
);

/**
 * Principal components of `values` [rows × dim], centered and not scaled. With three components the colors are red, green
 * and blue of each token. The sign rule keeps colors from flipping between runs (scikit-learn's svd_flip, by components).
 * Give the tokens of several images at once for one scale of colors. Tokens that stick out take the first component for
 * themselves: see `tokenNorms`.
 *
 * @throws LuvitError("bad-argument") for fewer than two rows, or more components than channels; ("non-finite") for NaN or
 * infinities.
 *
 * @example
 * const { colors } = luvit.analysis.principalComponents(Float32Array.of(1, 2, 0, 3, 1, 1, 2, 4, 9), 3);
 * console.log(colors.length); // 3 rows of red, green, blue
 */
export function principalComponents(values: ArrayLike<number>, dim: number, count = 3): PrincipalComponents {
  checkOptions("principalComponents", pcaArguments, { values, dim, count });
  const rows = values.length / dim;
  if (!Number.isInteger(rows) || rows < 2 || count > dim) {
    const given = `${values.length} numbers, dim ${dim}, ${count} components`;
    throw new LuvitError(
      "bad-argument",
      `principalComponents: expected two or more whole rows and at most dim components, got ${given}`,
    );
  }
  if (!Array.prototype.every.call(values, Number.isFinite))
    throw new LuvitError("non-finite", "principalComponents: the values hold NaN or infinities");
  const mean = meanOfRows(values, dim);
  const covariance = covarianceOf(values, mean, dim);
  const total = mean.reduce((sum, _, i) => sum + covariance[i * dim + i], 0);
  const { vectors, values: variance } = symmetricEigen(covariance, dim, count);
  const components = vectors.slice();
  for (let k = 0; k < count; k++) turnPositive(components.subarray(k * dim, (k + 1) * dim));
  const projections = new Float64Array(rows * count);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < count; k++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += (values[i * dim + d] - mean[d]) * components[k * dim + d];
      projections[i * count + k] = sum;
    }
  }
  const share = variance.map((x) => (total === 0 ? 0 : x / total));
  return { mean, components, variance, share, projections, colors: scaled(projections, count) };
}

function meanOfRows(values: ArrayLike<number>, dim: number): Float64Array {
  const mean = new Float64Array(dim);
  for (let i = 0; i < values.length; i++) mean[i % dim] += values[i];
  return mean.map((sum) => (sum * dim) / values.length);
}

/** [dim × dim], divided by (rows - 1). */
function covarianceOf(values: ArrayLike<number>, mean: Float64Array, dim: number): Float64Array {
  const rows = values.length / dim;
  const covariance = new Float64Array(dim * dim);
  const centered = new Float64Array(dim);
  for (let i = 0; i < rows; i++) {
    for (let d = 0; d < dim; d++) centered[d] = values[i * dim + d] - mean[d];
    for (let a = 0; a < dim; a++) {
      const factor = centered[a] / (rows - 1);
      for (let b = a; b < dim; b++) covariance[a * dim + b] += factor * centered[b];
    }
  }
  for (let a = 0; a < dim; a++) for (let b = 0; b < a; b++) covariance[a * dim + b] = covariance[b * dim + a];
  return covariance;
}

/** The first of the channels of largest absolute value becomes positive. */
function turnPositive(component: Float64Array): void {
  let most = 0;
  for (const [i, x] of component.entries()) if (Math.abs(x) > Math.abs(component[most])) most = i;
  if (component[most] < 0) for (let i = 0; i < component.length; i++) component[i] = -component[i];
}

function scaled(projections: Float64Array, count: number): Float64Array {
  const low = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
  for (const [i, x] of projections.entries()) {
    low[i % count] = Math.min(low[i % count], x);
    high[i % count] = Math.max(high[i % count], x);
  }
  return projections.map((x, i) => {
    const width = high[i % count] - low[i % count];
    return width === 0 ? 0 : (x - low[i % count]) / width;
  });
}
