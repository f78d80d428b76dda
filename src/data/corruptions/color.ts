import type { RgbImage } from "../pixels";
import { clipUnit, type Layer, mapLayer, toByteRange, toUnit } from "./image";

const contrasts = [0.4, 0.3, 0.2, 0.1, 0.05];
const brighter = [0.1, 0.2, 0.3, 0.4, 0.5];
const saturations = [
  { factor: 0.3, plus: 0 },
  { factor: 0.1, plus: 0 },
  { factor: 2, plus: 0 },
  { factor: 5, plus: 0.1 },
  { factor: 20, plus: 0.2 },
];

/** Draws every channel towards its own mean. */
export function contrast(image: RgbImage, severity: number): Layer {
  const share = contrasts[severity - 1];
  const unit = toUnit(image);
  const means = [0, 1, 2].map((c) => {
    let sum = 0;
    for (let i = c; i < unit.data.length; i += 3) sum += unit.data[i];
    return sum / (image.width * image.height);
  });
  return toByteRange(mapLayer(unit, (x, i) => (x - means[i % 3]) * share + means[i % 3]));
}

export function brightness(image: RgbImage, severity: number): Layer {
  const plus = brighter[severity - 1];
  return inHsv(image, (h, s, v) => [h, s, clipUnit(v + plus)]);
}

export function saturate(image: RgbImage, severity: number): Layer {
  const { factor, plus } = saturations[severity - 1];
  return inHsv(image, (h, s, v) => [h, clipUnit(s * factor + plus), v]);
}

type Triple = [number, number, number];

function inHsv(image: RgbImage, change: (h: number, s: number, v: number) => Triple): Layer {
  const unit = toUnit(image);
  for (let i = 0; i < unit.data.length; i += 3) {
    const [h, s, v] = rgbToHsv(unit.data[i], unit.data[i + 1], unit.data[i + 2]);
    const [r, g, b] = hsvToRgb(...change(h, s, v));
    unit.data[i] = r;
    unit.data[i + 1] = g;
    unit.data[i + 2] = b;
  }
  return toByteRange(unit);
}

/** Hue, saturation, value in 0 … 1; of equal channels the last decides the hue, as in scikit-image. */
export function rgbToHsv(r: number, g: number, b: number): Triple {
  const value = Math.max(r, g, b);
  const range = value - Math.min(r, g, b);
  if (range === 0) return [0, 0, value];
  const sixths = b === value ? 4 + (r - g) / range : g === value ? 2 + (b - r) / range : (g - b) / range;
  const hue = sixths / 6;
  return [hue - Math.floor(hue), range / value, value];
}

export function hsvToRgb(hue: number, saturation: number, value: number): Triple {
  const sector = Math.floor(hue * 6);
  const rest = hue * 6 - sector;
  const p = value * (1 - saturation);
  const q = value * (1 - rest * saturation);
  const t = value * (1 - (1 - rest) * saturation);
  switch (sector % 6) {
    case 0:
      return [value, t, p];
    case 1:
      return [q, value, p];
    case 2:
      return [p, value, t];
    case 3:
      return [p, q, value];
    case 4:
      return [t, p, value];
    default:
      return [value, p, q];
  }
}
