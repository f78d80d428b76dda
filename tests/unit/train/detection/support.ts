import { join } from "node:path";
import { openCoco } from "../../../../src/data/coco";
import { fitSquare, largeScaleJitter } from "../../../../src/data/detection";
import { create } from "../../../../src/models/detector/create";
import { repository } from "../../nn/support";

const SIDE = 48;

/** A few of the drawn scenes, small. */
export async function scenes(part: "train" | "val", count: number) {
  const transform = part === "train" ? largeScaleJitter(SIDE, { scale: [0.8, 1.2] }) : fitSquare(SIDE);
  const set = await openCoco({ root: join(repository, "data/shapes/coco"), part, transform });
  return set.take(count);
}

/** A detector of some thousand weights for them. */
export function smallDetector(options: { masks?: boolean; seed?: number } = {}) {
  return create({
    encoder: { imageSize: SIDE, patchSize: 12, dim: 16, depth: 2, heads: 2, mlpRatio: 2 },
    imageSize: SIDE,
    windowSize: 3,
    globalBlocks: [1],
    classes: 6,
    pyramid: 8,
    regions: {
      sizes: [[6], [10], [14], [20], [28]],
      perImage: 16,
      perLevel: { train: 30, test: 20 },
      proposals: { train: 20, test: 12 },
    },
    rois: {
      perImage: 12,
      convolutions: 1,
      channels: 8,
      hidden: 16,
      canonicalSize: 32,
      detections: { scoreThreshold: 0, threshold: 0.5, perImage: 5 },
    },
    ...options,
  });
}

export const settings = {
  epochs: 2,
  batchSize: 2,
  lr: 1e-3,
  warmupSteps: 2,
  engine: "onnxruntime",
  threads: 1,
} as const;
