import { checkOptions, partsWith, shaped, such } from "../core/options";
import { rngField } from "../core/options/rng";
import type { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { inBlock } from "../graph/scopes";
import { rotaryFrequencies } from "../io/llama";
import { type AttentionOptions, scaledDotProductAttention } from "../nn/attention";
import { type Context, inference, site } from "../nn/context";
import { normal } from "../nn/init";
import { Linear, RMSNorm } from "../nn/layers";
import { Module } from "../nn/module";
import { firstAlong, gatedSilu, mergeHeads, splitHeads } from "../nn/ops";
import { attendForClassToken, isForClassToken } from "./classTokenAttention";
import type { BlockSource } from "./config";
import { blocksOfLlama, headSizes, type LlamaConfig } from "./llamaConfig";
import { has } from "./options";
import { rotate } from "./rotary";
import { byRange, type QkvName, type VisionQkv } from "./visionQkv";

export const llamaBlockField = such<LlamaBlocks>(
  "a LLaMA block, from llama.loadBlock or baselines.randomBlock",
  (value) => has(value, "config", "layers", "withNorm"),
);

const shape = shaped<LlamaConfig>("the shape of a LLaMA { dim, heads, … }", "dim", "heads");

const linear = (inputs: number, outputs: number, rng: Rng, bias = false) =>
  new Linear(inputs, outputs, rng, { bias, initialize: normal(0.02) });

/**
 * Keys `wq` [H C, D], `wk`, `wv` [G C, D], `wo` [D, H C] with H heads of queries, G of keys, C wide; biases and
 * `q_norm`, `k_norm` [C] where the config says so.
 */
export class LlamaAttention extends Module {
  wq: Linear;
  wk: Linear;
  wv: Linear;
  wo: Linear;
  readonly q_norm?: RMSNorm;
  readonly k_norm?: RMSNorm;
  /** Projections of their own for tokens of images; absent where all tokens have the same. */
  vision?: VisionQkv;

  constructor(
    readonly config: LlamaConfig,
    rng: Rng,
  ) {
    super();
    checkOptions("LlamaAttention", shape, config);
    checkOptions("LlamaAttention", rngField, rng);
    const { heads, kvHeads, headDim } = headSizes(config);
    const { dim, qkvBias, outputBias, qkNorm, normEps } = config;
    if (config.rope) rotaryFrequencies(headDim, config.ropeTheta, config.ropeScaling); // says now what is not supported
    this.wq = linear(dim, heads * headDim, rng, qkvBias);
    this.wk = linear(dim, kvHeads * headDim, rng, qkvBias);
    this.wv = linear(dim, kvHeads * headDim, rng, qkvBias);
    this.wo = linear(heads * headDim, dim, rng, outputBias);
    if (qkNorm) [this.q_norm, this.k_norm] = [new RMSNorm(headDim, normEps), new RMSNorm(headDim, normEps)];
  }

  protected override transparentFields(): readonly string[] {
    return ["vision"];
  }

  /** x [B, T, D] -> [B, N, D], N the first `queries` tokens. Sites `<name>.out` and those of `scaledDotProductAttention`. */
  forward(x: Tensor, context: Context, name: string, queries?: number): Tensor {
    const merged = mergeHeads(
      isForClassToken(this, context, queries)
        ? attendForClassToken(this, x, context, name)
        : firstAlong(this.attend(x, context, name), 2, queries),
    );
    return site(context, `${name}.out`, this.wo.forward(merged, context, `${name}.wo`));
  }

  /** x [B, T, D] -> what the heads hand over [B, H, T, C]. */
  private attend(x: Tensor, context: Context, name: string): Tensor {
    const { rope } = this.config;
    const { heads, kvHeads } = headSizes(this.config);
    const split = (part: QkvName, count: number) => splitHeads(this.project(x, part, context, name), count);
    const { cache } = context;
    const positions = cache?.positions && { at: cache.positions, most: cache.capacity };
    const turn = (t: Tensor) => (rope ? rotate(t, this.config, positions) : t);
    const q = turn(normed(split("wq", heads), this.q_norm));
    const k = turn(normed(split("wk", kvHeads), this.k_norm));
    const v = split("wv", kvHeads);
    const { key, value } = cache?.extend(name, k, v) ?? { key: k, value: v };
    const options = { ...this.visibility(context), context, name };
    return scaledDotProductAttention(q, key, value, options);
  }

  /** x [B, T, D] -> [B, T, H C], tokens of images by their own projection where there is one. */
  private project(x: Tensor, part: QkvName, context: Context, name: string): Tensor {
    const { vision } = this;
    const text = (tokens: Tensor) => this[part].forward(tokens, context, `${name}.${part}`);
    if (!vision || !context.visual) return text(x);
    return byRange(x, context.visual, text, (tokens) => vision.project(part, tokens, text));
  }

  /** Which tokens see which: what the pass says, else what the config does. */
  private visibility({ mask }: Context): AttentionOptions {
    const { causal, slidingWindow: window } = this.config;
    return mask ? { mask } : { causal, window };
  }
}

function normed(x: Tensor, norm: RMSNorm | undefined): Tensor {
  return norm ? norm.forward(x) : x;
}

/** SwiGLU: w2(silu(w1 x) * w3 x). Keys `w1` (gate), `w2` (down), `w3` (up). */
export class LlamaFeedForward extends Module {
  w1: Linear;
  w2: Linear;
  w3: Linear;

  constructor(config: LlamaConfig, rng: Rng) {
    super();
    checkOptions("LlamaFeedForward", shape, config);
    checkOptions("LlamaFeedForward", rngField, rng);
    const { dim, hiddenDim, mlpBias } = config;
    this.w1 = linear(dim, hiddenDim, rng, mlpBias);
    this.w2 = linear(hiddenDim, dim, rng, mlpBias);
    this.w3 = linear(dim, hiddenDim, rng, mlpBias);
  }

  /** x [..., D] -> [..., D]. Site `<name>.out`. */
  forward(x: Tensor, context: Context = inference, name = "feed_forward"): Tensor {
    const wide = (part: "w1" | "w3") => this[part].forward(x, context, `${name}.${part}`);
    const down = this.w2.forward(gatedSilu(wide("w1"), wide("w3")), context, `${name}.w2`);
    return site(context, `${name}.out`, down);
  }
}

/**
 * h = x + attention(norm x); out = h + feed_forward(norm h).
 * Reference: facebookresearch/llama (v1) model.py; transformers models/{llama,mistral,qwen2,qwen3}.
 */
export class LlamaBlock extends Module {
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

  /** x [B, T, D] -> [B, N, D], N the first `queries` tokens, default all. Sites `<name>.*`. */
  forward(x: Tensor, context: Context = inference, name = "layers.0", queries?: number): Tensor {
    const see = (part: string, value: Tensor) => site(context, `${name}.${part}`, value);
    const normal = see("attention_norm", this.attention_norm.forward(x));
    const attended = this.attention.forward(normal, context, `${name}.attention`, queries);
    const middle = see("middle", tf.add(firstAlong(x, 1, queries), attended));
    const inner = see("ffn_norm", this.ffn_norm.forward(middle));
    const expanded = this.feed_forward.forward(inner, context, `${name}.feed_forward`);
    return see("out", tf.add(middle, expanded));
  }
}

/**
 * One or more LLaMA blocks in a row, with the original release's names: `layers.0.attention.wq.weight`, ….
 * Made by `llama.loadBlock` (from a checkpoint) or `llama.randomBlock` (the paper's random-init baseline).
 */
export class LlamaBlocks extends Module {
  readonly layers: LlamaBlock[];
  /** RMSNorm after the blocks; ones and frozen in LUViT, absent when the fusion asks for none. */
  norm?: RMSNorm;
  readonly config: LlamaConfig;
  /** For people: where the weights come from. */
  readonly origin: string;
  /** Number of each block in the language model it came from, counted from 0; names adapters after it. */
  readonly layerIndices: readonly number[];
  /** Where it can be read again. */
  readonly from?: Pick<BlockSource, "checkpoint" | "options">;

  constructor(parts: {
    config: LlamaConfig;
    depth: number;
    rng: Rng;
    origin: string;
    layerIndices?: readonly number[];
    from?: Pick<BlockSource, "checkpoint" | "options">;
  }) {
    super();
    checkOptions("LlamaBlocks", partsWith("config", "depth", "rng", "origin"), parts);
    const {
      config,
      depth,
      rng,
      origin,
      layerIndices = Array.from({ length: depth }, (_, i) => i),
      from,
    } = parts;
    this.config = config;
    this.origin = origin;
    this.layerIndices = layerIndices;
    this.from = from;

    checkOptions("LlamaBlock", blocksOfLlama, { config, depth });
    this.layers = Array.from({ length: depth }, () => new LlamaBlock(config, rng));
  }

  /** The same layers with, or without, a norm behind them: what one model's fusion path holds. */
  withNorm(norm: RMSNorm | undefined): LlamaBlocks {
    return Object.assign(Object.create(LlamaBlocks.prototype) as LlamaBlocks, this, { norm });
  }

  /** Where its weights come from, as models are saved with it. */
  get source(): BlockSource {
    const { checkpoint = null, options = {} } = this.from ?? {};
    return { checkpoint, blocks: this.layerIndices.map((i) => i + 1), options, origin: this.origin };
  }

  /** x [B, T, D] -> [B, N, D], of the last layer the first `queries` tokens, default all. Sites `<name>.layers.k.*`. */
  forward(x: Tensor, context: Context = inference, name = "llama", queries?: number): Tensor {
    const out = this.layers.reduce((h, layer, i) => {
      const path = `${name}.layers.${i}`;
      const own = i === this.layers.length - 1 ? queries : undefined;
      return inBlock(path, () => layer.forward(h, context, path, own));
    }, x);
    return this.norm ? this.norm.forward(out) : out;
  }

  override toString(): string {
    const { dim, heads, kvHeads = heads } = this.config;
    const counts = kvHeads === heads ? `${heads} heads` : `${heads} heads of queries on ${kvHeads} of keys`;
    return `${super.toString().slice(0, -1)}, dim ${dim}, ${counts}, from ${this.origin})`;
  }
}
