/** Added to the norm, so that gradients of zero are no division by zero. */
export const CLIP_EPS = 1e-6;

/** Makes numbers whose squares overflow single precision small enough; a power of two, which changes no digit. */
export const OVERFLOW_SCALE = 2 ** -80;

/**
 * What gradients whose norm is `norm` are multiplied by: never more than 1.
 * Reference: torch/nn/utils/clip_grad.py, clip_grad_norm_.
 */
export function clipFactor(norm: number, most: number): number {
  return Math.min(1, most / (norm + CLIP_EPS));
}

/** Norm of all numbers of all arrays together, summed in double precision. */
export function normOf(arrays: Iterable<Float32Array>): number {
  let sum = 0;
  for (const array of arrays) for (let i = 0; i < array.length; i++) sum += array[i] * array[i];
  return Math.sqrt(sum);
}
