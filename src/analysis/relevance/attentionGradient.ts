import { type Tensor, tf } from "../../core/tf";
import type { Pooling } from "../../models/classifier";

/**
 * Relevance of every token for every token through one layer: the mean over heads of relu(gradient * pattern), the
 * product before relu and relu before the mean. [B, H, T, T] twice -> [B, T, T].
 * Reference: Chefer, Gur & Wolf 2021 (arXiv 2103.15679), rule 5; hila-chefer/Transformer-MM-Explainability.
 */
export function layerRelevance(pattern: Tensor, gradient: Tensor): Tensor {
  return tf.mean(tf.relu(tf.mul(gradient, pattern)), 1);
}

/** R <- R + C R from R = I, first layer first; nothing is normalized. [B, T, T] each -> [B, T, T]. Rule 6 of the same. */
export function accumulateRelevance(layers: readonly Tensor[]): Tensor {
  const [batch, tokens] = layers[0].shape as [number, number];
  const identity = tf.tile(tf.reshape(tf.eye(tokens), [1, tokens, tokens]), [batch, 1, 1]);
  return layers.reduce((relevance, layer) => tf.add(relevance, tf.matMul(layer, relevance)), identity);
}

/**
 * What the head's input is made of, patch by patch: the class token's row, or for mean pooling the mean over the rows of
 * the patches (an extension; the official code knows the class token only). relevance [B, T, T] -> [B, P].
 */
export function relevanceOfPatches(
  relevance: Tensor,
  pooling: Pooling,
  patches = relevance.shape[1]! - 1,
): Tensor {
  const batch = relevance.shape[0];
  if (pooling === "cls")
    return tf.reshape(tf.slice(relevance, [0, 0, 1], [batch, 1, patches]), [batch, patches]);
  return tf.mean(tf.slice(relevance, [0, 1, 1], [batch, patches, patches]), 1);
}
