import { randomBlock } from "../../src/models/baselines";
import type { LlamaBlocks } from "../../src/models/llamaBlock";
import { type LlamaConfig, llama7b } from "../../src/models/llamaConfig";
import { attach } from "../../src/models/lora";
import { type DecoderConfig, decoder512x8, decoderToy } from "../../src/models/mae";
import { base16, toy, type ViTConfig } from "../../src/models/vit";

/** Shapes of a model to measure. */
export interface Preset {
  vit: ViTConfig;
  decoder: DecoderConfig;
  /** Frozen block behind the ViT, with LoRA on q and v; left out, this is the plain ViT. */
  llama?: LlamaConfig;
  rank: number;
  /** Of the classifier. */
  classes: number;
}

const toyLlama: LlamaConfig = { ...llama7b, dim: 96, heads: 4, hiddenDim: 256 };

const presets = {
  "luvit-b": { vit: base16, decoder: decoder512x8, llama: llama7b, rank: 16, classes: 1000 },
  "vit-b": { vit: base16, decoder: decoder512x8, rank: 16, classes: 1000 },
  toy: { vit: toy, decoder: decoderToy, llama: toyLlama, rank: 4, classes: 10 },
} satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;
export const presetNames = Object.keys(presets) as PresetName[];
export const presetOf = (name: PresetName): Preset => presets[name];

/** The frozen block of a preset with random weights and LoRA; undefined for the plain ViT. */
export function fusionOf({ llama, rank }: Preset): LlamaBlocks | undefined {
  if (!llama) return undefined;
  const block = randomBlock(llama);
  attach(block, { rank });
  return block;
}
