/** Probabilities of one row of logits. */
export function softmaxOf(logits: ArrayLike<number>): Float64Array {
  const most = Math.max(...Array.from(logits));
  const powers = Float64Array.from(logits, (x) => Math.exp(x - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}
