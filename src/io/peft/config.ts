import { brief } from "../../core/brief";
import { LuvitError, listOffenders } from "../../core/errors";
import type { JsonObject } from "../bytes";
import { formulaFaults } from "./keys";

/**
 * adapter_config.json of a LoRA adapter, in PEFT's names. All its keys are kept and written back.
 * Reference: peft src/peft/tuners/lora/config.py.
 */
export interface AdapterConfig {
  /** Rank. */
  r: number;
  lora_alpha: number;
  lora_dropout: number;
  /** Names of modules (the last parts of their paths), or one regular expression over whole paths. */
  target_modules: string[] | string;
  /** Scale by alpha / sqrt(r) instead of alpha / r. */
  use_rslora: boolean;
  /** Module path ending or regular expression -> rank other than `r`. */
  rank_pattern: Record<string, number>;
  /** Likewise -> alpha other than `lora_alpha`. */
  alpha_pattern: Record<string, number>;
  layers_to_transform: number[] | number | null;
  [key: string]: unknown;
}

/** What PEFT writes for a plain LoRA adapter; reading and writing fill gaps from here. */
export const adapterDefaults: Readonly<AdapterConfig> = {
  alpha_pattern: {},
  auto_mapping: null,
  base_model_name_or_path: null,
  bias: "none",
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: true,
  init_lora_weights: true,
  layers_pattern: null,
  layers_to_transform: null,
  lora_alpha: 8,
  lora_bias: false,
  lora_dropout: 0,
  modules_to_save: null,
  peft_type: "LORA",
  r: 8,
  rank_pattern: {},
  revision: null,
  target_modules: ["q_proj", "v_proj"],
  task_type: "CAUSAL_LM",
  use_dora: false,
  use_rslora: false,
};

/**
 * Checks an adapter config and fills in defaults.
 *
 * @throws LuvitError("bad-file") listing fields of the wrong kind and whatever makes it another formula than LoRA's.
 */
export function parseAdapterConfig(source: string, value: JsonObject): AdapterConfig {
  const faults = formulaFaults(value);
  const config: AdapterConfig = { ...adapterDefaults, ...value };
  for (const key of ["rank_pattern", "alpha_pattern"] as const) config[key] ??= {};
  if (!isPositive(config.r) || !Number.isInteger(config.r))
    faults.push(`r: expected a whole number, got ${brief(config.r)}`);
  // Zero and below are scales like any other, as for PEFT.
  if (!Number.isFinite(config.lora_alpha))
    faults.push(`lora_alpha: expected a number, got ${brief(config.lora_alpha)}`);
  const { lora_dropout: dropout, target_modules: targets } = config;
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1)) {
    faults.push(`lora_dropout: expected 0 to 1, got ${brief(dropout)}`);
  }
  if (typeof targets !== "string" && !isTextList(targets)) {
    faults.push(`target_modules: expected names or one expression, got ${brief(targets)}`);
  }
  for (const [key, isNumber] of [
    ["rank_pattern", isPositive],
    ["alpha_pattern", Number.isFinite],
  ] as const) {
    if (!isRecordOf(config[key], isNumber))
      faults.push(`${key}: expected module -> number, got ${brief(config[key])}`);
  }
  if (!isLayerChoice(config.layers_to_transform)) {
    faults.push(`layers_to_transform: expected layer numbers, got ${brief(config.layers_to_transform)}`);
  }
  if (faults.length > 0)
    throw new LuvitError("bad-file", `${source}: adapter config\n${listOffenders(faults)}`);
  return config;
}

/** Rank of a module, given its path in the base model (`model.layers.1.self_attn.q_proj`). */
export function adapterRank(config: AdapterConfig, modulePath: string): number {
  return matchPattern(config.rank_pattern, modulePath) ?? config.r;
}

/** Alpha of a module, likewise. */
export function adapterAlpha(config: AdapterConfig, modulePath: string): number {
  return matchPattern(config.alpha_pattern, modulePath) ?? config.lora_alpha;
}

/** Reference: peft src/peft/utils/other.py `get_pattern_key`: the pattern matches the end of the path, at a dot. */
function matchPattern(patterns: Readonly<Record<string, number>>, modulePath: string): number | undefined {
  for (const [pattern, value] of Object.entries(patterns)) {
    if (patternMatches(pattern, modulePath)) return value;
  }
  return undefined;
}

/** Expressions come from files: those that could take for ever (repeated groups, many repetitions) are refused. */
function patternMatches(pattern: string, modulePath: string): boolean {
  if (modulePath === pattern || modulePath.endsWith(`.${pattern}`)) return true;
  const repetitions = pattern.match(/[*+{]/g)?.length ?? 0;
  const safe = repetitions <= 4 && pattern.length <= 500 && !/\)[*+{?]/.test(pattern);
  try {
    if (safe) return new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(modulePath);
  } catch {
    // Falls through: not an expression either.
  }
  throw new LuvitError("bad-file", `adapter config: the expression ${brief(pattern)} cannot be used`);
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function isRecordOf(value: unknown, isNumber: (entry: unknown) => boolean): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(isNumber);
}

function isLayerChoice(value: unknown): boolean {
  const isLayer = (entry: unknown) => Number.isInteger(entry) && (entry as number) >= 0;
  return value === null || isLayer(value) || (Array.isArray(value) && value.every(isLayer));
}
