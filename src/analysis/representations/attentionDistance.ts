import { checkOptions, object, share, such } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import type { MapSize } from "../relevance/display";

/** Pixels between the centers of patches, [P × P]. */
export function patchDistances({ rows, columns }: MapSize, patchSize: number): Float32Array {
  const count = rows * columns;
  return Float32Array.from({ length: count * count }, (_, i) => {
    const [a, b] = [Math.floor(i / count), i % count];
    const down = Math.floor(a / columns) - Math.floor(b / columns);
    return patchSize * Math.hypot(down, (a % columns) - (b % columns));
  });
}

/**
 * How far each head looks, in pixels: the mean over patch queries of the distances to patch keys, weighted by the
 * attention; the class token's row and column, where there is one, are cut. pattern [B, H, T, T], distances [P, P] -> [B, H]. The rest is not
 * rescaled, so a head that looks at the class token seems near; with `rescale` every query's weights on patches sum to 1.
 * Reference: Dosovitskiy et al. 2021, appendix D.7; sayakpaul/probing-vits.
 */
export function meanDistance(pattern: Tensor, distances: Tensor, rescale = false, firstPatch = 1): Tensor {
  const [batch, heads] = pattern.shape as [number, number, number, number];
  const patches = distances.shape[0];
  const weights = tf.slice(pattern, [0, 0, firstPatch, firstPatch], [batch, heads, patches, patches]);
  const shares = rescale ? tf.div(weights, tf.sum(weights, -1, true)) : weights;
  return tf.mean(tf.sum(tf.mul(shares, distances), -1), -1);
}

const weightRow = such<ArrayLike<number>>("weights, an array of numbers from 0", (value) => {
  const isRow = Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
  return isRow && Array.prototype.every.call(value, (x) => Number.isFinite(x) && x >= 0);
});

/**
 * The largest weights that together hold `mass` of their sum, 1 where kept, [P]; the one that crosses the border is kept.
 * Reference: Caron et al. 2021 (DINO), visualize_attention.py.
 */
export function massMask(weights: ArrayLike<number>, mass: number): Uint8Array {
  checkOptions("massMask", weightRow, weights);
  checkOptions("massMask", object({ mass: share }, {}), { mass });
  const order = Uint32Array.from({ length: weights.length }, (_, i) => i).sort(
    (a, b) => weights[a] - weights[b] || a - b,
  );
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i];
  const kept = new Uint8Array(weights.length);
  let sum = 0;
  for (const place of order) {
    sum += weights[place] / total;
    kept[place] = Number(sum > 1 - mass);
  }
  return kept;
}
