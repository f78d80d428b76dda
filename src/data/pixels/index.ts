/** Pixels: JPEG decoding, crops, resizing, RandAugment and erasing, in WebAssembly and equal to Pillow's to the byte. */
export { Canvas } from "./augment/canvas";
export { applyColors, drawColors } from "./augment/colorJitter";
export { randomErasing } from "./augment/erasing";
export { operations } from "./augment/operations";
export { eraseRandomly } from "./augment/placedErasing";
export {
  applyAugmentation,
  drawRandAugment,
  type RandAugmentRecipe,
  randAugmentRecipe,
} from "./augment/randAugment";
export { unreadable } from "./badImage";
export {
  centerBox,
  cropIds,
  flipIds,
  type IdMap,
  resizeIds,
  roundHalfEven,
  shorterSideSize,
} from "./geometry";
export { isShortage, readImageFile } from "./imageFile";
export { decodeJpeg } from "./jpeg/decodeJpeg";
export { type JpegHeader, readJpegHeader } from "./jpeg/header";
export { isCmykJpeg } from "./jpeg/isCmyk";
export { type PlacedFile, placeBytes, placeFile } from "./jpeg/placedFile";
export {
  PixelMemory,
  type PlacedPixels,
  placedNumbers,
  type Region,
  RegionFull,
  type ResultPlace,
} from "./kernels/pixelMemory";
export { imageNetMean, imageNetStd, normalize, normalizePlaced, unnormalize } from "./normalize";
export {
  applySteps,
  applyStepsInto,
  flipInPlace,
  normalizedLast,
  type PixelSteps,
  type Planes,
  randomCrop,
  resized,
  resizedPart,
  whole,
} from "./pixelSteps";
export { type Box, cropBox, resize } from "./resample";
export { image, type RgbImage } from "./rgbImage";
