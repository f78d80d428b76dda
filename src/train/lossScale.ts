/**
 * What a loss is multiplied by before gradients that are kept in float16, so that small ones are not lost, and how a step
 * is made with it: where the gradients of a step are beyond float16's numbers, the same step is made again with half the
 * scale. Every step begins with the same scale, so that a step depends on nothing but the state it begins with, and a
 * resumed run is the run that was not stopped.
 * Reference: Micikevicius et al. 2018, "Mixed Precision Training", section 3.2.
 */
const FIRST = 2 ** 15;

/** Loss and norm of the gradients of one attempt; the state has changed where the norm is finite. */
export interface Attempt {
  readonly loss: number;
  readonly gradientNorm: number;
}

/**
 * Makes a step, with scales of the loss that are smaller and smaller until its gradients are finite. Gives back the loss;
 * NaN where they are not with the loss as it is either.
 */
export async function withLossScale(attempt: (scale: number) => Promise<Attempt>): Promise<number> {
  for (let scale = FIRST; scale >= 1; scale /= 2) {
    const { loss, gradientNorm } = await attempt(scale);
    if (!Number.isFinite(loss) || Number.isFinite(gradientNorm)) return loss;
  }
  return Number.NaN;
}
