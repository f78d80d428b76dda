import type { DistillOptions } from "./distill";
import type { FinetuneOptions } from "./finetuneOptions";

export { coco, cocoDetectron2, detectToy } from "./detection/recipes";

import type { RecipeNotes, TrainOptions } from "./plan";
import { costOf } from "./recipeCost";

export { segmentSsl, segmentSslSup, segmentToy } from "./segmentRecipes";

/** Options of a published run, with what it is and what came out of it. Spread them and change what you like. */
export type Recipe<Options extends TrainOptions> = Readonly<Options> & { readonly recipe: RecipeNotes };

function recipe<Options extends TrainOptions>(
  options: Options,
  notes: Omit<RecipeNotes, "cost">,
): Recipe<Options> {
  const { steps, images } = costOf(options);
  const effective = options.batchSize * (options.accumulate ?? 1);
  const cost = `${steps.toLocaleString("en-US")} steps of ${effective} on ImageNet-1K, ${(images / 1e6).toFixed(0)} million images`;
  return { ...options, recipe: { ...notes, cost } };
}

/**
 * MAE pretraining as in LUViT D.2: 800 epochs, effective batch 4096, base rate 1.5e-4 (2.4e-3 after scaling), 40 epochs
 * of warm-up, AdamW (0.9, 0.95), weight decay 0.05; `batchSize` times `accumulate` must be 4096. Every finetuned row of
 * Tables 1, 4 and 5 begins with it. Reference: mae/PRETRAIN.md.
 */
export const pretrainMae = recipe<TrainOptions>(
  {
    epochs: 800,
    batchSize: 64,
    accumulate: 64,
    baseLr: 1.5e-4,
    minLr: 0,
    warmupEpochs: 40,
    weightDecay: 0.05,
    betas: [0.9, 0.95],
  },
  {
    name: "pretrainMae",
    source: "LUViT D.2; mae/PRETRAIN.md",
    rows: "Tables 1, 4, 5 and 7, after finetuning",
    expected: "ViT-B/16 finetuned: 83.2 % top-1",
    augment: "mae",
  },
);

/** What MAE's released checkpoints were pretrained with: the same for 1600 epochs. Reference: mae/README.md. */
export const pretrainMae1600 = recipe<TrainOptions>(
  { ...pretrainMae, epochs: 1600 },
  {
    ...pretrainMae.recipe,
    name: "pretrainMae1600",
    source: "mae/README.md (released checkpoints)",
    rows: "none",
    expected: "ViT-B/16 finetuned with finetuneMae: 83.66 % top-1",
  },
);

/**
 * Finetuning ViT-B as in LUViT D.3: 100 epochs, effective batch 1024, rate 1e-3, layer decay 0.75, drop path 0.1, mixup
 * 0.8, cutmix 1.0, RandAugment (9, 0.5). The rate is read as the base rate (4e-3 after scaling); for the other reading give
 * `baseLr: undefined, lr: 1e-3`. Random erasing is not mentioned; 0.25 is MAE's.
 */
export const finetuneLuvit = recipe<FinetuneOptions>(
  {
    epochs: 100,
    batchSize: 32,
    accumulate: 32,
    baseLr: 1e-3,
    minLr: 1e-6,
    warmupEpochs: 5,
    weightDecay: 0.05,
    betas: [0.9, 0.999],
    layerDecay: 0.75,
    dropPath: 0.1,
    smoothing: 0.1,
    mix: { mixupAlpha: 0.8, cutmixAlpha: 1.0 },
    augment: {
      randAugment: { layers: 2, magnitude: 9, magnitudeStd: 0.5, probability: 0.5 },
      erasing: 0.25,
    },
  },
  {
    name: "finetuneLuvit",
    source: "LUViT D.3",
    rows: "Tables 1, 4, 5 and 7",
    expected: "ViT-B/16: 83.2 % top-1",
    augment: "finetune",
  },
);

/** MAE's own finetuning recipe for ViT-B: base rate 5e-4 (2e-3), layer decay 0.65. Reference: mae/FINETUNE.md. */
export const finetuneMae = recipe<FinetuneOptions>(
  { ...finetuneLuvit, baseLr: 5e-4, layerDecay: 0.65 },
  {
    name: "finetuneMae",
    source: "mae/FINETUNE.md",
    rows: "none",
    expected: "ViT-B/16 pretrained for 1600 epochs: 83.66 % top-1 (83.46 to 83.66 over seeds)",
    augment: "finetune",
  },
);

