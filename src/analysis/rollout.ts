import { checkOptions } from "../core/options";
import { type Tensor, tensorField, tf } from "../core/tf";

/**
 * Attention rollout through one more layer: how much of each input token is in each token after it, when half of every
 * token comes past the attention on the residual path. pattern [B, H, T, T], before [B, T, T] (none: the first layer)
 * -> [B, T, T], rows sum to 1. Reference: Abnar & Zuidema 2020, eq. 1 and section 3 (mean over heads).
 */
export function rolloutThrough(pattern: Tensor, before?: Tensor): Tensor {
  checkOptions("rolloutThrough", tensorField, pattern);
  const mixing = tf.mul(tf.add(tf.mean(pattern, 1), tf.eye(pattern.shape[2]!)), 0.5);
  return before ? tf.matMul(mixing, before) : mixing;
}
