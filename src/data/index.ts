export * from "./augment/erasing";
export * from "./augment/randAugment";
export * from "./classMapping";
export * as corruptions from "./corruptions";
export * from "./dataset";
export * from "./decode";
export * from "./geometry";
export * from "./imageFolder";
export * from "./loader";
export * from "./masks";
export * from "./mixup";
export type { PictureJob, PictureReader } from "./pictureReader";
export * from "./normalize";
export * from "./pixelCache";
export * from "./preview";
export * from "./repetitions";
export * from "./resample";
export {
  imageExtensions,
  type LabelledFile,
  listClassFolders,
  listImages,
  scanClassFolders,
  type ScannedFolder,
} from "./scanFolder";
export * from "./segmentation";
export * from "./sets";
export * from "./toy/toySet";
export * from "./transforms";
export { readOrReplace, type ReplaceableImages } from "./unreadable";
