import { basename } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { type JsonObject, readJsonObject } from "../bytes";
import { ConfigFields } from "./configFields";
import { llama31Scaling, parseRopeScaling, type RopeScaling } from "./ropeScaling";

/** What a block of the LLaMA family may have beyond LLaMA's own; absent is false. */
export interface LlamaFeatures {
  /** Biases of the q, k and v projections (Qwen2; LLaMA with `attention_bias`). */
  qkvBias?: boolean;
  /** Bias of the output projection (LLaMA with `attention_bias`). */
  outputBias?: boolean;
  /** Biases of the feed-forward part (LLaMA with `mlp_bias`). */
  mlpBias?: boolean;
  /** RMSNorm over each head of q and of k, before the rotation (Qwen3). */
  qkNorm?: boolean;
}

/** Sizes and constants of a model of the LLaMA family. */
export interface LlamaFileConfig extends LlamaFeatures {
  /** Width of the residual stream. */
  dim: number;
  heads: number;
  /** Heads of k and v; equal to `heads` in LLaMA-1, fewer with grouped-query attention. */
  kvHeads: number;
  /** Width of a head where it is not dim / heads. */
  headDim?: number;
  /** Width inside the feed-forward part. */
  hiddenDim: number;
  /** Epsilon of RMSNorm. */
  normEps: number;
  /** Base of the rotary frequencies. */
  ropeTheta: number;
  ropeScaling?: RopeScaling;
  /** Each token sees that many tokens, itself included; of no effect where attention is not causal. */
  slidingWindow?: number;
}

/** What a config file beside the weights says; absent fields are not mentioned there. */
export interface LlamaFileHints extends Partial<LlamaFileConfig> {
  layers?: number;
  vocabSize?: number;
  /** How many tokens it can read one after another. */
  maxPositions?: number;
  tiedEmbeddings?: boolean;
}

/** LLaMA-1's values where neither file nor caller says otherwise. */
export const llamaDefaults = { normEps: 1e-6, ropeTheta: 10000, headDim: 128 } as const;

/** `model_type` of the models whose blocks differ from LLaMA's only in what a config can say. */
const families: Readonly<Record<string, LlamaFeatures & { headDim?: number }>> = {
  llama: {},
  mistral: { qkvBias: false, outputBias: false, mlpBias: false },
  qwen2: { qkvBias: true, outputBias: false, mlpBias: false },
  qwen3: { qkNorm: true, mlpBias: false, headDim: 128 },
};

/**
 * Reads config.json (transformers) or params.json (Meta, Mistral).
 *
 * @throws LuvitError("bad-file") listing every field that is no positive number, or an architecture that is not of the
 * LLaMA family.
 */
export async function readLlamaConfig(path: string): Promise<{ hints: LlamaFileHints; bytesRead: number }> {
  const { value, bytesRead } = await readJsonObject(path);
  return { hints: llamaHints(path, value), bytesRead };
}

/** What the entries of a config say; `where` names them in errors, as `readLlamaConfig` throws them. */
export function llamaHints(where: string, value: JsonObject): LlamaFileHints {
  const fields = new ConfigFields(value);
  const hints = basename(where) === "params.json" ? fromMeta(fields, value) : fromHuggingFace(fields, value);
  if (fields.faults.length === 0) return withoutGaps(hints);
  throw new LuvitError(
    "bad-file",
    `${where}: not the config of a model of the LLaMA family (llama, mistral, qwen2, qwen3)\n${listOffenders(fields.faults)}`,
  );
}

function fromMeta(fields: ConfigFields, value: JsonObject): LlamaFileHints {
  const scaled = fields.flag("use_scaled_rope");
  const factor = fields.positive("rope_scaling_factor") ?? llama31Scaling.factor;
  fields.require("moe", [undefined]);
  return withHeadDim({
    dim: fields.count("dim"),
    heads: fields.count("n_heads"),
    kvHeads: fields.count("n_kv_heads") ?? fields.count("n_heads"),
    headDim: fields.count("head_dim"),
    hiddenDim: fields.count("hidden_dim"),
    normEps: fields.positive("norm_eps"),
    ropeTheta: fields.positive("rope_theta"),
    ropeScaling: scaled ? { ...llama31Scaling, factor } : parseRopeScaling(value.rope_scaling),
    slidingWindow: fields.count("sliding_window"),
    layers: fields.count("n_layers"),
  });
}

function fromHuggingFace(fields: ConfigFields, value: JsonObject): LlamaFileHints {
  fields.require("model_type", [undefined, ...Object.keys(families)]);
  fields.require("hidden_act", [undefined, "silu"]);
  fields.require("partial_rotary_factor", [undefined, 1]);
  const kind = typeof value.model_type === "string" ? value.model_type : undefined;
  const family = kind !== undefined && Object.hasOwn(families, kind) ? families[kind] : {};
  const unsaid = kind === undefined ? undefined : false;
  const attentionBias = fields.flag("attention_bias") ?? unsaid;
  const slides = kind === "mistral" || value.use_sliding_window === true;
  return withHeadDim({
    dim: fields.count("hidden_size"),
    heads: fields.count("num_attention_heads"),
    kvHeads: fields.count("num_key_value_heads") ?? fields.count("num_attention_heads"),
    headDim: fields.count("head_dim") ?? family.headDim,
    hiddenDim: fields.count("intermediate_size"),
    normEps: fields.positive("rms_norm_eps"),
    ropeTheta: fields.positive("rope_theta") ?? fields.inside("rope_parameters").positive("rope_theta"),
    ropeScaling: parseRopeScaling(value.rope_parameters ?? value.rope_scaling),
    slidingWindow: slides ? fields.count("sliding_window") : undefined,
    qkvBias: family.qkvBias ?? attentionBias,
    outputBias: family.outputBias ?? attentionBias,
    mlpBias: family.mlpBias ?? fields.flag("mlp_bias") ?? unsaid,
    qkNorm: family.qkNorm ?? unsaid,
    layers: fields.count("num_hidden_layers"),
    vocabSize: fields.count("vocab_size"),
    maxPositions: fields.count("max_position_embeddings"),
    tiedEmbeddings: value.tie_word_embeddings === true,
  });
}

/** A config that names no head width means dim / heads. */
function withHeadDim(hints: LlamaFileHints): LlamaFileHints {
  const { dim, heads, headDim = dim && heads ? dim / heads : undefined } = hints;
  return { ...hints, headDim };
}

/** Without the fields that are undefined. */
export function withoutGaps<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}
