import { brief } from "../../core/brief";
import type { GgufMetadata } from "../gguf";

/** Values of an entry, or of each of a list, that leave the formula what it is; in single precision. */
type Neutral = readonly (number | boolean | string)[];

const off: Neutral = [0, false];
const factor: Neutral = [0, 1];

/**
 * Entries that make another formula of the model, unless they say what is done here anyway.
 * Reference: llama.cpp llama-arch.cpp `LLM_KV_NAMES`, llama-model.cpp `load_hparams`; gguf-py constants.py `Keys`.
 */
export const formula: Readonly<Record<string, Neutral>> = {
  "attention.clamp_kqv": off,
  "attention.max_alibi_bias": off,
  "attention.causal": [true],
  "attention.q_lora_rank": off,
  "attention.kv_lora_rank": off,
  "attention.decay_lora_rank": off,
  "attention.iclr_lora_rank": off,
  "attention.value_residual_mix_lora_rank": off,
  "attention.gate_lora_rank": off,
  "attention.output_lora_rank": off,
  "attention.output_group_count": off,
  "attention.relative_buckets_count": off,
  "attention.group_norm_epsilon": off,
  "attention.group_norm_groups": off,
  "attention.key_length_mla": off,
  "attention.value_length_mla": off,
  "attention.shared_kv_layers": off,
  "attention.recurrent_layers": off,
  "attention.indexer.head_count": off,
  "attention.indexer.key_length": off,
  "attention.indexer.top_k": off,
  "attention.compress_ratios": factor,
  "attention.compress_rope_freq_base": off,
  "attention.temperature_length": off,
  "attention.temperature_scale": off,
  "attention.output_scale": factor,
  "attention.value_scale": factor,
  attn_logit_softcapping: off,
  final_logit_softcapping: off,
  router_logit_softcapping: off,
  residual_scale: factor,
  embedding_scale: factor,
  logit_scale: factor,
  hidden_activation: ["silu", "swish"],
  swiglu_clamp_exp: off,
  swiglu_clamp_shexp: off,
  activation_sparsity_scale: off,
  use_parallel_residual: off,
  norm_before_residual: off,
  swin_norm: off,
  "altup.num_inputs": factor,
  "hyper_connection.count": factor,
  embedding_length_per_layer_input: off,
  n_deepstack_layers: off,
  deepstack_mapping: off,
  decoder_block_count: off,
  full_attention_interval: factor,
  rescale_every_n_layers: off,
  token_shift_count: off,
  time_mix_extra_dim: off,
  time_decay_extra_dim: off,
  hash_layer_count: off,
  "ssm.conv_kernel": off,
  "ssm.inner_size": off,
  "ssm.state_size": off,
  "ssm.time_step_rank": off,
  "ssm.group_count": off,
  "kda.head_dim": off,
  "wkv.head_size": off,
  "shortconv.l_cache": off,
  expert_used_count: off,
  expert_shared_count: off,
  expert_group_count: off,
  expert_group_used_count: off,
  interleave_moe_layer_step: off,
  moe_every_n_layers: off,
  nextn_predict_layers: off,
};

/**
 * What a GGUF header asks of a model of this architecture that is not computed here: a line for each such entry.
 *
 * @param keyLength numbers a head, where known; scores are divided by its root.
 */
export function ggufFormulaFaults(
  metadata: GgufMetadata,
  architecture: string,
  keyLength: number | undefined,
): string[] {
  const faults: string[] = [];
  const expect = (name: string, neutral: Neutral) => {
    const value = metadata.get(`${architecture}.${name}`);
    const values =
      Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(value as ArrayLike<unknown>) : [value];
    if (value === undefined || values.every((one) => neutral.some((same) => same === one))) return;
    const allowed = neutral.join(" or ") || "the models' own";
    faults.push(`${architecture}.${name}: only ${allowed} can be computed, got ${brief(value)}`);
  };
  for (const [name, neutral] of Object.entries(formula)) expect(name, neutral);
  const usual =
    keyLength === undefined ? [] : [Math.fround(1 / Math.sqrt(keyLength)), 1 / Math.sqrt(keyLength)];
  expect("attention.scale", [0, ...usual]);
  for (const name of ["attention.key_length_swa", "attention.value_length_swa"])
    expect(name, keyLength === undefined ? [] : [keyLength]);
  for (const name of ["rope.freq_base", "rope.dimension_count"]) {
    const everywhere = metadata.get(`${architecture}.${name}`);
    expect(`${name}_swa`, typeof everywhere === "number" ? [everywhere] : []);
  }
  const given = (name: string) => metadata.has(`${architecture}.${name}`);
  if (given("attention.layer_norm_epsilon") && !given("attention.layer_norm_rms_epsilon")) {
    faults.push(`${architecture}.attention.layer_norm_epsilon: its norm is LayerNorm, expected RMSNorm`);
  }
  if (given("attention.sliding_window") && given("attention.sliding_window_pattern")) {
    const pattern = brief(metadata.get(`${architecture}.attention.sliding_window_pattern`));
    faults.push(
      `${architecture}.attention.sliding_window_pattern: expected one window for all, got ${pattern}`,
    );
  }
  const sections = metadata.get(`${architecture}.rope.dimension_sections`);
  if (sections !== undefined) faults.push(`${architecture}.rope.dimension_sections: got ${brief(sections)}`);
  return faults;
}
