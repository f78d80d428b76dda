import { basename } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import { type JsonObject, readJsonObject } from "./jsonFile";

/** Sizes and constants of a LLaMA model. */
export interface LlamaFileConfig {
  /** Width of the residual stream. */
  dim: number;
  heads: number;
  /** Heads of k and v; equal to `heads` in LLaMA-1. */
  kvHeads: number;
  /** Width inside the feed-forward part. */
  hiddenDim: number;
  /** Epsilon of RMSNorm. */
  normEps: number;
  /** Base of the rotary frequencies. */
  ropeTheta: number;
}

/** What a config file beside the weights says; absent fields are not mentioned there. */
export interface LlamaFileHints extends Partial<LlamaFileConfig> {
  layers?: number;
  vocabSize?: number;
  tiedEmbeddings?: boolean;
}

/** LLaMA-1's values where neither file nor caller says otherwise. */
export const llamaDefaults = { normEps: 1e-6, ropeTheta: 10000, headDim: 128 } as const;

/**
 * Reads config.json (transformers) or params.json (Meta).
 * Throws LuvitError "bad-file" listing every field that is no positive number, or an architecture that is not LLaMA's.
 */
export async function readLlamaConfig(path: string): Promise<{ hints: LlamaFileHints; bytesRead: number }> {
  const { value, bytesRead } = await readJsonObject(path);
  const fields = new Fields(value);
  const hints = basename(path) === "params.json" ? fromMeta(fields) : fromHuggingFace(fields, value);
  if (fields.faults.length > 0) {
    throw new LuvitError("bad-file", `${path}: not a LLaMA config\n${listOffenders(fields.faults)}`);
  }
  return { hints, bytesRead };
}

function fromMeta(fields: Fields): LlamaFileHints {
  return {
    dim: fields.count("dim"),
    heads: fields.count("n_heads"),
    kvHeads: fields.count("n_kv_heads") ?? fields.count("n_heads"),
    normEps: fields.positive("norm_eps"),
    ropeTheta: fields.positive("rope_theta"),
    layers: fields.count("n_layers"),
  };
}

function fromHuggingFace(fields: Fields, value: JsonObject): LlamaFileHints {
  const rope = value.rope_parameters;
  const ropeFields = typeof rope === "object" && rope !== null ? new Fields(rope as JsonObject) : undefined;
  const hints: LlamaFileHints = {
    dim: fields.count("hidden_size"),
    heads: fields.count("num_attention_heads"),
    kvHeads: fields.count("num_key_value_heads") ?? fields.count("num_attention_heads"),
    hiddenDim: fields.count("intermediate_size"),
    normEps: fields.positive("rms_norm_eps"),
    ropeTheta: fields.positive("rope_theta") ?? ropeFields?.positive("rope_theta"),
    layers: fields.count("num_hidden_layers"),
    vocabSize: fields.count("vocab_size"),
    tiedEmbeddings: value.tie_word_embeddings === true,
  };
  fields.require("hidden_act", [undefined, "silu"]);
  fields.require("attention_bias", [undefined, null, false]);
  fields.require("mlp_bias", [undefined, null, false]);
  const headDim = fields.count("head_dim");
  if (headDim && hints.dim && hints.heads && headDim * hints.heads !== hints.dim) {
    fields.faults.push(`head_dim: ${headDim} x ${hints.heads} heads is not hidden_size ${hints.dim}`);
  }
  return hints;
}

/** Picks numbers out of a config and collects what is wrong. */
class Fields {
  readonly faults: string[] = [];

  constructor(private readonly value: JsonObject) {}

  count(name: string): number | undefined {
    const number = this.positive(name);
    if (number === undefined || Number.isSafeInteger(number)) return number;
    return this.fault(name, "a whole number");
  }

  positive(name: string): number | undefined {
    const field = this.value[name];
    if (field === undefined || field === null) return undefined;
    if (typeof field === "number" && Number.isFinite(field) && field > 0) return field;
    return this.fault(name, "a positive number");
  }

  require(name: string, allowed: readonly unknown[]): void {
    if (!allowed.includes(this.value[name])) this.fault(name, allowed.map(String).join(" or "));
  }

  private fault(name: string, expected: string): undefined {
    const line = `${name}: expected ${expected}, got ${String(JSON.stringify(this.value[name])).slice(0, 60)}`;
    if (!this.faults.includes(line)) this.faults.push(line);
    return undefined;
  }
}
