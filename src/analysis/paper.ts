/*
 * What the LUViT paper reports, where it is known here; a number that is not known is left out. Percent.
 */

/** A number of the paper for each of the two models it compares, ViT-B/16 and LUViT-B/16. */
export interface PaperPair {
  readonly ViT?: number;
  readonly LUViT?: number;
}

/** Table 1: finetuned after MAE pretraining of 800 epochs. */
export const paperTable1 = { in1k: { ViT: 83.2 } } as const satisfies Record<string, PaperPair>;

/** Table 2: COCO with ViTDet and Mask R-CNN, average precision of boxes and of masks. */
export const paperTable2 = {
  bbox: {
    AP: { ViT: 50.6, LUViT: 51.1 },
    AP50: { ViT: 71.0, LUViT: 71.5 },
    AP75: { ViT: 55.5, LUViT: 55.9 },
  },
  segm: {
    AP: { ViT: 44.9, LUViT: 45.1 },
    AP50: { ViT: 68.2, LUViT: 68.8 },
    AP75: { ViT: 48.7, LUViT: 48.8 },
  },
} as const satisfies Record<string, Record<string, PaperPair>>;

/** A detector that somebody has trained on COCO and told of: average precision on val2017, percent. */
export interface PublishedDetector {
  readonly model: string;
  /** Whose code it was trained with. */
  readonly code: "mmdetection" | "detectron2";
  readonly source: string;
  readonly bbox: CocoPrecision;
  readonly segm: CocoPrecision;
}

/** Over all overlaps, and at 0.5 and 0.75 alone where that was told. */
export interface CocoPrecision {
  readonly AP: number;
  readonly AP50?: number;
  readonly AP75?: number;
}

const ofPaper = (model: keyof PaperPair, kind: keyof typeof paperTable2): CocoPrecision => {
  const { AP, AP50, AP75 } = paperTable2[kind];
  return { AP: AP[model], AP50: AP50[model], AP75: AP75[model] };
};

/** Table 2, and the same detector as its authors trained it. */
export const publishedDetectors: readonly PublishedDetector[] = [
  ...(["ViT", "LUViT"] as const).map((model) => ({
    model: `${model}-B/16`,
    code: "mmdetection" as const,
    source: "LUViT, Table 2",
    bbox: ofPaper(model, "bbox"),
    segm: ofPaper(model, "segm"),
  })),
  {
    model: "ViT-B/16, MAE 1600 epochs",
    code: "detectron2",
    source: "detectron2 projects/ViTDet",
    bbox: { AP: 51.6 },
    segm: { AP: 45.9 },
  },
];

/** Table 3: trained with labels alone. Table 1 prints 60.2 for the same number. */
export const paperTable3 = { c: { ViT: 60.5 } } as const satisfies Record<string, PaperPair>;

/** Table 5: ImageNet-9. */
export const paperTable5 = {
  original: { ViT: 96.5, LUViT: 96.6 },
  mixed_same: { ViT: 87.8, LUViT: 89.2 },
  mixed_rand: { ViT: 83.2, LUViT: 85.3 },
} as const satisfies Record<string, PaperPair>;

/** Table 7: pseudo-masks of the last ViT block against ImageNet-S, mean intersection over union. */
export const paperTable7 = {
  "ImageNet-S-50": { frequency: { ViT: 39.8, LUViT: 41.3 }, magnitude: { ViT: 42.3, LUViT: 43.8 } },
  "ImageNet-S-300": { frequency: { ViT: 40.9, LUViT: 42.3 }, magnitude: { ViT: 42.8, LUViT: 43.5 } },
  "ImageNet-S-919": { frequency: { ViT: 40.8, LUViT: 42.1 }, magnitude: { ViT: 42.8, LUViT: 43.3 } },
} as const satisfies Record<string, Record<string, PaperPair>>;

/** Figures 2, 4 and 5: share of images whose background has the higher attention entropy. */
export const paperEntropyShares = {
  "ImageNet-S-50": { ViT: 42, LUViT: 84 },
  "ImageNet-S-300": { ViT: 43, LUViT: 83 },
  "ImageNet-S-919": { ViT: 44, LUViT: 83 },
} as const satisfies Record<string, PaperPair>;

/** ImageNet-S-919 after semi-supervised training, mean intersection over union; not of the paper, but beside it. */
export interface PublishedSegmentation {
  readonly pretraining: string;
  readonly backbone: string;
  /** Whose code and training. */
  readonly code: "ImageNetSegModel" | "mmsegmentation";
  readonly val: number;
  /** On masks that only the server has. */
  readonly test?: number;
}

/** Reference: model zoos of LUSSeg/ImageNetSegModel and of mmsegmentation's configs/imagenets. */
export const publishedImageNetS919: readonly PublishedSegmentation[] = [
  { pretraining: "MAE, 1600 epochs", backbone: "ViT-B/16", code: "ImageNetSegModel", val: 38.3, test: 37.0 },
  { pretraining: "MAE, finetuned", backbone: "ViT-B/16", code: "ImageNetSegModel", val: 61.0, test: 60.2 },
  { pretraining: "MAE, 1600 epochs", backbone: "ViT-B/16", code: "mmsegmentation", val: 40.0 },
  { pretraining: "MAE, finetuned", backbone: "ViT-B/16", code: "mmsegmentation", val: 61.6 },
  { pretraining: "SERE, 100 epochs", backbone: "ViT-S/16", code: "ImageNetSegModel", val: 41.0, test: 40.2 },
  { pretraining: "SERE, finetuned", backbone: "ViT-S/16", code: "ImageNetSegModel", val: 58.9, test: 57.8 },
];
