import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { Rng } from "../../src/core/rng";

const CLASSES = 4;
/** Sides as the mean of ImageNet's. */
export const [WIDTH, HEIGHT] = [500, 375];

/** Soft shapes under fine grain, which compress like photographs. Gives back the bytes of all files. */
export async function writeImages(folder: string, count: number): Promise<number> {
  const rng = new Rng(0);
  const noise = (length: number) => Uint8Array.from({ length }, () => rng.integer(256));
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const directory = join(folder, `class${i % CLASSES}`);
    await mkdir(directory, { recursive: true });
    const coarse = { width: 50, height: 38, channels: 3 } as const;
    const grain = { width: WIDTH, height: HEIGHT, channels: 3 } as const;
    const fine = await sharp(noise(WIDTH * HEIGHT * 3), { raw: grain })
      .linear(0.12, 112)
      .png()
      .toBuffer();
    const shapes = sharp(noise(50 * 38 * 3), { raw: coarse }).resize(WIDTH, HEIGHT, { fit: "fill" });
    const image = shapes.composite([{ input: fine, blend: "soft-light" }]).jpeg({ quality: 92 });
    bytes += (await image.toFile(join(directory, `${i}.jpg`))).size;
  }
  return bytes;
}
