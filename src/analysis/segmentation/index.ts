/** ImageNet-S's scores: from logits to ids, counts of pixels, numbers. */
export { boundaryBands } from "./boundary";
export { addCounts, countImage, emptyCounts, type SegmentationCounts } from "./meter";
export { type LogitPlanes, predictIds } from "./predict";
export { SegmentationScores, type SegmentationSummary } from "./scores";
