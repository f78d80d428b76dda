import { type Tensor, tf } from "../core/tf";
import { type Context, site } from "../nn/context";
import { Linear, type RMSNorm } from "../nn/layers";
import { firstAlong, splitHeads, transposedByGroup } from "../nn/ops";
import { headSizes, type LlamaConfig } from "./llamaConfig";

/** What attention is made of, see `LlamaAttention`. */
export interface AttentionParts {
  readonly config: LlamaConfig;
  readonly wq: Linear;
  readonly wk: Linear;
  readonly wv: Linear;
  readonly q_norm?: RMSNorm;
  readonly k_norm?: RMSNorm;
  readonly vision?: object;
}

/** Whether one query is asked of attention whose keys are nothing but a product with the tokens. */
export function isForClassToken(
  { config, wk, k_norm, vision }: AttentionParts,
  { mask, cache }: Context,
  queries?: number,
): boolean {
  const isPlain = !config.rope && !config.causal && !mask && !cache && !vision && !k_norm;
  return queries === 1 && isPlain && wk instanceof Linear && !wk.bias;
}

/**
 * Attention of the first token alone, x [B, T, D] -> [B, H, 1, C], without the keys and values of the others, which take two
 * products of all tokens: q · (Wk x) is (Wkᵀ q) · x, and the sum of p Wv x is Wv of the sum of p x, the same up to rounding.
 * Sites as of `scaledDotProductAttention`, with one row.
 */
export function attendForClassToken(
  { config, wq, wk, wv, q_norm }: AttentionParts,
  x: Tensor,
  context: Context,
  name: string,
): Tensor {
  const { heads, kvHeads, headDim } = headSizes(config);
  const see = (part: string, value: Tensor) => site(context, `${name}.${part}`, value);
  const first = splitHeads(wq.forward(firstAlong(x, 1, 1), context, `${name}.wq`), heads);
  const query = tf.mul(q_norm ? q_norm.forward(first) : first, headDim ** -0.5);
  const [batch, tokens] = x.shape as [number, number];
  const asked = transposedByGroup(tf.reshape(query, [batch, heads, headDim]), wk.weight.value, kvHeads);
  const scores = see("scores", tf.reshape(tf.matMul(asked, x, false, true), [batch, heads, 1, tokens]));
  const pattern = see("pattern", tf.softmax(scores));
  const [passes] = pattern.shape; // an edit may have made several of one
  const mixed = tf.matMul(tf.reshape(pattern, [passes, heads, tokens]), x);
  const values = wv.forwardByGroup(mixed, kvHeads, context, `${name}.wv`);
  return see("heads", tf.reshape(values, [passes, heads, 1, headDim]));
}
