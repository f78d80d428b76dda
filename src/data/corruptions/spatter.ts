import { type RgbImage, roundHalfEven } from "../pixels";
import type { Draws } from "./draws";
import { type Bytes, canny, distanceToZero, equalize } from "./edges";
import { correlate, gaussianBlur } from "./filters";
import { type Layer, mapLayer, plane, toByteRange, toSingle, toUnit } from "./image";

const spatters = [
  { mean: 0.65, sigma: 0.3, blur: 4, least: 0.69, strength: 0.6, mud: false },
  { mean: 0.65, sigma: 0.3, blur: 3, least: 0.68, strength: 0.6, mud: false },
  { mean: 0.65, sigma: 0.3, blur: 2, least: 0.68, strength: 0.5, mud: false },
  { mean: 0.65, sigma: 0.3, blur: 1, least: 0.65, strength: 1.5, mud: true },
  { mean: 0.67, sigma: 0.4, blur: 1, least: 0.65, strength: 1.5, mud: true },
];
const water = [175 / 255, 238 / 255, 238 / 255];
const mud = [63 / 255, 42 / 255, 20 / 255];
/** Light from the upper left on a height map. */
const relief = [-2, -1, 0, -1, 1, 1, 0, 1, 2];
const ones = new Float64Array(9).fill(1);

/** Drops of water or of mud on the lens. */
export function spatter(image: RgbImage, severity: number, draws: Draws): Layer {
  const { mean, sigma, blur, least, strength, mud: muddy } = spatters[severity - 1];
  const noise = plane(image.width, image.height, () => mean + sigma * draws.normal());
  const liquid = mapLayer(gaussianBlur(noise, blur), (x) => (x < least ? 0 : x));
  const unit = toSingle(toUnit(image));
  if (muddy) {
    const drops = mapLayer(liquid, (x) => (x > least ? 1 : 0));
    const cover = gaussianBlur(drops, strength, { single: true }).data.map((x) => (x < 0.8 ? 0 : x));
    return toByteRange(
      mapLayer(unit, (x, i) => x * (1 - cover[(i / 3) | 0]) + mud[i % 3] * cover[(i / 3) | 0]),
    );
  }
  const shine = waterShine(liquid);
  const most = shine.reduce((a, b) => Math.max(a, b));
  const share = shine.map((x) => (most > 0 ? (strength * x) / most : 0));
  return toByteRange(mapLayer(unit, (x, i) => x + share[(i / 3) | 0] * water[i % 3]));
}

/** How bright each pixel of a liquid in 0 … 1 is: its height times its relief, [H, W]. */
export function waterShine(liquid: Layer): Float64Array {
  const { width, height } = liquid;
  const bytes = (data: Uint8Array): Bytes => ({ data, width, height });
  const layer = (data: ArrayLike<number>): Layer => ({
    data: Float64Array.from(data),
    width,
    height,
    channels: 1,
  });
  const thick = Uint8Array.from(liquid.data, (x) => Math.trunc(x * 255));
  const edges = canny(bytes(thick), 50, 150);
  const near = distanceToZero(bytes(edges.map((edge) => 255 - edge))).map((distance) =>
    Math.min(20, distance),
  );
  const smooth = Uint8Array.from(meanOf9(layer(near)), (x) => Math.trunc(Math.fround(x)));
  const lit = correlate(layer(equalize(smooth)), relief, 3, "reflect101").data;
  const clipped = lit.map((x) => Math.min(255, Math.max(0, x)));
  return meanOf9(layer(clipped)).map((x, i) => roundHalfEven(x) * thick[i]);
}

/** Mean over 3 x 3 pixels; the sum comes first, so that the mean of equal numbers is that number. */
function meanOf9(layer: Layer): Float64Array {
  return correlate(layer, ones, 3, "reflect101").data.map((sum) => sum * (1 / 9));
}
