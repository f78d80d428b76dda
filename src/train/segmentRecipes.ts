import type { RecipeNotes } from "./plan";
import { costOf } from "./recipeCost";
import type { SegmentOptions } from "./segment";

type SegmentRecipe = Readonly<SegmentOptions> & { readonly recipe: RecipeNotes };

/** Images in ImageNet-S-919's train-semi part. */
const SEMI_IMAGES = 9190;

function recipe(options: SegmentOptions, notes: Omit<RecipeNotes, "cost" | "augment">): SegmentRecipe {
  const { steps, images } = costOf(options, SEMI_IMAGES);
  const effective = options.batchSize * (options.accumulate ?? 1);
  const cost = `${steps.toLocaleString("en-US")} steps of ${effective} on ImageNet-S-919, ${(images / 1e6).toFixed(1)} million images`;
  return { ...options, recipe: { ...notes, augment: "segment", cost } };
}

/**
 * ImageNet-S's semi-supervised segmentation from weights without labels (MAE, LUViT's pretraining): 100 epochs, effective
 * batch 256, base rate 5e-4, layer decay 0.6, drop path 0.1. `batchSize` times `accumulate` must be 256.
 * Reference: LUSSeg/ImageNetSegModel MODEL_ZOO.md, main_segfinetune.py.
 */
export const segmentSsl = recipe(
  {
    epochs: 100,
    batchSize: 32,
    accumulate: 8,
    baseLr: 5e-4,
    minLr: 1e-6,
    warmupEpochs: 5,
    weightDecay: 0.05,
    betas: [0.9, 0.999],
    layerDecay: 0.6,
    dropPath: 0.1,
    augment: true,
  },
  {
    name: "segmentSsl",
    source: "LUSSeg/ImageNetSegModel MODEL_ZOO.md",
    rows: "none",
    expected: "ImageNet-S-919 with MAE's ViT-B/16 of 1600 epochs: 38.3 % mIoU on val, 37.0 on test",
  },
);

/** The same from a finetuned classifier: base rate 1e-4, layer decay 0.4. */
export const segmentSslSup = recipe(
  { ...segmentSsl, baseLr: 1e-4, layerDecay: 0.4 },
  {
    ...segmentSsl.recipe,
    name: "segmentSslSup",
    expected: "ImageNet-S-919 with MAE's finetuned ViT-B/16: 61.0 % mIoU on val, 60.2 on test",
  },
);

/** Segmenting the bundled shapes with `vit.toy`: seconds compiled; "other" everywhere gives about 12 % mIoU. */
export const segmentToy: SegmentRecipe = {
  epochs: 40,
  batchSize: 12,
  lr: 3e-3,
  minLr: 1e-5,
  warmupEpochs: 2,
  weightDecay: 0.05,
  layerDecay: 0.9,
  dropPath: 0,
  augment: true,
  recipe: {
    name: "segmentToy",
    source: "made for the bundled shapes",
    rows: "none",
    expected: 'well above "other" everywhere',
    cost: "seconds compiled",
    augment: "segment",
  },
};
