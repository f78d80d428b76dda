/** Lengths of rows [N × dim] -> [N]. */
export function rowNorms(values: ArrayLike<number>, dim: number): Float64Array {
  const norms = new Float64Array(values.length / dim);
  for (let i = 0; i < values.length; i++) norms[Math.floor(i / dim)] += values[i] ** 2;
  return norms.map(Math.sqrt);
}

/** The middle value; the mean of the middle two for an even count. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Share of the values above `times` medians. */
export function shareAbove(values: ArrayLike<number>, times: number): number {
  const border = times * median(values);
  return Array.prototype.filter.call(values, (x: number) => x > border).length / values.length;
}
