import { type Tensor, tf } from "../core/tf";
import type { Classifier } from "../models/classifier";
import type { Context } from "../nn/context";
import { firstAlong } from "../nn/ops";

/** Patches among so many tokens: without the class token and the registers. */
export function patchesAmong({ encoder }: Pick<Classifier, "encoder">, tokens: number): number {
  return tokens - encoder.firstPatch - (encoder.config.registers ?? 0);
}

/** tokens [B, T, D] -> [B, D]: the mean over the patches. */
export function meanOfPatches(model: Pick<Classifier, "encoder">, tokens: Tensor): Tensor {
  const [batch, count, dim] = tokens.shape as [number, number, number];
  const size = [batch, patchesAmong(model, count), dim];
  return tf.mean(tf.slice(tokens, [0, model.encoder.firstPatch, 0], size), 1);
}

/** One layer with attention on a model's way from the embedded patches to its tokens. */
export interface Stage {
  /** "blocks.11", "llama.layers.0". */
  readonly layer: string;
  /** Names of its input and of its output in a forward pass. */
  readonly input: string;
  readonly output: string;
  /** Name of its attention pattern. */
  readonly pattern: string;
  /** x [B, T, D] -> [B, N, D], N the first `queries` tokens, default all. */
  run(x: Tensor, context: Context, queries?: number): Tensor;
}

/** Tells a pass that only the answer is read: of a class token's model nothing but that token is computed of the last layer. */
export function forAnswer({ pooling }: Pick<Classifier, "pooling">): Pick<Context, "lastQueries"> {
  return pooling === "cls" ? { lastQueries: 1 } : {};
}

/** A model's layers with attention, in the order in which they run. */
export function stagesOf({ encoder }: Pick<Classifier, "encoder">): Stage[] {
  const { blocks, fusion } = encoder;
  const after = fusion?.plan.after ?? blocks.length;
  const vit = blocks.map((block, k): Stage => {
    const layer = `blocks.${k}`;
    const before = k === 0 ? "embed" : `blocks.${k - 1}.out`;
    const input = fusion && k === after ? "fusion.out" : before;
    const run: Stage["run"] = (x, context, queries) => block.forward(x, context, layer, 0, queries);
    return { layer, input, output: `${layer}.out`, pattern: `${layer}.attn.pattern`, run };
  });
  const llama = (fusion?.llama?.layers ?? []).map((block, k): Stage => {
    const layer = `llama.layers.${k}`;
    const input = k === 0 ? "fusion.mapper1" : `llama.layers.${k - 1}.out`;
    const run: Stage["run"] = (x, context, queries) => block.forward(x, context, layer, queries);
    return { layer, input, output: `${layer}.out`, pattern: `${layer}.attention.pattern`, run };
  });
  return [...vit.slice(0, after), ...llama, ...vit.slice(after)];
}

/** Whether a value of this name has the language model's width. */
export function isWide(name: string): boolean {
  return name.startsWith("llama.") || name === "fusion.mapper1" || name === "fusion.block";
}

/**
 * What a residual-stream value would be if the model ended there, at the ViT's width [B, T, D]: values inside the fusion
 * path go through the language block's norm, mapper 2 and, where the path has one, the residual from `entering`.
 */
export function asEnd(model: Classifier, name: string, value: Tensor, entering?: Tensor): Tensor {
  const { fusion } = model.encoder;
  if (!fusion || !isWide(name)) return value;
  const normed = fusion.llama?.norm && name !== "fusion.block" ? fusion.llama.norm.forward(value) : value;
  const narrow = fusion.llama_dim_mapper2.forward(normed);
  return fusion.plan.residual && entering ? tf.add(firstAlong(entering, 1, value.shape[1]), narrow) : narrow;
}

function normed({ fc_norm, encoder }: Classifier, x: Tensor): Tensor {
  const norm = fc_norm ?? encoder.norm;
  return norm ? norm.forward(x) : x;
}

/**
 * What the head would be given of each token if it were the only one: through the final norm (`fc_norm`, or the encoder's
 * `norm`) and, where the model pools by attention, through that. [B, T, D] -> [B, T, D].
 */
export function readTokens(model: Classifier, x: Tensor): Tensor {
  const each = normed(model, x);
  if (!model.attn_pool) return each;
  const [batch, tokens, dim] = x.shape as [number, number, number];
  const alone = tf.reshape(each, [batch * tokens, 1, dim]);
  return tf.reshape(model.attn_pool.forward(alone), [batch, tokens, dim]);
}

/** The model's own answer to tokens [B, T, D] -> [B, K]: its pooling, norm and head. */
export function answerTo(model: Classifier, tokens: Tensor): Tensor {
  // Without registers, which a class token that stands alone has not. Its norm is its own, so it may come after the pooling.
  const count = tokens.shape[1]! - (model.encoder.config.registers ?? 0);
  const own = firstAlong(tokens, 1, Math.max(1, count));
  if (model.attn_pool) return model.head.forward(model.poolTokens(normed(model, own)));
  return model.head.forward(normed(model, model.poolTokens(own)));
}
