import { type Tensor, tf } from "../../core/tf";
import type { Pooling } from "../../models/classifier";

/** How the heads of a layer become one matrix. */
export type HeadFusion = "mean" | "max" | "min";

/** Patterns [B, H, T, T] -> [B, T, T]. */
export function fuseHeads(pattern: Tensor, fusion: HeadFusion): Tensor {
  return tf[fusion](pattern, 1);
}

/** relu of the mean over heads of pattern times gradient, [B, H, T, T] each -> [B, T, T]. */
export function fuseWithGradient(pattern: Tensor, gradient: Tensor): Tensor {
  return tf.relu(tf.mean(tf.mul(pattern, gradient), 1));
}

export interface RolloutOptions {
  /** Share of each fused matrix that becomes 0, smallest entries first; default 0. */
  discard?: number;
  /**
   * "row": every row is divided by its sum (Abnar & Zuidema). "official": as jacobgil/vit-explain runs, column j divided
   * by the sum of row j; the same for the mean of the heads without discarding. Default "row".
   */
  normalize?: "row" | "official";
  /** Never discard what the class token has of itself, as vit-explain's plain rollout does; default true. */
  spareClass?: boolean;
}

/**
 * Rollout through fused matrices [T × T], first layer first -> [T × T]: M = (F + I) / 2, normalized; R <- M R.
 * Reference: Abnar & Zuidema 2020; jacobgil/vit-explain vit_rollout.py.
 */
export function rollout(
  layers: readonly ArrayLike<number>[],
  tokens: number,
  { discard = 0, normalize = "row", spareClass = true }: RolloutOptions = {},
): Float64Array {
  let result: Float64Array | undefined;
  for (const layer of layers) {
    const mixing = mixingOf(withoutSmallest(layer, discard, spareClass), tokens, normalize);
    result = result ? product(mixing, result, tokens) : mixing;
  }
  return result!;
}

/** Ties at the border fall in the order of the entries. */
function withoutSmallest(layer: ArrayLike<number>, share: number, spareClass: boolean): Float64Array {
  const kept = Float64Array.from(layer);
  const count = Math.trunc(kept.length * share);
  if (count === 0) return kept;
  const order = Uint32Array.from(kept.keys()).sort((a, b) => layer[a] - layer[b] || a - b);
  for (const place of order.subarray(0, count)) if (place > 0 || !spareClass) kept[place] = 0;
  return kept;
}

function mixingOf(fused: Float64Array, tokens: number, normalize: "row" | "official"): Float64Array {
  for (let i = 0; i < tokens; i++) fused[i * tokens + i] += 1;
  const mixing = fused.map((x) => x / 2);
  const sums = new Float64Array(tokens);
  for (let i = 0; i < mixing.length; i++) sums[Math.floor(i / tokens)] += mixing[i];
  return mixing.map((x, i) => x / sums[normalize === "row" ? Math.floor(i / tokens) : i % tokens]);
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = result.subarray(i * n, (i + 1) * n);
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k];
      const other = b.subarray(k * n, (k + 1) * n);
      if (factor !== 0) for (let j = 0; j < n; j++) row[j] += factor * other[j];
    }
  }
  return result;
}

/**
 * What the head's input is made of, [P]: the class token's row, the mean over the rows of the patches, or the rows weighted by
 * what the attention that pools gives each, `pool` [T].
 */
export function rolloutOfPatches(
  result: Float64Array,
  tokens: number,
  pooling: Pooling,
  patches = tokens - 1,
  firstPatch = 1,
  pool?: ArrayLike<number>,
): Float64Array {
  if (pooling === "cls") return result.slice(firstPatch, firstPatch + patches);
  const isPatch = (row: number) => row >= firstPatch && row < firstPatch + patches;
  const map = new Float64Array(patches);
  for (let row = 0; row < (pool?.length ?? tokens); row++) {
    const weight = pool ? pool[row] : isPatch(row) ? 1 / patches : 0;
    for (let patch = 0; patch < patches; patch++)
      map[patch] += weight * result[row * tokens + firstPatch + patch];
  }
  return map;
}
