import { brief } from "../../core/brief";
import { LuvitError, listOffenders } from "../../core/errors";
import type { GgufMetadata } from "../gguf";
import { type LlamaFileHints, withoutGaps } from "./config";
import { ggufFormulaFaults } from "./ggufFormula";
import type { RowOrder } from "./keymap";
import type { RopeScaling } from "./ropeScaling";

/**
 * The order that llama.cpp's converter leaves q and k rows in. Its LLaMA kernels turn neighboring numbers, so rows of
 * "llama" models (Mistral's among them) are in Meta's order whatever the source was; Qwen's stay as transformers has them.
 * Reference: llama.cpp convert_hf_to_gguf.py `LlamaModel.permute`; llama-model.cpp `llama_model_rope_type`.
 */
const rowOrders: Readonly<Record<string, RowOrder>> = { llama: "meta", qwen2: "hf", qwen3: "hf" };

/** Tensor of LLaMA 3.1's rotary divisors [headDim / 2]. */
export const ROPE_DIVISORS = "rope_freqs.weight";

/**
 * What a GGUF header says about a model of the LLaMA family.
 *
 * @throws LuvitError("bad-file") listing an architecture that is not of the family and entries of the wrong kind.
 */
export function ggufLlamaHints(
  source: string,
  metadata: GgufMetadata,
): { hints: LlamaFileHints; rowOrder: RowOrder } {
  const architecture = metadata.get("general.architecture");
  const known = typeof architecture === "string" && Object.hasOwn(rowOrders, architecture);
  const faults: string[] = [];
  if (!known) {
    const names = Object.keys(rowOrders).join(", ");
    faults.push(`general.architecture: expected ${names}, got ${brief(architecture)}`);
  }
  const number = (name: string): number | undefined => {
    const value = metadata.get(`${String(architecture)}.${name}`);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    faults.push(`${String(architecture)}.${name}: expected a positive number, got ${brief(value)}`);
    return undefined;
  };
  const experts = metadata.get(`${String(architecture)}.expert_count`);
  if (experts !== undefined && experts !== 0) faults.push(`a mixture of ${brief(experts)} experts`);
  const [dim, heads] = [number("embedding_length"), number("attention.head_count")];
  const keyLength = number("attention.key_length") ?? (dim && heads ? dim / heads : undefined);
  const valueLength = number("attention.value_length") ?? keyLength;
  if (keyLength !== valueLength)
    faults.push(`keys of ${keyLength} and values of ${valueLength} numbers a head`);
  if (known) faults.push(...ggufFormulaFaults(metadata, architecture, keyLength));
  const rotated = number("rope.dimension_count") ?? keyLength;
  const hints: LlamaFileHints = withoutGaps({
    dim,
    heads,
    kvHeads: number("attention.head_count_kv") ?? heads,
    headDim: keyLength,
    hiddenDim: number("feed_forward_length"),
    normEps: number("attention.layer_norm_rms_epsilon"),
    ropeTheta: number("rope.freq_base"),
    ropeScaling:
      rotated === keyLength
        ? ropeScaling(metadata, `${String(architecture)}.rope`)
        : { type: "other", name: `on ${rotated} of ${keyLength} numbers a head` },
    slidingWindow: number("attention.sliding_window"),
    layers: number("block_count"),
    maxPositions: number("context_length"),
  });
  if (faults.length > 0) {
    throw new LuvitError("bad-file", `${source}: not a model of the LLaMA family\n${listOffenders(faults)}`);
  }
  return { hints, rowOrder: rowOrders[architecture as string] };
}

/**
 * The scaling that llama.cpp would use: linear where no type is named, by `factor` or, in older files, `scale_linear`.
 * Reference: llama.cpp llama-model.cpp `load_hparams`, LLM_KV_ROPE_SCALING_TYPE and LLM_KV_ROPE_SCALE_LINEAR.
 */
function ropeScaling(metadata: GgufMetadata, prefix: string): RopeScaling | undefined {
  const type = metadata.get(`${prefix}.scaling.type`) ?? "linear";
  const factor = metadata.get(`${prefix}.scaling.factor`) ?? metadata.get(`${prefix}.scale_linear`) ?? 0;
  const magnitude = metadata.get(`${prefix}.scaling.attn_factor`) ?? 1;
  const extrapolation = metadata.get(`${prefix}.scaling.yarn_ext_factor`) ?? 0; // YaRN's, whatever the type
  if (type === "none") return undefined;
  if (type === "linear" && extrapolation !== 0 && extrapolation !== -1)
    return { type: "other", name: `linear, ${brief({ factor, extrapolation })}` };
  if (type !== "linear" || typeof factor !== "number" || !(factor >= 0) || magnitude !== 1)
    return {
      type: "other",
      name: type === "linear" ? `linear, ${brief({ factor, magnitude })}` : nameOf(type),
    };
  return factor === 0 || factor === 1 ? undefined : { type: "linear", factor };
}

const nameOf = (type: unknown): string => (typeof type === "string" ? type.slice(0, 60) : brief(type));
