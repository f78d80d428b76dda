import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { Rng } from "../../../src/core/rng";
import { type Tensor, tf } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import { imageFolder } from "../../../src/data/imageFolder";
import { imageNetS, type MaskedDataset } from "../../../src/data/segmentation";
import * as transforms from "../../../src/data/transforms";
import { baselines, classifier } from "../../../src/models";
import type { Classifier } from "../../../src/models/classifier";
import { llama7b } from "../../../src/models/llamaConfig";
import { temporaryFolder, tinyViT, writeImages } from "../train/support";

export { assertRejects, temporaryFolder, tinyClassifier, tinyMae, writeImages } from "../train/support";

/** Two ViT blocks and one LLaMA block of two heads each, on 16-pixel images in four patches. */
export function tinyLuvit(): Classifier {
  const fusion = baselines.randomBlock({ ...llama7b, dim: 16, heads: 2, hiddenDim: 24 });
  return classifier.create({ encoder: tinyViT, fusion, classes: 2 });
}

/** Images of 16 pixels in two classes, as they are evaluated. */
export const smallSet = async (perClass = 3) =>
  imageFolder(await writeImages(temporaryFolder(), perClass), { transform: transforms.evaluation(16) });

/** All images of a set, [image, channel, y, x]. */
export async function pixelsOf(set: ImageDataset): Promise<Tensor> {
  const all = await Promise.all(Array.from({ length: set.length }, (_, i) => set.load(i, new Rng(0))));
  return tf.tensor(Float32Array.from(all.flatMap(({ image }) => [...image])), [set.length, 3, 16, 16]);
}

/** Every value of a pass, by its name. */
export function seenIn(
  run: (context: { tap(name: string, value: Tensor): void }) => unknown,
): Map<string, Tensor> {
  const seen = new Map<string, Tensor>();
  run({ tap: (name, value) => void seen.set(name, value) });
  return seen;
}

/** What a quarter of an image belongs to. */
export type Region = "object" | "ground" | "ignored";

const maskColors: Record<Region, readonly [number, number]> = {
  object: [1, 0],
  ground: [0, 0],
  ignored: [232, 3],
};

/** 16-pixel images whose quarters (left to right, top to bottom) are as given, with their masks. */
export async function maskedImages(regions: readonly Region[][]): Promise<MaskedDataset> {
  const root = temporaryFolder();
  const [images, masks] = [join(root, "images"), join(root, "masks")];
  for (const folder of [images, masks]) await mkdir(join(folder, "class"), { recursive: true });
  for (const [number, quarters] of regions.entries()) {
    const name = join("class", `${number}.png`);
    await writePng(join(images, name), (x, y) => [
      (37 * x + 11 * y * number) % 256,
      (5 * x * y) % 256,
      90 * number,
    ]);
    await writePng(join(masks, name), (x, y) => [
      ...maskColors[quarters[2 * Math.floor(y / 8) + Math.floor(x / 8)]],
      0,
    ]);
  }
  return imageNetS({ images, masks, patch: 8, transform: transforms.none(16) });
}

async function writePng(path: string, color: (x: number, y: number) => readonly number[]): Promise<void> {
  const data = Buffer.from(Array.from({ length: 256 }, (_, i) => color(i % 16, Math.floor(i / 16))).flat());
  await sharp(data, { raw: { width: 16, height: 16, channels: 3 } })
    .png()
    .toFile(path);
}
