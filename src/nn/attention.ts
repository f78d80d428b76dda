import { LuvitError } from "../core/errors";
import { formatShape } from "../core/hostTensor";
import { checkOptions, flag, optionsOf, shaped, text, whole } from "../core/options";
import { type Tensor, tensorField, tf } from "../core/tf";
import { UNSEEN } from "./attentionMask";
import { attendInChunks, MOST_SCORES } from "./chunkedAttention";
import { type Context, inference, site } from "./context";

export interface AttentionOptions {
  /** Each position sees only itself and earlier ones. */
  causal?: boolean;
  /** With `causal`: how many positions each sees at most, itself included. */
  window?: number;
  /**
   * Added to the scores, [T, T] or [B, 1, T, T]: 0 where a query (row) sees a key (column), else a large negative number;
   * from `AttentionMask.tensor`. With `causal` a key must pass both.
   */
  mask?: Tensor;
  /** Sees `<name>.scores` and `<name>.pattern` [B, H, T, T] (rows sum to 1), and `<name>.heads` [B, H, T, C]. */
  context?: Pick<Context, "tap" | "edit">;
  /** Default "attention". */
  name?: string;
}

export const attentionOptions = optionsOf<AttentionOptions>(
  {},
  {
    causal: flag,
    window: whole(1),
    mask: tensorField,
    context: shaped("a context { tap, edit }"),
    name: text,
  },
);

/**
 * softmax(q kᵀ / sqrt(C)) v per head: query [B, H, T, C], key and value [B, G, T, C] -> [B, H, T, C]. With fewer heads of
 * keys than of queries, query head h meets key head floor(h G / H): grouped-query attention. The queries of a group are
 * laid one after another as rows of one product, so that keys and values are not repeated in memory. Where all scores
 * together are large, some queries are computed at a time.
 * Reference: LUViT eq. 2; timm 0.3.2 Attention; Ainslie et al. 2023, "GQA".
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  checkOptions("attend", attentionOptions, options);
  checkOptions("attend", tensorField, query);
  checkOptions("attend", tensorField, key);
  checkOptions("attend", tensorField, value);
  const { causal = false, window, mask, context = inference, name = "attention" } = options;
  const [batch, heads, tokens, channels] = query.shape as [number, number, number, number];
  const groups = key.shape[1]!;
  const gather = (x: Tensor) =>
    heads === groups ? x : tf.reshape(x, [batch, groups, (heads / groups) * tokens, x.shape[3]!]);
  const spread = (x: Tensor) => (heads === groups ? x : tf.reshape(x, [batch, heads, tokens, x.shape[3]!]));
  const isSeen = context.tap !== undefined || context.edit !== undefined;
  const isLarge = batch * heads * tokens * key.shape[2]! > MOST_SCORES;
  if (isLarge && !isSeen && !causal && !mask) return spread(attendInChunks(gather(query), key, value));
  const see = (part: string, x: Tensor) => site(context, `${name}.${part}`, x);
  const scores = see("scores", spread(tf.matMul(tf.mul(gather(query), channels ** -0.5), key, false, true)));
  if (mask) expectMask(mask, scores);
  const masks = [...(causal ? [causalMask(tokens, window)] : []), ...(mask ? [mask] : [])];
  const pattern = see("pattern", tf.softmax(masks.reduce((sum, one) => tf.add(sum, one), scores)));
  return see("heads", spread(tf.matMul(gather(pattern), value)));
}

function expectMask(mask: Tensor, scores: Tensor): void {
  const [batch, , queries, keys] = scores.shape;
  const fits = [
    [queries, keys],
    [batch, 1, queries, keys],
  ].map((shape) => formatShape(shape as number[]));
  if (fits.includes(formatShape(mask.shape))) return;
  throw new LuvitError(
    "shape-mismatch",
    `attention mask: expected ${fits.join(" or ")}, got ${formatShape(mask.shape)}`,
  );
}

/** [T, T] with a large negative number where a key comes after the query, or `window` or more before it, else 0. */
function causalMask(tokens: number, window = tokens): Tensor {
  const mask = new Float32Array(tokens * tokens);
  for (let query = 0; query < tokens; query++) {
    const row = mask.subarray(query * tokens, (query + 1) * tokens);
    row.fill(UNSEEN, query + 1);
    row.fill(UNSEEN, 0, Math.max(0, query - window + 1));
  }
  return tf.tensor(mask, [tokens, tokens]);
}
