/**
 * Images with labels or masks: folders, published sets, transforms, batches that can be resumed.
 *
 * @module
 */

export { ClassMapping } from "./classMapping";
export { DetectionDataset, type DetectionSample, openCoco as coco } from "./coco";
export * as corruptions from "./corruptions";
export { type CorruptionType, corruptionTypes } from "./corruptionTypes";
export { type ImageDataset, SkipReport, shard } from "./dataset";
export { FolderDataset, type ImageFolderOptions, imageFolder } from "./imageFolder";
export type { ImageTransform } from "./imageTransform";
export { type Batch, batches, batchesPerEpoch } from "./loader";
export { decodeMaskIds, maskCells } from "./masks";
export { drawMix, mixBatch } from "./mixup";
export type { RgbImage } from "./pixels";
export {
  applyAugmentation,
  cropBox,
  drawRandAugment,
  imageNetMean,
  imageNetStd,
  normalize,
  randomErasing,
  resize,
  unnormalize,
} from "./pixels";
export { preview } from "./preview";
export { decodeImage } from "./reading";
export { imageNetS, MaskedDataset, type MaskedSample } from "./segmentation";
export {
  huggingFace,
  type ImageNet9Split,
  imageNet1k,
  imageNet9,
  imageNetA,
  imageNetC,
  imageNetR,
  imageNetSketch,
  imageNetV2,
} from "./sets";
export { toyClasses, writeToySet } from "./toy";
export * as toy from "./toyNamespace";
export * as transforms from "./transforms";
export { WholeImages, type WholeImagesOptions, type WholeSample, wholeImages } from "./wholeImages";
