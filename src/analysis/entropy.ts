import { checkOptions } from "../core/options";
import { type Tensor, tensorField, tf } from "../core/tf";

/**
 * Shannon entropy (natural log, nats) of each attention row: pattern [B, H, Q, T] -> [B, H, Q]. Per head, over all T
 * keys, the class key among them; upper bound ln T. Reference: LUViT eq. 3; Zhai et al. 2023.
 */
export function rowEntropy(pattern: Tensor): Tensor {
  checkOptions("rowEntropy", tensorField, pattern);
  const logs = tf.log(tf.maximum(pattern, 1e-30));
  return tf.neg(tf.sum(tf.mul(pattern, logs), -1));
}

/** Entropy of the patch queries: pattern [B, H, T, T], class token first -> [B, H, T-1]. */
export function patchEntropy(pattern: Tensor): Tensor {
  const [batch, heads, tokens] = pattern.shape as [number, number, number, number];
  return tf.slice(rowEntropy(pattern), [0, 0, 1], [batch, heads, tokens - 1]);
}

/** Entropies per head [H*P] of one image -> mean over heads [P]. Never the entropy of the head-averaged map. */
export function meanOverHeads(perHead: ArrayLike<number>, heads: number): Float64Array {
  const patches = perHead.length / heads;
  const mean = new Float64Array(patches);
  for (let i = 0; i < perHead.length; i++) mean[i % patches] += perHead[i] / heads;
  return mean;
}

/** Mean entropy over foreground and over background cells of one image; null where that set is empty. */
export interface RegionMeans {
  foreground: number | null;
  background: number | null;
}

/** values [P], foreground [P] (1 = foreground), `counted` [P] (0 = ignored cell, neither), all cells by default. */
export function regionMeans(
  values: ArrayLike<number>,
  foreground: ArrayLike<number>,
  counted?: ArrayLike<number>,
): RegionMeans {
  const sums = [0, 0];
  const counts = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (counted && !counted[i]) continue;
    const region = foreground[i] ? 1 : 0;
    sums[region] += values[i];
    counts[region]++;
  }
  const mean = (region: number) => (counts[region] > 0 ? sums[region] / counts[region] : null);
  return { foreground: mean(1), background: mean(0) };
}

/** The paper's headline: how often the background's entropy is above the foreground's. */
export interface EntropyShare {
  /** Percent of counted images. */
  percentBackgroundGreater: number;
  counted: number;
  /** Images without any foreground or without any background cell; the share is undefined for them. */
  skipped: number;
}

export function backgroundShare(images: readonly RegionMeans[]): EntropyShare {
  const defined = images.filter(({ foreground, background }) => foreground !== null && background !== null);
  const greater = defined.filter(({ foreground, background }) => background! > foreground!).length;
  return {
    percentBackgroundGreater: defined.length === 0 ? Number.NaN : (100 * greater) / defined.length,
    counted: defined.length,
    skipped: images.length - defined.length,
  };
}
