import type { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { scaledDotProductAttention } from "../nn/attention";
import { type Context, inference } from "../nn/context";
import { normal } from "../nn/init";
import { LayerNorm, Linear } from "../nn/layers";
import { Module } from "../nn/module";
import { mergeHeads, splitHeads } from "../nn/ops";
import { Parameter } from "../nn/parameter";
import { type Activation, Mlp } from "./branches";
import type { ViTConfig } from "./vit";

/** What a pool is as wide as. */
type PoolConfig = Pick<ViTConfig, "dim" | "heads" | "mlpRatio" | "mlp" | "normEps">;

/**
 * One learned query that looks at all tokens, and an MLP behind it: pooled = a + mlp(norm a), a = attention(latent, x). Keys of
 * timm: `latent` [1, 1, D], `q`, `kv` [2D, D] (rows: keys, then values), `proj`, `norm`, `mlp.*`.
 * Reference: Zhai et al. 2022, "Scaling vision transformers"; timm layers/attention_pool.py AttentionPoolLatent; transformers
 * models/siglip SiglipMultiheadAttentionPoolingHead.
 */
export class AttentionPool extends Module {
  readonly latent: Parameter;
  readonly q: Linear;
  readonly kv: Linear;
  readonly proj: Linear;
  readonly norm: LayerNorm;
  readonly mlp: Mlp;

  constructor(
    private readonly config: PoolConfig,
    rng: Rng,
  ) {
    super();
    const { dim, mlpRatio, mlp, normEps } = config;
    const options = { initialize: normal(0.02) };
    this.latent = new Parameter([1, 1, dim], normal(dim ** -0.5), rng.uint32());
    this.q = new Linear(dim, dim, rng, options);
    this.kv = new Linear(dim, 2 * dim, rng, options);
    this.proj = new Linear(dim, dim, rng, options);
    this.norm = new LayerNorm(dim, normEps);
    const activation: Activation = mlp === undefined || mlp === "swiglu" ? "gelu" : mlp;
    this.mlp = new Mlp(dim, Math.round(dim * mlpRatio), rng, options.initialize, activation);
  }

  /** x [B, T, D] -> [B, D]. Sites `attn_pool.scores`, `.pattern` [B, H, 1, T], `.heads`, `attn_pool.mlp.out`. */
  forward(x: Tensor, context: Context = inference): Tensor {
    const [batch, , dim] = x.shape as [number, number, number];
    const { heads } = this.config;
    const latent = tf.tile(this.latent.value, [batch, 1, 1]);
    const query = splitHeads(this.q.forward(latent, context, "attn_pool.q"), heads);
    const [key, value] = tf.split(this.kv.forward(x, context, "attn_pool.kv"), 2, -1);
    const { tap, edit } = context;
    const seen = scaledDotProductAttention(query, splitHeads(key, heads), splitHeads(value, heads), {
      context: { tap, edit },
      name: "attn_pool",
    });
    const attended = this.proj.forward(mergeHeads(seen), context, "attn_pool.proj");
    const expanded = this.mlp.forward(this.norm.forward(attended), context, "attn_pool.mlp");
    return tf.reshape(tf.add(attended, expanded), [batch, dim]);
  }
}
