import { entry, object, oneOf } from "../core/options";
import { type SoftTargetOptions, softTargetOptions } from "../nn/distillation";
import { lossWeight } from "./featureMatches";

/** How a student's logits are to become like a teacher's. */
export interface LogitMatch extends SoftTargetOptions {
  /** "soft" (default): the teacher's probabilities; "hard": the class that it finds likeliest, as DeiT has it. */
  targets?: "soft" | "hard";
  /** Default 1. */
  weight?: number;
}

export type SettledLogits = Required<LogitMatch>;

export const logitMatch = object(
  {},
  {
    targets: entry(oneOf(["soft", "hard"]), "the teacher's probabilities, or its likeliest class", "soft"),
    weight: entry(lossWeight, "of this loss", 1),
    ...softTargetOptions.optional,
  },
  ({ targets, temperature, reduction }) => {
    if (targets !== "hard") return [];
    const only = 'nothing, because targets is "hard"';
    return [
      ...(temperature === undefined ? [] : [["temperature", only] as const]),
      ...(reduction === undefined ? [] : [["reduction", only] as const]),
    ];
  },
);

/** Defaults filled in; undefined where logits play no part. */
export function settleLogits(match: LogitMatch | undefined): SettledLogits | undefined {
  if (!match || match.weight === 0) return undefined;
  const { targets = "soft", temperature = 1, reduction = "batch", weight = 1 } = match;
  return { targets, temperature, reduction, weight };
}
