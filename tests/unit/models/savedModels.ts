import { join } from "node:path";
import { tf } from "../../../src/core/tf";
import { baselines, classifier, fusion, llama, lora, mae, segmenter } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import type { LlamaBlocks } from "../../../src/models/llamaBlock";
import type { SavableModel } from "../../../src/models/savable";
import { repository } from "../io/support";
import { perturb, tinyBlock, tinyDecoder, tinyImages, tinyInputs, tinyLlama, tinyViT } from "./support";

export type Loader = "classifier" | "mae" | "llama" | "segmenter";

/** What a model gives for a fixed input. */
export async function outputOf(model: SavableModel): Promise<Float32Array> {
  const output = tf.tidy(() => {
    if (model instanceof classifier.Classifier || model instanceof segmenter.Segmenter)
      return model.forward(tinyImages());
    if (model instanceof LlamaLanguageModel)
      return model.forward(tf.tensor([1, 5, 2, 9, 0, 3], [2, 3], "int32"));
    const inputs = tinyInputs(model as mae.MaskedAutoencoder);
    return (model as mae.MaskedAutoencoder).decode(
      (model as mae.MaskedAutoencoder).encode(inputs),
      inputs.restoreRows,
    );
  });
  const data = await output.data<"float32">();
  output.dispose();
  return data.slice();
}

/** The block of the language model that the library ships. */
export const toyBlock = (options: llama.LoadBlockOptions = {}): Promise<LlamaBlocks> =>
  llama.loadBlock(join(repository, "data", "llama-toy"), options);

/** One of each kind of model, with every option somewhere away from its default, no weight at a special value. */
export async function everyKind(): Promise<[name: string, loader: Loader, model: SavableModel][]> {
  const rotated = await toyBlock({ causal: true, rope: true });
  lora.attach(rotated, { rank: 3, alpha: 5, targets: ["q_proj", "down_proj"], rankStabilized: true });
  const frozen = await toyBlock();
  const merged = tinyBlock({ depth: 2 });
  lora.attach(merged, { rank: 2, alpha: 3 });
  const inTheMiddle = fusion.through(rotated, {
    after: 1,
    normFirst: true,
    residual: true,
    mapperBias: true,
  });
  const vit = classifier.create({
    encoder: tinyViT,
    classes: 3,
    pooling: "cls",
    classNames: ["a", "b", "c"],
  });
  lora.attach(vit, { rank: 2, targets: ["qkv"], freeze: false });
  const grouped = {
    ...tinyLlama,
    heads: 4,
    kvHeads: 2,
    headDim: 6,
    qkvBias: true,
    qkNorm: true,
    normEps: 1e-5,
  };
  const scaled = {
    causal: true,
    rope: true,
    slidingWindow: 2,
    ropeScaling: { type: "linear", factor: 2 },
  } as const;
  const models: [string, Loader, SavableModel][] = [
    ["a ViT with LoRA", "classifier", vit],
    [
      "a classifier on a frozen block",
      "classifier",
      classifier.create({
        encoder: tinyViT,
        fusion: baselines.frozenBlock(frozen, { rmsNorm: false }),
        classes: 2,
      }),
    ],
    [
      "a segmenter on LUViT",
      "segmenter",
      segmenter.create({ encoder: tinyViT, fusion: fusion.mlp(6), classes: 4, classNames: ["a", "b", "c"] }),
    ],
    ["LUViT", "classifier", classifier.create({ encoder: tinyViT, fusion: inTheMiddle, classes: 2 })],
    [
      "MLP with an activation",
      "classifier",
      classifier.create({
        encoder: tinyViT,
        fusion: fusion.mlp(12, { activation: "gelu-norm" }),
        classes: 2,
      }),
    ],
    [
      "MLP-P",
      "classifier",
      classifier.create({ encoder: tinyViT, fusion: baselines.mlpP(tinyLlama), classes: 2 }),
    ],
    [
      "a masked auto-encoder with a random block",
      "mae",
      mae.create({
        encoder: tinyViT,
        decoder: tinyDecoder,
        fusion: merged,
        maskRatio: 0.5,
        normPixLoss: false,
      }),
    ],
    [
      "a language model",
      "llama",
      new LlamaLanguageModel({ ...grouped, ...scaled, depth: 2, vocabulary: 11 }),
    ],
  ];
  for (const [, , model] of models) perturb(model, (path) => !path.startsWith("llama.layers.0.attention.wk"));
  lora.merge(merged);
  return models;
}