/**
 * Labels alone, from scratch, as LM4VisualEncoding trains ViT and ViT-LLaMA (after DeiT): 300 epochs, effective batch
 * 1024, rate 5e-4 per 512 images (1e-3), 20 epochs of warm-up, one rate per epoch, every image of an epoch augmented
 * three times, moving average of the weights. Goes with `classifier.create({ pooling: "cls" })`. Its options list 10
 * epochs of cool-down, but its loop ends before them, so there are none here; `cooldownEpochs: 10` adds them. The
 * reported numbers are the weights', not their average's.
 * Reference: LM4VisualEncoding image_classification/README.md, main.py, utils.py.
 */
export const supervised = recipe<FinetuneOptions>(
  {
    ...finetuneLuvit,
    epochs: 300,
    baseLr: 2.5e-4,
    minLr: 1e-5,
    warmupLr: 1e-6,
    warmupEpochs: 20,
    layerDecay: 1,
    repeatedAugmentation: 3,
    emaDecay: 0.99996,
  },
  {
    name: "supervised",
    source: "LM4VisualEncoding image_classification",
    rows: "Table 3",
    expected: "ViT-S/16 80.1 % top-1, with LLaMA's block 80.7 %",
    augment: "finetune",
    departs: "mixup and cutmix are drawn for each batch of 32 (theirs: for each GPU's 256)",
  },
);

/** Pretraining `vit.toy` on the bundled shapes: seconds as one compiled graph, half a minute op by op. */
export const pretrainToy: Recipe<TrainOptions> = {
  epochs: 6,
  batchSize: 32,
  lr: 3e-3,
  minLr: 0,
  warmupEpochs: 1,
  weightDecay: 0.05,
  recipe: {
    name: "pretrainToy",
    source: "made for the bundled shapes",
    rows: "none",
    expected: "the loss falls",
    cost: "seconds",
    augment: "mae",
  },
};

/** Finetuning `vit.toy` on the bundled shapes: half a minute compiled, two op by op; well above chance (16.7 %). */
export const finetuneToy: Recipe<FinetuneOptions> = {
  epochs: 8,
  batchSize: 32,
  lr: 3e-3,
  minLr: 1e-5,
  warmupEpochs: 1,
  weightDecay: 0.05,
  layerDecay: 0.95,
  dropPath: 0,
  smoothing: 0.1,
  recipe: {
    name: "finetuneToy",
    source: "made for the bundled shapes",
    rows: "none",
    expected: "well above chance (16.7 %)",
    cost: "half a minute compiled",
    augment: "finetune",
  },
};

/**
 * A plain ViT-B/16 taught by a finetuned LUViT-B/16: layers behind the language path and logits, with the settings of
 * `finetuneLuvit` but for layer decay. Nobody has published such a run: weights, temperature and layers are this
 * library's own choice, tried on toy images alone.
 */
export const distillLuvit = recipe<DistillOptions>(
  {
    ...finetuneLuvit,
    layerDecay: 1,
    features: [{ teacher: "fusion.mapper2", student: "blocks.11", loss: "cosine", weight: 1 }],
    logits: { temperature: 1, weight: 0.5, reduction: "batch" },
    labels: { weight: 1 },
  },
  {
    name: "distillLuvit",
    source: "this library's own choice; LUViT C.2 names distillation as future work",
    rows: "none",
    expected: "unknown: nobody has published such a run",
    augment: "finetune",
  },
);

/** Teaching `vit.toy` on the bundled shapes; weights, temperature and layers are this library's own choice. */
export const distillToy: Recipe<DistillOptions> = {
  ...finetuneToy,
  features: [{ teacher: "fusion.mapper2", student: "blocks.3", loss: "cosine", weight: 1 }],
  logits: { temperature: 1, weight: 0.5, reduction: "batch" },
  labels: { weight: 1 },
  recipe: {
    name: "distillToy",
    source: "made for the bundled shapes",
    rows: "none",
    expected: "well above chance (16.7 %)",
    cost: "a minute compiled",
    augment: "finetune",
  },
};
