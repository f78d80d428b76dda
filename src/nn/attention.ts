import { type Tensor, tf } from "../core/tf";
import type { Tap } from "./context";

export interface AttentionOptions {
  /** Each position sees only itself and earlier ones. */
  causal?: boolean;
  /** Receives the pattern [B, H, T, T] (rows sum to 1) under `tapName`. */
  tap?: Tap;
  tapName?: string;
}

/**
 * softmax(q kᵀ / sqrt(C)) v per head: query, key, value [B, H, T, C] -> [B, H, T, C].
 * Source: LUViT eq. 2; timm 0.3.2 Attention.
 */
export function attend(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions = {}): Tensor {
  const { causal = false, tap, tapName = "pattern" } = options;
  const channels = query.shape[3]!;
  const scores = tf.matMul(tf.mul(query, channels ** -0.5), key, false, true);
  const pattern = tf.softmax(causal ? tf.add(scores, causalMask(query.shape[2]!)) : scores);
  tap?.(tapName, pattern);
  return tf.matMul(pattern, value);
}

/** [T, T] with 0 on and below the diagonal and a large negative number above it. */
function causalMask(tokens: number): Tensor {
  const mask = new Float32Array(tokens * tokens);
  for (let query = 0; query < tokens; query++) {
    mask.fill(-1e9, query * tokens + query + 1, (query + 1) * tokens);
  }
  return tf.tensor(mask, [tokens, tokens]);
}
