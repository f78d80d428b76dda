/** Mean per channel of ImageNet images, in units of 0 … 1. */
export const imageNetMean: readonly [number, number, number] = [0.485, 0.456, 0.406];
/** Standard deviation per channel of ImageNet images, in units of 0 … 1. */
export const imageNetStd: readonly [number, number, number] = [0.229, 0.224, 0.225];

/** What happens to an image before a model that was trained so; plain JSON. */
export interface Preprocessing {
  /** Side of the result in pixels. */
  readonly size: number;
  /** "shorterSide": shorter side to floor(size / cropRatio), then the centered square; "none": images have the size. */
  readonly resize: "shorterSide" | "none";
  /** Share of the resized image's shorter side that is kept; 1 where nothing is resized. */
  readonly cropRatio: number;
  readonly interpolation: "bicubic";
  /** Per channel, of values in 0 … 1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** 0.875 up to 224 pixels and 1 above. Reference: mae/util/datasets.py. */
export function usualCropRatio(size: number): number {
  return size <= 224 ? 0.875 : 1;
}

/** MAE's for evaluation, ImageNet's mean and deviation, at a given size. */
export function usualPreprocessing(size: number, cropRatio = usualCropRatio(size)): Preprocessing {
  const normalization = { mean: imageNetMean, std: imageNetStd };
  return { size, resize: "shorterSide", cropRatio, interpolation: "bicubic", ...normalization };
}
