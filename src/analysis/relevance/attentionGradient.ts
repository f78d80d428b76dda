import { type Tensor, tf } from "../../core/tf";
import type { Pooling } from "../../models/classifier";
import { firstAlong } from "../../nn/ops";

/**
 * Relevance of every token for every token through one layer: the mean over heads of relu(gradient * pattern), the
 * product before relu and relu before the mean. [B, H, T, T] twice -> [B, T, T].
 * Reference: Chefer, Gur & Wolf 2021 (arXiv 2103.15679), rule 5; hila-chefer/Transformer-MM-Explainability.
 */
export function layerRelevance(pattern: Tensor, gradient: Tensor): Tensor {
  return tf.mean(tf.relu(tf.mul(gradient, pattern)), 1);
}

/**
 * R <- R + C R from R = I, first layer first; nothing is normalized. [B, T, T] each -> [B, T, T]; a last one of fewer rows
 * [B, N, T], of which the rest are not read, gives as many. Rule 6 of the same.
 */
export function accumulateRelevance(layers: readonly Tensor[]): Tensor {
  const [batch, , tokens] = layers[0].shape as [number, number, number];
  const identity = tf.tile(tf.reshape(tf.eye(tokens), [1, tokens, tokens]), [batch, 1, 1]);
  return layers.reduce(
    (relevance, layer) => tf.add(firstAlong(relevance, 1, layer.shape[1]), tf.matMul(layer, relevance)),
    identity,
  );
}

/**
 * What the head's input is made of, patch by patch: the class token's row, or for mean pooling the mean over the rows of
 * the patches (an extension; the official code knows the class token only), or, of a model that pools by attention, the rows
 * weighted by the relevance `pool` [B, 1, T] of that attention, one more layer. relevance [B, T, T] -> [B, P].
 */
export function relevanceOfPatches(
  relevance: Tensor,
  pooling: Pooling,
  patches = relevance.shape[2]! - 1,
  firstPatch = 1,
  pool?: Tensor,
): Tensor {
  const [batch, , tokens] = relevance.shape as [number, number, number];
  const rows = (from: number, count: number) => tf.slice(relevance, [0, from, 0], [batch, count, tokens]);
  const ofPatches = (row: Tensor) =>
    tf.reshape(tf.slice(row, [0, 0, firstPatch], [batch, 1, patches]), [batch, patches]);
  if (pool) return ofPatches(tf.matMul(pool, rows(0, pool.shape[2]!)));
  if (pooling === "cls") return ofPatches(rows(0, 1));
  return ofPatches(tf.mean(rows(firstPatch, patches), 1, true));
}
