import { brief } from "../../core/brief";
import type { GgufMetadata } from "../gguf";

/** Values of an entry that leave the formula what it is; in single precision. */
type Neutral = readonly (number | boolean)[];

const off: Neutral = [0, false];
const factor: Neutral = [0, 1];

/**
 * Entries that make another formula of the model, unless they say what is done here anyway.
 * Reference: llama.cpp llama-arch.cpp `LLM_KV_NAMES`, llama-model.cpp `load_hparams`.
 */
const formula: Readonly<Record<string, Neutral>> = {
  "attention.clamp_kqv": off,
  "attention.max_alibi_bias": off,
  "attention.causal": [true],
  "attention.q_lora_rank": off,
  "attention.kv_lora_rank": off,
  "attention.key_length_mla": off,
  "attention.value_length_mla": off,
  "attention.shared_kv_layers": off,
  "attention.temperature_length": off,
  "attention.temperature_scale": off,
  "attention.value_scale": factor,
  attn_logit_softcapping: off,
  final_logit_softcapping: off,
  router_logit_softcapping: off,
  residual_scale: factor,
  embedding_scale: factor,
  logit_scale: factor,
  use_parallel_residual: off,
  swin_norm: off,
  altup: off,
  expert_used_count: off,
  expert_shared_count: off,
  expert_group_count: off,
  expert_group_used_count: off,
  interleave_moe_layer_step: off,
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
    if (value === undefined || neutral.some((one) => one === value)) return;
    const allowed = neutral.join(" or ");
    faults.push(`${architecture}.${name}: only ${allowed} can be computed, got ${brief(value)}`);
  };
  for (const [name, neutral] of Object.entries(formula)) expect(name, neutral);
  const usual =
    keyLength === undefined ? [] : [Math.fround(1 / Math.sqrt(keyLength)), 1 / Math.sqrt(keyLength)];
  expect("attention.scale", [0, ...usual]);
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
