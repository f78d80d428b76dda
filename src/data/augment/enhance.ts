import type { RgbImage } from "../decode";

/* Pillow's ImageEnhance: the picture is moved away from (factor > 1) or towards a duller version of itself. */

/** ITU-R 601 luma in 16-bit fixed point, as Pillow's conversion to "L". */
function luma(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

/** Single precision and cut to a byte, as Pillow's blend; the result for factor 1 is the picture. */
function away(dull: number, byte: number, factor: number): number {
  const value = Math.fround(dull + Math.fround(factor * (byte - dull)));
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
}

/** Saturation: away from the gray picture. */
export function enhanceColor(image: RgbImage, amount: number): RgbImage {
  const { data, width, height } = image;
  const factor = Math.fround(amount);
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const gray = luma(data[i], data[i + 1], data[i + 2]);
    for (let c = i; c < i + 3; c++) result[c] = away(gray, data[c], factor);
  }
  return { data: result, width, height };
}

/** Contrast: away from the mean gray, rounded to a whole one. */
export function enhanceContrast(image: RgbImage, amount: number): RgbImage {
  const { data, width, height } = image;
  let sum = 0;
  for (let i = 0; i < data.length; i += 3) sum += luma(data[i], data[i + 1], data[i + 2]);
  return awayFrom(image, Math.trunc(sum / (width * height) + 0.5), amount);
}

/** Brightness: away from black. */
export function enhanceBrightness(image: RgbImage, amount: number): RgbImage {
  return awayFrom(image, 0, amount);
}

function awayFrom({ data, width, height }: RgbImage, dull: number, amount: number): RgbImage {
  const factor = Math.fround(amount);
  const table = Uint8Array.from({ length: 256 }, (_, byte) => away(dull, byte, factor));
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) result[i] = table[data[i]];
  return { data: result, width, height };
}

/** Sharpness: away from the picture smoothed by [1 1 1; 1 5 1; 1 1 1] / 13, whose border is that of the picture. */
export function enhanceSharpness({ data, width, height }: RgbImage, amount: number): RgbImage {
  const factor = Math.fround(amount);
  const line = 3 * width;
  const result = Uint8Array.from(data); // a Buffer's slice would be the picture itself
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * line + 3; i < (y + 1) * line - 3; i++) {
      const [above, below] = [i - line, i + line];
      const sum =
        data[above - 3] +
        data[above] +
        data[above + 3] +
        data[i - 3] +
        5 * data[i] +
        data[i + 3] +
        data[below - 3] +
        data[below] +
        data[below + 3];
      // Rounded; 2 * sum is never an odd multiple of 13, so there are no ties for single precision to decide.
      result[i] = away(Math.floor((2 * sum + 13) / 26), data[i], factor);
    }
  }
  return { data: result, width, height };
}
