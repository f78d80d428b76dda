import type { Rng } from "../../core/rng";

/** The random numbers of a corruption, in the order in which the original asks for them. */
export interface Draws {
  /** Standard normal. */
  normal(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Uniform whole number in low … high - 1. */
  integer(low: number, high: number): number;
  /** Poisson with this mean. */
  poisson(mean: number): number;
}

/** Draws from a stream. */
export function drawsFrom(rng: Rng): Draws {
  return {
    normal: () => rng.normal(),
    between: (low, high) => rng.between(low, high),
    integer: (low, high) => low + rng.integer(high - low),
    poisson: (mean) => poisson(rng.uniform(), mean),
  };
}

/** Smallest k whose cumulative probability exceeds `uniform`; for means up to 60, as shot noise has. */
function poisson(uniform: number, mean: number): number {
  let probability = Math.exp(-mean);
  let below = probability;
  let k = 0;
  while (uniform >= below && k < 10 * mean + 100) {
    k++;
    probability *= mean / k;
    below += probability;
  }
  return k;
}
