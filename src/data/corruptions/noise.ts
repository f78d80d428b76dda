import type { RgbImage } from "../pixels";
import type { Draws } from "./draws";
import { type Layer, mapLayer, toByteRange, toUnit } from "./image";

const sigmas = [0.08, 0.12, 0.18, 0.26, 0.38];
const photons = [60, 25, 12, 5, 3];
const amounts = [0.03, 0.06, 0.09, 0.17, 0.27];
const speckles = [0.15, 0.2, 0.35, 0.45, 0.6];

export function gaussianNoise(image: RgbImage, severity: number, draws: Draws): Layer {
  const sigma = sigmas[severity - 1];
  return toByteRange(mapLayer(toUnit(image), (x) => x + sigma * draws.normal()));
}

export function shotNoise(image: RgbImage, severity: number, draws: Draws): Layer {
  const count = photons[severity - 1];
  return toByteRange(mapLayer(toUnit(image), (x) => draws.poisson(x * count) / count));
}

/** Salt and pepper: which values are hit is drawn for all of them, then which of them become white. */
export function impulseNoise(image: RgbImage, severity: number, draws: Draws): Layer {
  const amount = amounts[severity - 1];
  const unit = toUnit(image);
  const hit = unit.data.map(() => draws.between(0, 1));
  const white = unit.data.map(() => draws.between(0, 1));
  return toByteRange(mapLayer(unit, (x, i) => (hit[i] > amount ? x : white[i] <= 0.5 ? 1 : 0)));
}

export function speckleNoise(image: RgbImage, severity: number, draws: Draws): Layer {
  const sigma = speckles[severity - 1];
  return toByteRange(mapLayer(toUnit(image), (x) => x + x * sigma * draws.normal()));
}
