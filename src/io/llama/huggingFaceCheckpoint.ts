import { join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import { checkOptions, number, optionsOf, path, shaped } from "../../core/options";
import { writeJsonAtomically } from "../../core/writeAtomically";
import { bytesPerElement, type WritableDtype } from "../bytes";
import { storedDtype, tensorsField } from "../options";
import { writeSafetensors } from "../safetensors";
import type { LlamaFileConfig, LlamaFileHints } from "./config";
import { metaToHfName } from "./keymap";

import { formatRopeScaling } from "./ropeScaling";
import { blockParameters } from "./shapes";

/** How to write a checkpoint for transformers. */
export interface HuggingFaceOptions {
  /** Stored type; default "F32". */
  dtype?: WritableDtype;
  /** Largest shard in bytes of tensor data; a single larger tensor gets a shard of its own. Default 5e9. */
  maxShardBytes?: number;
}

export const shardOptions = optionsOf<HuggingFaceOptions>(
  {},
  { dtype: storedDtype, maxShardBytes: number(1, Number.MAX_SAFE_INTEGER) },
);

const torchDtype: Readonly<Record<WritableDtype, string>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

/**
 * Writes a language model of the LLaMA family (as Llama, Qwen2 or Qwen3, by its features) as transformers does: config.json and model.safetensors, or, when it does not fit into
 * one shard, `model-0000i-of-0000n.safetensors` with `model.safetensors.index.json`.
 * `tensors` are in Meta names with the q and k rows in "hf" order (see `convertRowOrder`). Returns the files written.
 * Reference: huggingface_hub serialization/_base.py `split_state_dict_into_shards_factory`.
 *
 * @throws LuvitError("key-mismatch" | "bad-argument"): "key-mismatch" for names that are not LLaMA's or blocks that are
 * incomplete, "bad-argument" for a config that no such model can have.
 */
export async function writeHuggingFaceCheckpoint(
  folder: string,
  tensors: StateDict,
  config: LlamaFileConfig & Pick<LlamaFileHints, "maxPositions">,
  options: HuggingFaceOptions = {},
): Promise<string[]> {
  checkOptions("writeHuggingFaceCheckpoint", path, folder);
  checkOptions("writeHuggingFaceCheckpoint", tensorsField, tensors);
  checkOptions("writeHuggingFaceCheckpoint", shaped("the config of a LLaMA", "dim", "heads"), config);
  checkOptions("writeHuggingFaceCheckpoint", shardOptions, options);
  const { dtype = "F32", maxShardBytes = 5e9 } = options;
  const architecture = chooseArchitecture(folder, config);
  const renamed = renameAndSort(folder, tensors, config);
  const entries = { ...buildConfig(tensors, config, dtype), ...architecture };
  const shards = splitIntoShards(renamed, dtype, maxShardBytes);
  const files = shards.map((_, i) => shardName(i, shards.length));
  for (const [i, shard] of shards.entries()) {
    await writeSafetensors(join(folder, files[i]), shard, { dtype, metadata: { format: "pt" } });
  }
  if (shards.length > 1) {
    await writeJsonAtomically(join(folder, "model.safetensors.index.json"), buildIndex(shards, files, dtype));
    files.push("model.safetensors.index.json");
  }
  await writeJsonAtomically(join(folder, "config.json"), entries);
  return [...files, "config.json"];
}

/** Which of the family's models has these features, as its config.json says it. */
function chooseArchitecture(folder: string, config: LlamaFileConfig): Record<string, unknown> {
  const { qkvBias = false, outputBias = false, mlpBias = false, qkNorm = false } = config;
  if (qkvBias === outputBias && qkNorm && !mlpBias) {
    return { architectures: ["Qwen3ForCausalLM"], model_type: "qwen3", attention_bias: qkvBias };
  }
  if (qkvBias === outputBias && !qkNorm) {
    const biases = { attention_bias: qkvBias, mlp_bias: mlpBias };
    return { architectures: ["LlamaForCausalLM"], model_type: "llama", ...biases };
  }
  if (qkvBias && !outputBias && !mlpBias && !qkNorm) {
    return { architectures: ["Qwen2ForCausalLM"], model_type: "qwen2" };
  }
  const features = JSON.stringify({ qkvBias, outputBias, mlpBias, qkNorm });
  throw new LuvitError("bad-argument", `${folder}: not written, no model of transformers has ${features}`);
}

/** Hugging Face names, in the order of the modules of LlamaForCausalLM. */
function renameAndSort(folder: string, tensors: StateDict, config: LlamaFileConfig): StateDict {
  const faults: string[] = [];
  const layers = new Set<number>();
  for (const name of tensors.keys()) {
    if (metaToHfName(name) === undefined) faults.push(`${name}: not a LLaMA tensor in Meta names`);
    const layer = /^layers\.(\d+)\./.exec(name);
    if (layer) layers.add(Number(layer[1]));
  }
  const ordered = ["tok_embeddings.weight"];
  for (const layer of [...layers].sort((a, b) => a - b)) {
    for (const parameter of blockParameters(config)) ordered.push(`layers.${layer}.${parameter}`);
  }
  for (const name of ordered) if (!tensors.has(name)) faults.push(`${name}: missing`);
  if (!tensors.has("norm.weight")) faults.push("norm.weight: missing");
  ordered.push("norm.weight", "output.weight");
  for (const name of tensors.keys()) {
    if (metaToHfName(name) !== undefined && !ordered.includes(name))
      faults.push(`${name}: such a model has no such tensor`);
  }
  if (faults.length > 0)
    throw new LuvitError("key-mismatch", `${folder}: not written\n${listOffenders(faults)}`);
  const present = ordered.filter((name) => tensors.has(name));
  return new Map(present.map((name) => [metaToHfName(name)!, tensors.get(name)!]));
}

function splitIntoShards(tensors: StateDict, dtype: WritableDtype, maxShardBytes: number): StateDict[] {
  const shards: StateDict[] = [];
  let room = 0;
  for (const [name, tensor] of tensors) {
    const bytes = tensor.data.length * bytesPerElement[dtype];
    if (shards.length === 0 || bytes > room) {
      shards.push(new Map());
      room = maxShardBytes;
    }
    shards[shards.length - 1].set(name, tensor);
    room -= bytes;
  }
  return shards;
}

function shardName(index: number, count: number): string {
  if (count === 1) return "model.safetensors";
  const pad = (number: number) => String(number).padStart(5, "0");
  return `model-${pad(index + 1)}-of-${pad(count)}.safetensors`;
}

function buildIndex(shards: readonly StateDict[], files: readonly string[], dtype: WritableDtype): unknown {
  const places = shards.flatMap((shard, i) => [...shard.keys()].map((name) => [name, files[i]] as const));
  const parameters = shards.reduce((sum, shard) => sum + countParameters(shard), 0);
  return {
    metadata: { total_parameters: parameters, total_size: parameters * bytesPerElement[dtype] },
    weight_map: Object.fromEntries(places.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function countParameters(tensors: StateDict): number {
  let total = 0;
  for (const { data } of tensors.values()) total += data.length;
  return total;
}

/** What the family's configs share; rope_theta and torch_dtype are for releases before rope_parameters and dtype. */
function buildConfig(
  tensors: StateDict,
  config: Parameters<typeof writeHuggingFaceCheckpoint>[2],
  dtype: WritableDtype,
): object {
  const layers = [...tensors.keys()].filter((name) => name.endsWith(".attention_norm.weight")).length;
  return {
    attention_dropout: 0,
    bos_token_id: 1,
    dtype: torchDtype[dtype],
    eos_token_id: 2,
    head_dim: config.headDim ?? config.dim / config.heads,
    hidden_act: "silu",
    hidden_size: config.dim,
    initializer_range: 0.02,
    intermediate_size: config.hiddenDim,
    max_position_embeddings: config.maxPositions ?? 2048,
    num_attention_heads: config.heads,
    num_hidden_layers: layers,
    num_key_value_heads: config.kvHeads,
    pretraining_tp: 1,
    rms_norm_eps: config.normEps,
    ...(config.ropeScaling && { rope_scaling: formatRopeScaling(config.ropeScaling) }),
    rope_parameters: { rope_theta: config.ropeTheta, ...formatRopeScaling(config.ropeScaling) },
    rope_theta: config.ropeTheta,
    tie_word_embeddings: !tensors.has("output.weight"),
    torch_dtype: torchDtype[dtype],
    use_cache: true,
    vocab_size: tensors.get("tok_embeddings.weight")!.shape[0],
  };
}
