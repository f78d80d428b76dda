import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import type { RgbImage } from "../../../src/data/pixels/rgbImage";

export { isLuvitError } from "../../support/luvitError";
export { temporaryFolder } from "../../support/temporaryFolder";

/** The toy image set of this checkout. */
export const shapesFolder = join(__dirname, "..", "..", "..", "..", "data", "shapes");

/** Writes a file and the folders above it. */
export async function put(root: string, path: string, content: string | Uint8Array): Promise<string> {
  const full = join(root, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, content);
  return full;
}

/** A PNG of one color. */
export function flatPng(
  width: number,
  height: number,
  rgb: readonly [number, number, number],
): Promise<Buffer> {
  const background = { r: rgb[0], g: rgb[1], b: rgb[2] };
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}

/** An image whose red, green and blue are functions of column and row. */
export function paintedImage(
  width: number,
  height: number,
  color: (x: number, y: number) => readonly [number, number, number],
): RgbImage {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return color(pixel % width, Math.floor(pixel / width))[i % 3];
  });
  return { data, width, height };
}
