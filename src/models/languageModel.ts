import { LuvitError } from "../core/errors";
import { checkOptions, flag, optionsOf, whole } from "../core/options";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { inBlock } from "../graph/scopes";
import { type Context, inference } from "../nn/context";
import { normal } from "../nn/init";
import { Linear, RMSNorm } from "../nn/layers";
import { Module } from "../nn/module";
import { linear } from "../nn/ops";
import { Parameter } from "../nn/parameter";
import type { LanguageModelDescription, LanguageModelFileConfig } from "./config";
import { describeLlama } from "./describe";
import { LlamaBlock } from "./llamaBlock";
import { type LlamaConfig, llamaConfig } from "./llamaConfig";
import { seedOption } from "./options";
import { SavableModel } from "./savable";

/** Sizes of a whole language model: those of its blocks, their number, and the vocabulary. */
export interface LanguageModelConfig extends LlamaConfig {
  depth: number;
  vocabulary: number;
  /** The output layer is the token table. Default false. */
  tiedEmbeddings?: boolean;
  /** How many tokens it can read one after another; left out, nothing says it. */
  maxPositions?: number;
}

export const languageModelConfig = optionsOf<LanguageModelConfig>(
  { ...llamaConfig.required, depth: whole(1, 10_000), vocabulary: whole(2, 100_000_000) },
  { ...llamaConfig.optional, tiedEmbeddings: flag, maxPositions: whole(1) },
);

/** A token table; key `weight` [V, D]. */
export class Embedding extends Module {
  readonly weight: Parameter;

  constructor(vocabulary: number, dim: number, rng: Rng) {
    super();
    this.weight = new Parameter([vocabulary, dim], normal(0.02), rng.uint32());
  }

  /** ids int32 [B, T] -> [B, T, D]. */
  forward(ids: Tensor): Tensor {
    const [vocabulary, dim] = this.weight.shape;
    const flat = tf.reshape(ids, [-1]) as tf.Tensor1D;
    return tf.reshape(tf.gather(tf.reshape(this.weight.value, [vocabulary, dim]), flat), [...ids.shape, dim]);
  }
}

/**
 * A whole LLaMA language model, small enough to train here: where the toy block that LUViT unlocks comes from.
 * Keys of the original release: `tok_embeddings.weight`, `layers.*`, `norm.weight`, and `output.weight` where it is not the
 * token table.
 */
export class LlamaLanguageModel extends SavableModel {
  readonly tok_embeddings: Embedding;
  readonly layers: LlamaBlock[];
  readonly norm: RMSNorm;
  readonly output?: Linear;

  constructor(
    readonly config: LanguageModelConfig,
    seed = 0,
  ) {
    super();
    checkOptions("LlamaLanguageModel", languageModelConfig, config);
    checkOptions("LlamaLanguageModel", seedOption, { seed });
    const rng = new Rng(seed).fork("language model");
    this.tok_embeddings = new Embedding(config.vocabulary, config.dim, rng);
    this.layers = Array.from({ length: config.depth }, () => new LlamaBlock(config, rng));
    this.norm = new RMSNorm(config.dim, config.normEps);
    if (!config.tiedEmbeddings)
      this.output = new Linear(config.dim, config.vocabulary, rng, { bias: false, initialize: normal(0.02) });
  }

  override describe(): LanguageModelFileConfig {
    return { modelType: "luvit-language-model", ...this.sizes(), ...this.describeCommon() };
  }

  /** What it computes with. */
  sizes(): LanguageModelDescription {
    const { depth, vocabulary, tiedEmbeddings, maxPositions } = this.config;
    const tied = tiedEmbeddings ? ({ tiedEmbeddings } as const) : {};
    const most = maxPositions === undefined ? {} : { maxPositions };
    return { ...describeLlama(this.config), depth, vocabulary, ...tied, ...most };
  }

  /** ids int32 [B, T] -> logits [B, T, V]. */
  forward(ids: Tensor, context: Context = inference): Tensor {
    return this.logits(this.hidden(this.tok_embeddings.forward(ids), context));
  }

  /** What `hidden` gave [..., D] -> logits [..., V]. */
  logits(hidden: Tensor): Tensor {
    return this.output ? this.output.forward(hidden) : linear(hidden, this.tok_embeddings.weight.value);
  }

  /**
   * Embeddings [B, T, D] -> [B, T, D] after all blocks and the norm: what `logits` takes.
   *
   * @throws LuvitError("bad-argument") for more tokens than it has positions for.
   */
  hidden(embeddings: Tensor, context: Context = inference): Tensor {
    this.expectPositions("language model", embeddings.shape[1]!);
    const last = this.layers.reduce((h, layer, i) => {
      const path = `layers.${i}`;
      return inBlock(path, () => layer.forward(h, context, path));
    }, embeddings);
    return this.norm.forward(last);
  }

  /** @throws LuvitError("bad-argument") for more tokens than it has positions for. */
  expectPositions(where: string, tokens: number): void {
    const { maxPositions = Number.POSITIVE_INFINITY } = this.config;
    if (tokens <= maxPositions) return;
    const most = `the language model reads at most ${maxPositions} (max_position_embeddings of its config)`;
    throw new LuvitError("bad-argument", `${where}: ${tokens} tokens; ${most}`);
  }
}
