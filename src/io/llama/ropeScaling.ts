import { brief } from "../../core/brief";
import { LuvitError } from "../../core/errors";
import type { JsonObject } from "../bytes";

/**
 * How a model stretches its rotary frequencies theta^(-2i/C) to longer texts. "linear": all divided by `factor`.
 * "llama3": those turning less than `lowFrequencyFactor` times in `originalLength` tokens divided by `factor`, those
 * turning more than `highFrequencyFactor` times kept, a blend between. "divisors": one divisor per frequency, as GGUF
 * files keep them. "other": a kind that is known by name only and cannot be computed.
 */
export type RopeScaling =
  | { type: "linear"; factor: number }
  | {
      type: "llama3";
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      originalLength: number;
    }
  | { type: "divisors"; divisors: number[] }
  | { type: "other"; name: string };

/** LLaMA 3.1's, which Meta's params.json shortens to `use_scaled_rope`. Reference: meta-llama/llama-models model.py. */
export const llama31Scaling: Readonly<RopeScaling & { type: "llama3" }> = {
  type: "llama3",
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalLength: 8192,
};

/**
 * The rotary frequencies of a head, radians per token: [headDim / 2].
 * Reference: transformers modeling_rope_utils.py `_compute_llama3_parameters`.
 *
 * @throws LuvitError("bad-argument") for a scaling that cannot be computed or does not fit the head.
 */
export function rotaryFrequencies(headDim: number, theta: number, scaling?: RopeScaling): Float64Array {
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  if (!scaling) return frequencies;
  const { type } = scaling;
  if (type === "other") {
    throw new LuvitError(
      "bad-argument",
      `rotary scaling "${scaling.name}" is not supported (linear and llama3 are); without rope the block can be used`,
    );
  }
  if (type === "linear") return frequencies.map((frequency) => frequency / scaling.factor);
  if (type === "llama3") return frequencies.map((frequency) => scaleAsLlama3(frequency, scaling));
  if (scaling.divisors.length !== frequencies.length) {
    const counts = `${scaling.divisors.length} divisors for ${frequencies.length} frequencies`;
    throw new LuvitError("bad-argument", `rotary scaling: ${counts}`);
  }
  return frequencies.map((frequency, i) => frequency / scaling.divisors[i]);
}

function scaleAsLlama3(frequency: number, scaling: RopeScaling & { type: "llama3" }): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalLength } = scaling;
  const turns = (originalLength * frequency) / (2 * Math.PI);
  if (turns < low) return frequency / factor;
  if (turns > high) return frequency;
  const kept = (turns - low) / (high - low);
  return (1 - kept) * (frequency / factor) + kept * frequency;
}

/** The scaling a config.json names, in `rope_parameters` (transformers 5) or `rope_scaling` (before). */
export function parseRopeScaling(value: unknown): RopeScaling | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as JsonObject;
  const name = fields.rope_type ?? fields.type ?? "default";
  const number = (key: string) => (isPositive(fields[key]) ? (fields[key] as number) : Number.NaN);
  if (name === "default") return undefined;
  if (name === "linear" && isPositive(fields.factor)) return { type: "linear", factor: number("factor") };
  const scaling: RopeScaling = {
    type: "llama3",
    factor: number("factor"),
    lowFrequencyFactor: number("low_freq_factor"),
    highFrequencyFactor: number("high_freq_factor"),
    originalLength: number("original_max_position_embeddings"),
  };
  const complete = Object.values(scaling).every((entry) => !Number.isNaN(entry));
  return name === "llama3" && complete
    ? scaling
    : { type: "other", name: typeof name === "string" ? name.slice(0, 60) : brief(name) };
}

/**
 * A scaling as transformers writes it.
 *
 * @throws LuvitError("bad-argument") for divisors, which it has no form for, and
 * for what is known by name only.
 */
export function formatRopeScaling(scaling: RopeScaling | undefined): JsonObject {
  if (!scaling) return { rope_type: "default" };
  if (scaling.type === "linear") return { rope_type: "linear", factor: scaling.factor };
  if (scaling.type !== "llama3") {
    throw new LuvitError(
      "bad-argument",
      `rotary scaling of type "${scaling.type}" cannot be written to config.json`,
    );
  }
  return {
    rope_type: "llama3",
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalLength,
  };
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}
