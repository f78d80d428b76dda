import type { DetectorOptions } from "./options";

/**
 * For teaching and tests: a detector of half a million weights for images of 96 pixels, as in `data/shapes/coco`. Trained
 * by `recipes.detectToy` in two minutes.
 */
export const toy = {
  encoder: { imageSize: 96, patchSize: 12, dim: 64, depth: 3, heads: 4, mlpRatio: 4 },
  imageSize: 96,
  windowSize: 4,
  globalBlocks: [1, 2],
  pyramid: 32,
  regions: {
    sizes: [
      [16, 24],
      [32, 44],
      [56, 72],
      [96, 128],
      [160, 200],
    ],
    perImage: 64,
    perLevel: { train: 150, test: 80 },
    proposals: { train: 80, test: 40 },
  },
  rois: {
    perImage: 32,
    convolutions: 1,
    channels: 32,
    hidden: 128,
    canonicalSize: 64,
    detections: { scoreThreshold: 0.05, threshold: 0.5, perImage: 20 },
  },
} satisfies Omit<DetectorOptions, "classes">;
