/**
 * Images with labels or masks: folders, published sets, transforms, batches that can be resumed.
 *
 * @module
 */
export { randomErasing } from "./augment/erasing";
export { augment, drawRandAugment } from "./augment/randAugment";
export { ClassMapping } from "./classMapping";
export * as corruptions from "./corruptions";
export { type ImageDataset, SkipReport, shard } from "./dataset";
export { decodeImage } from "./decode";
export { FolderDataset, type ImageFolderOptions, imageFolder } from "./imageFolder";
export type { ImageTransform } from "./imageTransform";
export { type Batch, batches, batchesPerEpoch } from "./loader";
export { decodeMaskIds, maskCells } from "./masks";
export { drawMix, mixBatch } from "./mixup";
export { imageNetMean, imageNetStd, normalize, unnormalize } from "./normalize";
export { pictures } from "./preview";
export { cropBox, resize } from "./resample";
export type { RgbImage } from "./rgbImage";
export { imageNetS, MaskedDataset, type MaskedSample } from "./segmentation";
export { imageNetA, imageNetC, imageNetR, imageNetSketch, imageNetV2 } from "./sets/benchmarks";
export { type CorruptionType, corruptionTypes } from "./sets/corruptionTypes";
export { huggingFace } from "./sets/huggingFace";
export { imageNet1k } from "./sets/imageNet1k";
export { type ImageNet9Split, imageNet9 } from "./sets/imageNet9";
export { toyClasses, writeToySet } from "./toy/toySet";
export * as transforms from "./transforms";
