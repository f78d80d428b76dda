import { checkOptions } from "../core/options";
import { rngField } from "../core/options/rng";
import type { Rng } from "../core/rng";

/** Drop rate of each block, rising linearly from 0 to `last`: linspace(0, last, depth). */
export function dropPathRates(depth: number, last: number): number[] {
  return Array.from({ length: depth }, (_, k) => (depth === 1 ? 0 : (last * k) / (depth - 1)));
}

/** Factor per sample from one uniform number each: floor((1-p) + u) / (1-p). Reference: timm 0.3.2 drop.py. */
export function dropPathFactors(uniforms: ArrayLike<number>, rate: number): Float32Array {
  const keep = 1 - rate;
  return Float32Array.from(uniforms, (u) => Math.floor(keep + u) / keep);
}

/** The factors [2 * depth, batch] of one step: two independent draws per block, per sample. */
export function drawDropPath(depth: number, lastRate: number, batch: number, rng: Rng): Float32Array {
  checkOptions("drawDropPath", rngField, rng);
  const factors = new Float32Array(2 * depth * batch);
  for (const [block, rate] of dropPathRates(depth, lastRate).entries()) {
    for (const branch of [0, 1]) {
      const uniforms = Array.from({ length: batch }, () => rng.uniform());
      factors.set(dropPathFactors(uniforms, rate), (2 * block + branch) * batch);
    }
  }
  return factors;
}
