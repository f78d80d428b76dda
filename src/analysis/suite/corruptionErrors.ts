import type { CorruptionType } from "../../data/sets";

/**
 * AlexNet's top-1 error on each corruption of the benchmark, mean over severities: what corruption errors are divided
 * by. Reference: LM4VisualEncoding image_classification/utils.py, after hendrycks/robustness.
 */
export const alexNetErrors: Readonly<Partial<Record<CorruptionType, number>>> = {
  gaussian_noise: 0.886428,
  shot_noise: 0.894468,
  impulse_noise: 0.92264,
  defocus_blur: 0.81988,
  glass_blur: 0.826268,
  motion_blur: 0.785948,
  zoom_blur: 0.79836,
  snow: 0.866816,
  frost: 0.826572,
  fog: 0.819324,
  brightness: 0.564592,
  contrast: 0.853204,
  elastic_transform: 0.646056,
  pixelate: 0.71784,
  jpeg_compression: 0.6065,
};
