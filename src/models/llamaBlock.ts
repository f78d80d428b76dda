import type { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { inBlock } from "../graph";
import type { RowOrder } from "../io/keymap";
import { attend } from "../nn/attention";
import { type Context, inference } from "../nn/context";
import { normal } from "../nn/init";
import { Linear, RMSNorm } from "../nn/layers";
import { Module } from "../nn/module";
import { gatedSilu, mergeHeads, splitHeads } from "../nn/ops";
import { rotate } from "./rotary";

/** Shape and switches of a LLaMA block. */
export interface LlamaConfig {
  dim: number;
  heads: number;
  hiddenDim: number;
  /** 1e-6 for LLaMA-1, 1e-5 for LLaMA-2. */
  normEps: number;
  ropeTheta: number;
  /** Each token sees only earlier ones. LUViT: false. */
  causal: boolean;
  /** Rotary position embedding. LUViT: false. */
  rope: boolean;
  /** How q and k rows are ordered; matters for RoPE and for moving LoRA between formats. */
  rowOrder: RowOrder;
}

/** LLaMA-7B's shape with LUViT's switches: every token sees every other, no rotation. */
export const llama7b: Readonly<LlamaConfig> = {
  dim: 4096,
  heads: 32,
  hiddenDim: 11008,
  normEps: 1e-6,
  ropeTheta: 10000,
  causal: false,
  rope: false,
  rowOrder: "hf",
};

/** 256-rounded SwiGLU width: LLaMA's hidden size for a model width. */
export function swigluWidth(dim: number, multipleOf = 256): number {
  return multipleOf * Math.ceil(Math.trunc((2 * 4 * dim) / 3) / multipleOf);
}

const bare = { bias: false, initialize: normal(0.02) };

/** Keys `wq`, `wk`, `wv`, `wo` [dim, dim], no biases. */
export class LlamaAttention extends Module {
  wq: Linear;
  wk: Linear;
  wv: Linear;
  wo: Linear;

  constructor(
    readonly config: LlamaConfig,
    rng: Rng,
  ) {
    super();
    [this.wq, this.wk, this.wv, this.wo] = [0, 1, 2, 3].map(
      () => new Linear(config.dim, config.dim, rng, bare),
    );
  }

  /** x [B, T, D] -> [B, T, D]. Taps `<name>.pattern` [B, H, T, T]. */
  forward(x: Tensor, context: Context, name: string): Tensor {
    const { heads, causal, rope } = this.config;
    const split = (projection: Linear) => splitHeads(projection.forward(x), heads);
    const turn = (t: Tensor) => (rope ? rotate(t, this.config) : t);
    const options = { causal, tap: context.tap, tapName: `${name}.pattern` };
    const mixed = attend(turn(split(this.wq)), turn(split(this.wk)), split(this.wv), options);
    return this.wo.forward(mergeHeads(mixed));
  }
}

/** SwiGLU: w2(silu(w1 x) * w3 x). Keys `w1` (gate), `w2` (down), `w3` (up). */
export class LlamaFeedForward extends Module {
  w1: Linear;
  w2: Linear;
  w3: Linear;

  constructor({ dim, hiddenDim }: LlamaConfig, rng: Rng) {
    super();
    this.w1 = new Linear(dim, hiddenDim, rng, bare);
    this.w2 = new Linear(hiddenDim, dim, rng, bare);
    this.w3 = new Linear(dim, hiddenDim, rng, bare);
  }

  forward(x: Tensor): Tensor {
    return this.w2.forward(gatedSilu(this.w1.forward(x), this.w3.forward(x)));
  }
}

/** h = x + attention(norm x); out = h + feed_forward(norm h). Reference: facebookresearch/llama (v1) model.py. */
export class LlamaLayer extends Module {
  readonly attention: LlamaAttention;
  readonly feed_forward: LlamaFeedForward;
  readonly attention_norm: RMSNorm;
  readonly ffn_norm: RMSNorm;

  constructor(
    readonly config: LlamaConfig,
    rng: Rng,
  ) {
    super();
    this.attention = new LlamaAttention(config, rng);
    this.feed_forward = new LlamaFeedForward(config, rng);
    this.attention_norm = new RMSNorm(config.dim, config.normEps);
    this.ffn_norm = new RMSNorm(config.dim, config.normEps);
  }

  /** x [B, T, D] -> [B, T, D]. */
  forward(x: Tensor, context: Context = inference, name = "layers.0"): Tensor {
    const attended = this.attention.forward(this.attention_norm.forward(x), context, `${name}.attention`);
    const middle = tf.add(x, attended);
    return tf.add(middle, this.feed_forward.forward(this.ffn_norm.forward(middle)));
  }
}

/**
 * One or more LLaMA blocks in a row, with the original release's names: `layers.0.attention.wq.weight`, ….
 * Made by `llama.loadBlock` (from a checkpoint) or `llama.randomBlock` (the paper's random-init baseline).
 */
export class LlamaBlock extends Module {
  readonly layers: LlamaLayer[];
  /** RMSNorm after the blocks; ones and frozen in LUViT, absent when the fusion asks for none. */
  norm?: RMSNorm;

  constructor(
    readonly config: LlamaConfig,
    depth: number,
    rng: Rng,
    /** For people: where the weights come from. */
    readonly origin: string,
    /** Number of each block in the language model it came from, counted from 0; names adapters after it. */
    readonly layerIndices: readonly number[] = Array.from({ length: depth }, (_, i) => i),
  ) {
    super();
    this.layers = Array.from({ length: depth }, () => new LlamaLayer(config, rng));
  }

  /** The same layers with, or without, a norm behind them: what one model's fusion path holds. */
  withNorm(norm: RMSNorm | undefined): LlamaBlock {
    return Object.assign(Object.create(LlamaBlock.prototype) as LlamaBlock, this, { norm });
  }

  /** x [B, T, D] -> [B, T, D]. Taps `<name>.layers.k.attention.pattern`. */
  forward(x: Tensor, context: Context = inference, name = "llama"): Tensor {
    const out = this.layers.reduce((h, layer, i) => {
      const path = `${name}.layers.${i}`;
      return inBlock(path, () => layer.forward(h, context, path));
    }, x);
    return this.norm ? this.norm.forward(out) : out;
  }

  override toString(): string {
    const { dim, heads } = this.config;
    return `${super.toString().slice(0, -1)}, dim ${dim}, ${heads} heads, from ${this.origin})`;
  }
}
