import type { RgbImage } from "../pixels";
import type { Draws } from "./draws";
import { type Layer, mapLayer, toByteRange, toUnit } from "./image";

/** Per severity. */
export const fogs = [
  { strength: 1.5, decay: 2 },
  { strength: 2, decay: 2 },
  { strength: 2.5, decay: 1.7 },
  { strength: 2.5, decay: 1.5 },
  { strength: 3, decay: 1.4 },
];

/** Adds a cloud and scales back to the image's own maximum. */
export function fog(image: RgbImage, severity: number, draws: Draws): Layer {
  const size = 2 ** Math.ceil(Math.log2(Math.max(image.width, image.height)));
  return underCloud(image, severity, plasma(size, fogs[severity - 1].decay, draws), size);
}

/** The upper left part of a cloud [size, size] before an image. */
export function underCloud(image: RgbImage, severity: number, cloud: Float64Array, size: number): Layer {
  const { strength } = fogs[severity - 1];
  const unit = toUnit(image);
  const most = unit.data.reduce((a, b) => Math.max(a, b));
  return toByteRange(
    mapLayer(unit, (x, i) => {
      const pixel = Math.floor(i / 3);
      const thick = cloud[Math.floor(pixel / image.width) * size + (pixel % image.width)];
      return ((x + strength * thick) * most) / (most + strength);
    }),
  );
}

/**
 * A cloud in 0 … 1 by diamonds and squares on a torus, [size, size] with `size` a power of 2. Each step adds
 * wibble * U(-wibble, wibble) to the mean of four neighbors; wibble begins with 100 and is divided by `decay`.
 */
export function plasma(size: number, decay: number, draws: Draws): Float64Array {
  const map = new Float64Array(size * size);
  const at = (y: number, x: number) => map[((y + size) % size) * size + ((x + size) % size)];
  let wibble = 100;
  for (let step = size; step >= 2; step /= 2) {
    const half = step / 2;
    const fill = (top: number, left: number, neighbors: readonly (readonly [number, number])[]) => {
      for (let y = top; y < size; y += step) {
        for (let x = left; x < size; x += step) {
          const sum = neighbors.reduce((total, [dy, dx]) => total + at(y + dy * half, x + dx * half), 0);
          map[y * size + x] = sum / 4 + wibble * draws.between(-wibble, wibble);
        }
      }
    };
    fill(half, half, corners);
    fill(0, half, sides);
    fill(half, 0, sides);
    wibble /= decay;
  }
  const least = map.reduce((a, b) => Math.min(a, b));
  const most = map.reduce((a, b) => Math.max(a, b)) - least;
  return map.map((height) => (height - least) / most);
}

const corners = [
  [-1, -1],
  [-1, 1],
  [1, -1],
  [1, 1],
] as const;
const sides = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
] as const;
