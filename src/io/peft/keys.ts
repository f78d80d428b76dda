import { brief } from "../../core/brief";
import type { JsonObject } from "../bytes";

/** Keys whose value says nothing about what the tensors compute, or whose value is used. */
const harmless = new Set([
  ...["alpha_pattern", "lora_alpha", "lora_dropout", "r", "rank_pattern"],
  // Which modules were adapted, and which were saved whole: the tensors themselves say so.
  ...["exclude_modules", "layers_pattern", "layers_to_transform", "modules_to_save", "target_modules"],
  ...["ensure_weight_tying", "trainable_token_indices"],
  // Where it comes from and how it was made and trained. VeLoRA changes the backward pass only.
  ...["auto_mapping", "base_model_name_or_path", "peft_version", "revision", "task_type"],
  ...["corda_config", "eva_config", "loftq_config", "lora_ga_config", "velora_config"],
  ...["inference_mode", "megatron_core", "merge_weights", "qalora_group_size", "runtime_config"],
]);

/** Keys that change y = W x + scaling B A x, with the values that leave it as it is beside "off". */
const allowed: Readonly<Record<string, readonly unknown[]>> = {
  alora_invocation_tokens: [],
  arrow_config: [],
  bias: ["none"],
  fan_in_fan_out: [],
  kasa_config: [],
  layer_replication: [],
  lora_bias: [],
  megatron_config: [],
  monteclora_config: [],
  peft_type: ["LORA"],
  target_parameters: [],
  use_bdlora: [],
  use_dora: [],
  use_qalora: [],
  use_rslora: [true],
};

/** Beginnings of the update that leave the base weights as they are; all others take something out of them. */
const plainStarts = /^(gaussian|eva|orthogonal|mica)$/i;

/**
 * What in an adapter_config.json makes the adapter compute something else than y = W x + scaling B A x on the base model
 * of its name, one line each. Keys that nobody here knows count too, unless they are off (null, false or empty).
 * Reference: peft src/peft/tuners/lora/config.py (0.21), and layer.py for what each `init_lora_weights` does.
 */
export function formulaFaults(value: JsonObject): string[] {
  return Object.entries(value).flatMap(([key, field]) => {
    if (harmless.has(key)) return [];
    if (key === "init_lora_weights") return startFaults(field);
    if (isOff(field)) return [];
    if (!Object.hasOwn(allowed, key)) {
      const advice = "take it out of the file if it does not change what the adapter computes";
      return [`${key}: ${brief(field)} is not known; ${advice}`];
    }
    if (allowed[key].includes(field)) return [];
    return [`${key}: ${brief(field)} is not supported, only ${brief(allowed[key][0] ?? null)}`];
  });
}

function startFaults(start: unknown): string[] {
  if (start === null || typeof start === "boolean") return [];
  if (typeof start === "string" && plainStarts.test(start)) return [];
  return [
    `init_lora_weights: ${brief(start)} is not supported, only true, false, gaussian, eva, orthogonal and mica: it may ` +
      "have changed the base weights, so that the adapter does not fit those of the base model's file. Save it with PEFT's " +
      "save_pretrained(…, path_initial_model_for_weight_conversion=…), which writes a plain LoRA adapter",
  ];
}

function isOff(field: unknown): boolean {
  if (field === null || field === undefined || field === false) return true;
  return typeof field === "object" && Object.keys(field).length === 0;
}
