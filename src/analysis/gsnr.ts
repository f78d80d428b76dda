/** Keeps parameters that have no gradient at all from dividing by zero. */
const EPS = 1e-12;

/**
 * Gradient signal-to-noise ratio of each parameter, E[g]² / Var[g], from the mean and the variance of its gradients.
 * Reference: Liu et al. 2020 (arXiv 2001.07384), definition 2.1; Bai et al. 2025; LUViT C.2.
 */
export function signalToNoise(mean: ArrayLike<number>, variance: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: mean.length }, (_, i) => mean[i] ** 2 / (variance[i] + EPS));
}

/**
 * The same from gradients of single samples [N, P] -> [P]. "unbiased": the variance's sum is divided by N - 1.
 */
export function signalToNoiseOf(
  gradients: ArrayLike<number>,
  parameters: number,
  variance: "unbiased" | "biased" = "unbiased",
): Float64Array {
  const samples = gradients.length / parameters;
  const mean = new Float64Array(parameters);
  const squares = new Float64Array(parameters);
  for (let i = 0; i < gradients.length; i++) mean[i % parameters] += gradients[i] / samples;
  for (let i = 0; i < gradients.length; i++) {
    squares[i % parameters] += (gradients[i] - mean[i % parameters]) ** 2;
  }
  const count = variance === "unbiased" ? samples - 1 : samples;
  return signalToNoise(
    mean,
    squares.map((sum) => sum / count),
  );
}
