import { type RgbImage, unreadable } from "../../pixels";

/** Refuses sizes that are none, or of more pixels than are allowed, before memory is taken for them. */
export function expectSize(width: number, height: number, maxPixels: number): void {
  if (width < 1 || height < 1) throw unreadable(`its size is ${width} x ${height}`);
  if (width * height <= maxPixels) return;
  throw unreadable(
    `${width} x ${height} pixels are more than the limit of ${maxPixels}; give a larger maxPixels to read it`,
  );
}

/** RGB of indices into a palette of 3 bytes an entry. */
export function paletteToRgb(
  indices: Uint8Array,
  palette: Uint8Array,
  width: number,
  height: number,
): RgbImage {
  const data = new Uint8Array(3 * indices.length);
  for (let i = 0, to = 0; i < indices.length; i++, to += 3) {
    const from = 3 * indices[i];
    data[to] = palette[from];
    data[to + 1] = palette[from + 1];
    data[to + 2] = palette[from + 2];
  }
  return { data, width, height };
}

/** A palette of 256 gray values. */
export function grayPalette(): Uint8Array {
  return Uint8Array.from({ length: 768 }, (_, i) => (i / 3) | 0);
}

/** Gray in all three channels. */
export function replicate(gray: ArrayLike<number>): Uint8Array {
  const rgb = new Uint8Array(3 * gray.length);
  for (let i = 0, to = 0; i < gray.length; i++, to += 3) rgb[to] = rgb[to + 1] = rgb[to + 2] = gray[i];
  return rgb;
}

/** Every ink takes its share of the light that black leaves. Reference: Pillow src/libImaging/Convert.c, cmyk2rgb. */
export function inksToRgb(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4) {
    const light = 255 - inks[from + 3];
    for (let c = 0; c < 3; c++) rgb[to++] = Math.max(0, light - Math.round((inks[from + c] * light) / 255));
  }
  return rgb;
}

/** What 16-bit gray becomes: values above 255 are white, as Pillow has it, or the high byte is taken. */
export type Gray16 = "clip" | "high-byte";

/** 16-bit gray as 8 bits. */
export function gray16ToBytes(values: ArrayLike<number>, gray16: Gray16): Uint8Array {
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = gray16 === "clip" ? Math.min(255, values[i]) : values[i] >> 8;
  return bytes;
}
