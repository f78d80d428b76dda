import { LuvitError } from "../core/errors";
import type { ViTConfig } from "../models/vit";

/** @throws LuvitError("bad-argument") for a model with registers, or without a class token. */
export function expectUsualTokens({ registers = 0, classToken = true }: ViTConfig): void {
  if (registers === 0 && classToken) return;
  const has = classToken ? `${registers} registers behind them` : "no class token in front of them";
  throw new LuvitError(
    "bad-argument",
    `this analysis takes all tokens but the first for patches, and the model has ${has}; ` +
      "relevance, lens, extractFeatures, tokenNorms, attentionDistances, ablateHeads and patchActivations know them",
  );
}
