import type { FinetuneOptions } from "./finetune";
import type { TrainOptions } from "./plan";

/**
 * MAE pretraining as in LUViT D.2: 800 epochs, effective batch 4096, base rate 1.5e-4 (2.4e-3 after scaling), 40 epochs
 * of warm-up, AdamW (0.9, 0.95), weight decay 0.05. On ImageNet-1K this is days on a node of GPUs; `batchSize` times
 * `accumulate` must be 4096. Reference: mae/PRETRAIN.md.
 */
export const maePretrain: Readonly<TrainOptions> = {
  epochs: 800,
  batchSize: 64,
  accumulate: 64,
  baseLr: 1.5e-4,
  minLr: 0,
  warmupEpochs: 40,
  weightDecay: 0.05,
  betas: [0.9, 0.95],
};

/**
 * Finetuning ViT-B as in LUViT D.3: 100 epochs, effective batch 1024, rate 1e-3 (read as the base rate: 4e-3 after
 * scaling), layer decay 0.75, drop path 0.1, mixup 0.8, cutmix 1.0. The paper's own ViT-B baseline reaches 83.2 % top-1,
 * with RandAugment, which this version does not have yet.
 */
export const finetune: Readonly<FinetuneOptions> = {
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
};

/** MAE's own finetuning recipe for ViT-B: base rate 5e-4, layer decay 0.65; 83.6 % top-1. Reference: mae/FINETUNE.md. */
export const finetuneMae: Readonly<FinetuneOptions> = { ...finetune, baseLr: 5e-4, layerDecay: 0.65 };

/** Pretraining `vit.toy` on the bundled shapes: seconds as one compiled graph, half a minute op by op. */
export const toyPretrain: Readonly<TrainOptions> = {
  epochs: 6,
  batchSize: 32,
  lr: 3e-3,
  minLr: 0,
  warmupEpochs: 1,
  weightDecay: 0.05,
};

/** Finetuning `vit.toy` on the bundled shapes: half a minute compiled, two op by op; well above chance (16.7 %). */
export const toyFinetune: Readonly<FinetuneOptions> = {
  epochs: 8,
  batchSize: 32,
  lr: 3e-3,
  minLr: 1e-5,
  warmupEpochs: 1,
  weightDecay: 0.05,
  layerDecay: 0.95,
  dropPath: 0,
  smoothing: 0.1,
};
