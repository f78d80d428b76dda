/** ImageNet-S's scores: from logits to ids, counts of pixels, numbers. */
export { boundaryBands } from "./boundary";
export { type SegmentationOptions, segmentation } from "./evaluate";
export { type SegmentationMaps, segmentationMaps } from "./maps";
export { addCounts, countImage, emptyCounts, type SegmentationCounts } from "./meter";
export { SegmentationEvaluation } from "./result";
export { SegmentationScores, type SegmentationSummary } from "./scores";
