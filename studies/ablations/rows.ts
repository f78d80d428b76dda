import { join } from "node:path";
import { baselines, fusion, llama, lora, mae, vit } from "../../src";
import { packageRoot } from "../../src/core/packageRoot";
import type { FusionPlan } from "../../src/models/fusion";
import type { LlamaBlocks } from "../../src/models/llamaBlock";
import type { MaskedAutoencoder } from "../../src/models/mae";
import type { ViTConfig } from "../../src/models/vit";
import { type LanguageName, languages } from "./languages";

/** Sizes of every model of the study: 36 patches. */
export const encoder = { ...vit.toy, imageSize: 48 };
const RANK = 4;

/** A row of the table: what stands behind the ViT, and from when on. */
export interface Row {
  /** Absent for the plain ViT. */
  path?(seed: number, languageFolder: (name: LanguageName) => string): Promise<FusionPlan>;
  /** Whether pretraining knows the path; without it the path comes to the pretrained plain ViT. */
  joint: boolean;
  /** A language model that the study trains itself. */
  language?: LanguageName;
}

const toyBlock = () => llama.loadBlock(join(packageRoot(), "data", "llama-toy"), { block: 4 });

/** A block that LoRA bends. */
function bent(block: LlamaBlocks, seed: number): FusionPlan {
  lora.attach(block, { rank: RANK, seed });
  return fusion.through(block, { seed });
}

const unlocked = (language: LanguageName): Row => ({
  joint: true,
  language,
  path: async (seed, folderOf) =>
    bent(await llama.loadBlock(folderOf(language), { block: languages[language].depth }), seed),
});

/**
 * Table 4's rows, Table 3's as far as they can be told apart here, and how much language a block has read. All but "ViT" and
 * "ViT + block with LoRA, finetuning only" are pretrained with what stands behind the ViT.
 */
export const rows: Readonly<Record<string, Row>> = {
  ViT: { joint: true },
  LUViT: { joint: true, path: async (seed) => bent(await toyBlock(), seed) },
  "random block": {
    joint: true,
    path: async (seed) => bent(baselines.randomBlock((await toyBlock()).config, { seed }), seed),
  },
  "shuffled text": unlocked("shuffled text"),
  "block frozen": {
    joint: true,
    path: async (seed) => baselines.frozenBlock(await toyBlock(), { seed }),
  },
  "LoRA, finetuning only": { joint: false, path: async (seed) => bent(await toyBlock(), seed) },
  "MLP-P": { joint: true, path: async (seed) => baselines.mlpP((await toyBlock()).config, { seed }) },
  "MLP-L": {
    joint: true,
    path: async (seed) => baselines.mlpL(encoder, (await toyBlock()).config, { seed, loraRank: RANK }),
  },
  "an eighth of the steps": unlocked("an eighth of the steps"),
  "one block deep": unlocked("one block deep"),
  "four times the steps": unlocked("four times the steps"),
};

/** Rows of the language axis that run when all others are done. */
export const later: readonly string[] = ["an eighth of the steps", "one block deep", "four times the steps"];

/** A masked auto-encoder of a row, from a seed. */
export function autoencoder(
  plan: FusionPlan | undefined,
  seed: number,
  sizes: ViTConfig = encoder,
): MaskedAutoencoder {
  return mae.create({ encoder: sizes, fusion: plan, decoder: mae.decoderToy, seed });
}
