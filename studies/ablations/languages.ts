import { readFileSync } from "node:fs";
import { join } from "node:path";
import { llama } from "../../src";
import { packageRoot } from "../../src/core/packageRoot";
import { Rng } from "../../src/core/rng";
import { writeHuggingFaceCheckpoint } from "../../src/io/llama";
import type { LanguageModelConfig } from "../../src/models/languageModel";
import { languageModelLoss, trainLanguageModel } from "../../src/train/languageModel";

/** A small language model to be trained on the text that `data/llama-toy` has read, and of its width. */
export interface Language {
  /** Blocks; `data/llama-toy` has 4. The last one is what a ViT gets. */
  depth: number;
  /** Optimizer steps of 16 windows of 128 bytes; `data/llama-toy` made 1200. */
  steps: number;
  /** The same bytes in an order without sense. */
  shuffled?: boolean;
}

/** What the study trains beside `data/llama-toy`: less and more of it, and one whose text holds no language. */
export const languages = {
  "shuffled text": { depth: 4, steps: 1200, shuffled: true },
  "an eighth of the steps": { depth: 4, steps: 150 },
  "one block deep": { depth: 1, steps: 1200 },
  "four times the steps": { depth: 4, steps: 4800 },
} as const satisfies Readonly<Record<string, Language>>;

export type LanguageName = keyof typeof languages;

const LENGTH = 128;

const configOf = ({ depth }: Language): LanguageModelConfig => ({
  dim: 96,
  heads: 4,
  hiddenDim: 256,
  normEps: 1e-6,
  ropeTheta: 10000,
  causal: true,
  rope: true,
  rowOrder: "hf",
  depth,
  vocabulary: 256,
});

/** What is read, and the last 3 % of the book, which are not: in the order of the book, or shuffled all together. */
function textOf({ shuffled }: Language): { text: Uint8Array; heldOut: Uint8Array } {
  const book = new Uint8Array(readFileSync(join(packageRoot(), "data", "text", "devils-dictionary.txt")));
  const bytes = shuffled
    ? Uint8Array.from(new Rng(0).fork("shuffled").permutation(book.length), (i) => book[i])
    : book;
  const end = bytes.length - Math.floor(bytes.length * 0.03);
  return { text: bytes.subarray(0, end), heldOut: bytes.subarray(end) };
}

/** Trains a language model with the recipe of `data/llama-toy`, leaves it in `folder`, and gives back its held-out loss. */
export async function makeLanguage(language: Language, folder: string): Promise<number> {
  const config = configOf(language);
  const model = new llama.LlamaLanguageModel(config);
  const { text, heldOut } = textOf(language);
  const { steps } = language;
  const rates = { lr: 3e-3, minLr: 1e-4, warmupSteps: Math.min(50, steps), weightDecay: 0.1 };
  await trainLanguageModel(model, text, {
    steps,
    batchSize: 16,
    length: LENGTH,
    ...rates,
    seed: 0,
    threads: 1,
  });
  const loss = await languageModelLoss(model, heldOut, LENGTH);
  const files = { ...config, kvHeads: config.heads };
  await writeHuggingFaceCheckpoint(folder, await model.stateDict(), files, { dtype: "BF16" });
  model.dispose();
  return loss;
}
