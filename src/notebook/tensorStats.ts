/** What can be said about many numbers. */
export interface TensorStats {
  count: number;
  /** Of the finite values; NaN where there are none. */
  min: number;
  max: number;
  mean: number;
  /** Population standard deviation. */
  std: number;
  nan: number;
  infinite: number;
  zeros: number;
  /** How many finite values fall into each of equal intervals from `min` to `max`. */
  histogram: readonly number[];
}

const bins = 32;

/** Range, moments and distribution of the finite values, and how many are none. */
export function tensorStats(values: ArrayLike<number>): TensorStats {
  const range = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  let [sum, finite, nan, zeros] = [0, 0, 0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (Number.isNaN(value)) nan++;
    else if (Number.isFinite(value)) {
      finite++;
      sum += value;
      if (value === 0) zeros++;
      if (value < range.min) range.min = value;
      if (value > range.max) range.max = value;
    }
  }
  const mean = sum / finite;
  const { std, histogram } = spread(values, mean, finite, range);
  const ends = finite > 0 ? range : { min: Number.NaN, max: Number.NaN };
  const infinite = values.length - finite - nan;
  return { count: values.length, ...ends, mean, std, nan, infinite, zeros, histogram };
}

function spread(
  values: ArrayLike<number>,
  mean: number,
  finite: number,
  { min, max }: { min: number; max: number },
): { std: number; histogram: number[] } {
  const histogram = new Array<number>(bins).fill(0);
  const width = (max - min) / bins || 1;
  let squares = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (!Number.isFinite(value)) continue;
    squares += (value - mean) ** 2;
    const bin = Math.min(bins - 1, Math.floor((value - min) / width));
    histogram[bin] = histogram[bin]! + 1;
  }
  return { std: Math.sqrt(squares / finite), histogram };
}
