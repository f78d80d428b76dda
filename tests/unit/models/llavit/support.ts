import { type Tensor, tf } from "../../../../src/core/tf";
import { classifier, fusion, llavit } from "../../../../src/models";
import { LlamaLanguageModel } from "../../../../src/models/languageModel";
import type { LlavitOptions } from "../../../../src/models/llavit/create";
import { perturb, tinyBlock, tinyImages, tinyLlama, tinyViT } from "../support";

/** Wide enough for bytes; rotary, causal. */
export const tinyLanguage = (more: Partial<LlamaLanguageModel["config"]> = {}): LlamaLanguageModel => {
  const model = new LlamaLanguageModel({
    ...tinyLlama,
    heads: 4,
    causal: true,
    rope: true,
    depth: 3,
    vocabulary: 256,
    ...more,
  });
  perturb(model);
  return model;
};

/** Qwen2's: grouped heads, biases of q, k and v. */
export const qwenLanguage = (): LlamaLanguageModel => tinyLanguage({ kvHeads: 2, headDim: 6, qkvBias: true });

export const plainTower = () => {
  const tower = classifier.create({ encoder: tinyViT, classes: 2 });
  perturb(tower);
  return tower;
};

export const luvitTower = () => {
  const path = fusion.through(tinyBlock());
  const tower = classifier.create({ encoder: tinyViT, fusion: path, classes: 2 });
  perturb(tower);
  return tower;
};

export const tinyLlavit = (more: Partial<LlavitOptions> = {}) =>
  llavit.create({ tower: plainTower(), language: tinyLanguage(), ...more });

/** Two sequences of 3 tokens of text, the 9 patches, and 4 tokens of text. */
export const start = 3;
export function tinySequences(): { images: Tensor; ids: Tensor } {
  const row = (seed: number) =>
    Array.from({ length: 16 }, (_, i) => (i >= 3 && i < 12 ? 0 : (7 * i + seed) % 256));
  return { images: tinyImages(), ids: tf.tensor2d([row(1), row(101)], [2, 16], "int32") };
}
