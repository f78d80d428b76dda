import type { RgbImage } from "../pixels";
import type { Draws } from "./draws";
import { clipUnit, type Layer, mapLayer, plane, toByteRange, toSingle, toUnit } from "./image";
import { motionBlurred } from "./motion";
import { zoomedCenter } from "./zoom";

const snows = [
  { mean: 0.1, sigma: 0.3, zoom: 3, least: 0.5, radius: 10, blur: 4, share: 0.8 },
  { mean: 0.2, sigma: 0.3, zoom: 2, least: 0.5, radius: 12, blur: 4, share: 0.7 },
  { mean: 0.55, sigma: 0.3, zoom: 4, least: 0.9, radius: 12, blur: 8, share: 0.7 },
  { mean: 0.55, sigma: 0.3, zoom: 4.5, least: 0.85, radius: 12, blur: 8, share: 0.65 },
  { mean: 0.55, sigma: 0.3, zoom: 2.5, least: 0.85, radius: 12, blur: 12, share: 0.55 },
];

/** Whitens the image and lets flakes fall from both sides. */
export function snow(image: RgbImage, severity: number, draws: Draws): Layer {
  const { share } = snows[severity - 1];
  const flakes = fallingFlakes(image.width, image.height, severity, draws).data;
  const unit = toSingle(toUnit(image));
  const whitened = mapLayer(unit, (x, i) => {
    const pixel = 3 * Math.floor(i / 3);
    const [r, g, b] = [unit.data[pixel], unit.data[pixel + 1], unit.data[pixel + 2]];
    const gray = 0.299 * r + 0.587 * g + 0.114 * b;
    return share * x + (1 - share) * Math.max(x, gray * 1.5 + 0.5);
  });
  const last = flakes.length - 1;
  return toByteRange(
    mapLayer(whitened, (x, i) => {
      const pixel = Math.floor(i / 3);
      return x + flakes[pixel] + flakes[last - pixel];
    }),
  );
}

function fallingFlakes(width: number, height: number, severity: number, draws: Draws): Layer {
  const { mean, sigma, zoom, least, radius, blur } = snows[severity - 1];
  const noise = plane(width, height, () => mean + sigma * draws.normal());
  const flakes = mapLayer(zoomedCenter(noise, zoom), (x) => (x < least ? 0 : Math.trunc(255 * clipUnit(x))));
  const falling = motionBlurred(flakes, { radius, sigma: blur, angle: draws.between(-135, -45) });
  return mapLayer(falling, (byte) => byte / 255);
}
