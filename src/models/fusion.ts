import { checkOptions, entry, flag, object, oneOf, optionsOf, seed, such, whole } from "../core/options";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { type Context, site } from "../nn/context";
import { normal } from "../nn/init";
import { LayerNorm, Linear, RMSNorm } from "../nn/layers";
import { Module } from "../nn/module";
import { firstAlong, gelu } from "../nn/ops";
import { width } from "../nn/options";
import type { EncoderConfig } from "./config";
import { describeLlama } from "./describe";
import { type LlamaBlocks, llamaBlockField } from "./llamaBlock";
import { has } from "./options";

/** Choices the paper leaves open; the defaults follow LM4VisualEncoding, whose code LUViT builds on. */
export interface FusionOptions {
  /** How many ViT blocks come before the path; default all of them (tail). 0 is the head, depth/2 the middle. */
  after?: number;
  /** The encoder's final LayerNorm before the path instead of after it. */
  normFirst?: boolean;
  /** RMSNorm (ones, frozen) between the block and the second mapper. */
  rmsNorm?: boolean;
  /** Biases in the two mappers. */
  mapperBias?: boolean;
  /** Adds the tokens that entered the path to those that leave it. */
  residual?: boolean;
  seed?: number;
}

/** What stands between the mappers of an MLP baseline; LM4VisualEncoding's own baseline used "gelu-norm". */
export type MlpActivation = "none" | "gelu" | "gelu-norm";

/** A fusion path to be built into an encoder: through a LLaMA block, or (baselines MLP-P and MLP-L) through nothing. */
export interface FusionPlan extends FusionOptions {
  block?: LlamaBlocks;
  /** Width between the mappers. */
  width: number;
  activation?: MlpActivation;
}

export const fusionOptions = optionsOf<FusionOptions>(
  {},
  {
    after: entry(whole(0, 10_000), "ViT blocks before it; default all", 12),
    normFirst: entry(flag, "the encoder's final norm before it instead of behind", false),
    rmsNorm: entry(flag, "an RMSNorm behind the block, before the second mapper", true),
    residual: entry(flag, "tokens also pass by it", false),
    mapperBias: entry(flag, "biases in the two mappers", false),
    seed,
  },
);

export const mlpFusionOptions = optionsOf<FusionOptions & { activation?: MlpActivation }>(
  {},
  { ...fusionOptions.optional, activation: oneOf(["none", "gelu", "gelu-norm"]) },
);

/** What `fusion.mlp` makes. */
export const mlpPlan = object({ width }, mlpFusionOptions.optional);

export const fusionPlan = optionsOf<FusionPlan>(
  { width },
  { ...mlpFusionOptions.optional, block: llamaBlockField },
);

/**
 * Tokens -> mapper -> LLaMA block -> mapper -> tokens. The block is used as it is, with or without LoRA.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 });
 * const fusion = luvit.fusion.through(block, { after: 2, residual: true });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, fusion, classes: 6 });
 */
export function through(block: LlamaBlocks, options: FusionOptions = {}): FusionPlan {
  checkOptions("fusion.through", llamaBlockField, block);
  checkOptions("fusion.through", fusionOptions, options);
  return { ...options, block, width: block.config.dim };
}

/** The same two mappers without a language model between them. */
export function mlp(width: number, options: FusionOptions & { activation?: MlpActivation } = {}): FusionPlan {
  const plan = { ...options, width };
  checkOptions("fusion.mlp", mlpPlan, plan);
  return plan;
}

/**
 * The path of LUViT eq. 1. Keys `llama_dim_mapper1.weight` [W, D], `llama.layers.*`, `llama.norm.weight` [W],
 * `llama_dim_mapper2.weight` [D, W]. Reference: LM4VisualEncoding image_classification/models/vit_llama.py.
 */
export class FusionPath extends Module {
  readonly llama_dim_mapper1: Linear;
  readonly llama?: LlamaBlocks;
  readonly mlp_norm?: LayerNorm;
  readonly llama_dim_mapper2: Linear;

  constructor(
    dim: number,
    readonly plan: FusionPlan,
  ) {
    super();
    checkOptions("fusion", fusionPlan, plan);
    const rng = new Rng(plan.seed ?? 0).fork("fusion");
    const options = { bias: plan.mapperBias ?? false, initialize: normal(0.02) };
    this.llama_dim_mapper1 = new Linear(dim, plan.width, rng, options);
    if (plan.block) this.llama = withFrozenNorm(plan.block, plan.rmsNorm ?? true);
    if (plan.activation === "gelu-norm") this.mlp_norm = new LayerNorm(plan.width);
    this.llama_dim_mapper2 = new Linear(plan.width, dim, rng, options);
  }

  /** What it computes with; `depth` is the number of ViT blocks that `after` defaults to. */
  describe(depth: number): NonNullable<EncoderConfig["fusion"]> {
    const { after = depth, normFirst = false, residual = false, mapperBias = false, width } = this.plan;
    const { activation = "none" } = this.llama ? {} : this.plan;
    const block = this.llama && { ...describeLlama(this.llama.config), depth: this.llama.layers.length };
    const rmsNorm = this.llama?.norm !== undefined;
    const between = { rmsNorm, activation, width, block: block ?? null };
    return { after, normFirst, residual, mapperBias, ...between };
  }

  /**
   * x [B, T, D] -> [B, N, D], the class token among them; N the first `queries` tokens, default all. Sites `fusion.*`,
   * `llama.*`.
   */
  forward(x: Tensor, context: Context, queries?: number): Tensor {
    const see = (part: string, value: Tensor) => site(context, `fusion.${part}`, value);
    const entering = see("in", x);
    const wide = see("mapper1", this.llama_dim_mapper1.forward(entering, context, "llama_dim_mapper1"));
    const unlocked = see(
      "block",
      this.llama
        ? this.llama.forward(wide, context, "llama", queries)
        : this.activate(firstAlong(wide, 1, queries)),
    );
    const narrow = see("mapper2", this.llama_dim_mapper2.forward(unlocked, context, "llama_dim_mapper2"));
    return see("out", this.plan.residual ? tf.add(firstAlong(entering, 1, queries), narrow) : narrow);
  }

  private activate(x: Tensor): Tensor {
    const { activation = "none" } = this.plan;
    const bent = activation === "none" ? x : gelu(x);
    return this.mlp_norm ? this.mlp_norm.forward(bent) : bent;
  }
}

/** The block's own layers; the norm is the model's, so that one block can serve models with and without it. */
function withFrozenNorm(block: LlamaBlocks, rmsNorm: boolean): LlamaBlocks {
  if (!rmsNorm) return block.withNorm(undefined);
  return block.withNorm(block.norm ?? new RMSNorm(block.config.dim, block.config.normEps).freeze());
}

export const fusion = such<LlamaBlocks | FusionPlan>(
  "a LLaMA block, from llama.loadBlock or baselines.randomBlock, or a plan of fusion.* or baselines.*",
  (value) => has(value, "config", "layers", "withNorm") || has(value, "width"),
);
