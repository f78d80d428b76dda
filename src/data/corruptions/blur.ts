import type { RgbImage } from "../pixels";
import type { Draws } from "./draws";
import { gaussianBlur as blurred, correlate, correlateLines, gaussianWeights } from "./filters";
import { type Layer, mapLayer, plane, toByteRange, toUnit } from "./image";

const sigmas = [1, 2, 3, 4, 6];

export function gaussianBlur(image: RgbImage, severity: number): Layer {
  return toByteRange(blurred(toUnit(image), sigmas[severity - 1]));
}

const glass = [
  { sigma: 0.7, reach: 1, passes: 2 },
  { sigma: 0.9, reach: 2, passes: 1 },
  { sigma: 1, reach: 2, passes: 3 },
  { sigma: 1.1, reach: 3, passes: 2 },
  { sigma: 1.5, reach: 4, passes: 2 },
];

/**
 * Blurs, displaces pixels, blurs again. The original means to swap two pixels; because it assigns views of one array,
 * both end up with the neighbor's value, and so they do here.
 */
export function glassBlur(image: RgbImage, severity: number, draws: Draws): Layer {
  const { sigma, reach, passes } = glass[severity - 1];
  const { width, height } = image;
  const first = mapLayer(blurred(toUnit(image), sigma), (x) => Math.trunc(x * 255));
  const { data } = first;
  for (let pass = 0; pass < passes; pass++) {
    for (let y = height - reach; y > reach; y--) {
      for (let x = width - reach; x > reach; x--) {
        const dx = draws.integer(-reach, reach);
        const dy = draws.integer(-reach, reach);
        const from = 3 * ((y + dy) * width + x + dx);
        data.copyWithin(3 * (y * width + x), from, from + 3);
      }
    }
  }
  return toByteRange(
    blurred(
      mapLayer(first, (x) => x / 255),
      sigma,
    ),
  );
}

const defocus = [
  { radius: 3, alias: 0.1 },
  { radius: 4, alias: 0.5 },
  { radius: 6, alias: 0.5 },
  { radius: 8, alias: 0.5 },
  { radius: 10, alias: 0.5 },
];

export function defocusBlur(image: RgbImage, severity: number): Layer {
  const kernel = defocusKernel(severity);
  return toByteRange(correlate(toUnit(image), kernel.data, kernel.width, "reflect101"));
}

/** A disk of equal weights with softened edge, at least 17 pixels wide: [size, size]. */
export function defocusKernel(severity: number): Layer {
  const { radius, alias } = defocus[severity - 1];
  const reach = Math.max(8, radius);
  const size = 2 * reach + 1;
  const within = plane(size, size, (i) =>
    ((i % size) - reach) ** 2 + (Math.floor(i / size) - reach) ** 2 <= radius ** 2 ? 1 : 0,
  );
  const area = within.data.reduce((a, b) => a + b);
  const weights = gaussianWeights(alias, radius <= 8 ? 1 : 2);
  const disk = mapLayer(within, (x) => Math.fround(x / area));
  return correlateLines(
    correlateLines(disk, weights, "rows", "reflect101"),
    weights,
    "columns",
    "reflect101",
  );
}
