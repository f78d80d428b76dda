import type { RgbImage } from "../pixels";
import type { Draws } from "./draws";
import { inside } from "./filters";
import { type Layer, mapLayer, toLayer } from "./image";

const motions = [
  { radius: 10, sigma: 3 },
  { radius: 15, sigma: 5 },
  { radius: 15, sigma: 8 },
  { radius: 15, sigma: 12 },
  { radius: 20, sigma: 15 },
];

export function motionBlur(image: RgbImage, severity: number, draws: Draws): Layer {
  return motionBlurred(toLayer(image), { ...motions[severity - 1], angle: draws.between(-45, 45) });
}

/** How far an image is smeared, in pixels, and where to, in degrees clockwise from the right. */
export interface Motion {
  readonly radius: number;
  readonly sigma: number;
  readonly angle: number;
}

/**
 * Bytes smeared to one side with one half of a Gaussian, as ImageMagick's MotionBlurImage does to 8-bit images in its
 * 16 bits; beyond the edge lies the edge pixel again.
 */
export function motionBlurred(layer: Layer, { radius, sigma, angle }: Motion): Layer {
  const { data, width, height, channels } = layer;
  const taps = motionTaps(radius, sigma, angle);
  const result = new Float64Array(data.length);
  for (const { dx, dy, weight } of taps) {
    const columns = Int32Array.from({ length: width }, (_, x) => inside(x + dx, width, "nearest") * channels);
    for (let y = 0; y < height; y++) {
      const row = inside(y + dy, height, "nearest") * width * channels;
      const to = y * width * channels;
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < channels; c++) {
          result[to + x * channels + c] += weight * data[row + columns[x] + c];
        }
      }
    }
  }
  return mapLayer({ ...layer, data: result }, quantize);
}

/** ImageMagick holds 257 times the byte as a whole number; its PNG writer cuts off what is below a byte. */
function quantize(value: number): number {
  return Math.floor(Math.floor(value * 257 + 0.5) / 257);
}

interface Tap {
  readonly dx: number;
  readonly dy: number;
  readonly weight: number;
}

function motionTaps(radius: number, sigma: number, angle: number): Tap[] {
  const length = 2 * Math.ceil(radius) + 1;
  const weights = Array.from({ length }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)));
  const sum = weights.reduce((a, b) => a + b);
  const radians = (angle * Math.PI) / 180;
  return weights.map((weight, i) => ({
    dx: Math.ceil(i * Math.cos(radians) - 0.5),
    dy: Math.ceil(i * Math.sin(radians) - 0.5),
    weight: weight / sum,
  }));
}
