import { join } from "node:path";
import sharp from "sharp";
import { checkOptions, optionsOf, path, seed, whole, withoutUndefined } from "../../core/options";
import { Rng } from "../../core/rng";
import { writeAtomically } from "../../core/writeAtomically";
import type { RgbImage } from "../pixels";
import { cocoFiles } from "./cocoSet";
import { drawBackground, drawObject, rasterise, segmentationIds } from "./scene";
import { toyShapes } from "./shapes";

/** What to draw: images per class in each part, their side in pixels, and the seed everything follows from. */
export interface ToySetOptions {
  seed?: number;
  size?: number;
  train?: number;
  validation?: number;
  imageNet9?: number;
  /** Images with masks to train with. */
  trainSemi?: number;
  /** Scenes to detect objects in, in all, and their longer side in pixels. */
  scenes?: number;
  validationScenes?: number;
  sceneSize?: number;
}

/** Of a class; all of them are planned before the first is drawn. */
const MOST_IMAGES = 100_000;

export const toySetOptions = optionsOf<ToySetOptions>(
  {},
  {
    seed,
    size: whole(8, 1024),
    train: whole(0, MOST_IMAGES),
    validation: whole(0, MOST_IMAGES),
    imageNet9: whole(0, MOST_IMAGES),
    trainSemi: whole(0, MOST_IMAGES),
    scenes: whole(0, MOST_IMAGES),
    validationScenes: whole(0, MOST_IMAGES),
    sceneSize: whole(32, 1024),
  },
);

/** One file of the toy set: its place under the set's root, and what it holds, the same on every call. */
export interface ToyFile {
  readonly path: string;
  /** Bytes of an image [H, W, 3] (a mask holds id = R + 256 * G), or a text. */
  draw(): RgbImage | string;
}

/** Class names in label order. */
export const toyClasses: readonly string[] = toyShapes.map((shape) => shape.name);

const defaults: Required<ToySetOptions> = {
  ...{ seed: 2024, size: 64, train: 100, validation: 25, imageNet9: 20, trainSemi: 10 },
  ...{ scenes: 240, validationScenes: 60, sceneSize: 96 },
};

/**
 * Every file of the toy set, in the layouts of ImageNet-1K (`train`, `val`), ImageNet-S (`segmentation/validation`,
 * `train-semi`), ImageNet-9 (`in9/<split>/val`) and COCO (`coco`). Nothing is drawn before `draw()` is called.
 */
export function toyFiles(options: ToySetOptions = {}): ToyFile[] {
  checkOptions("data.toyFiles", toySetOptions, options);
  const plan = { ...defaults, ...withoutUndefined(options) };
  const images = toyClasses.flatMap((_, label) => [
    ...range(plan.train).map((i) => image(plan, "train", label, i)),
    ...range(plan.validation).map((i) => image(plan, "val", label, i)),
    ...range(plan.validation).map((i) => mask(plan, "val", label, i)),
    ...range(plan.imageNet9).flatMap((i) => swaps(plan, label, i)),
    ...range(plan.trainSemi).map((i) => image(plan, "train-semi", label, i)),
    ...range(plan.trainSemi).map((i) => mask(plan, "train-semi", label, i)),
  ]);
  const scenes = { seed: plan.seed, size: plan.sceneSize, classes: toyClasses };
  return [
    ...images,
    ...cocoFiles({ ...scenes, part: "train", count: plan.scenes }),
    ...cocoFiles({ ...scenes, part: "val", count: plan.validationScenes }),
  ];
}

/** Draws and writes the whole set under `root`; returns how many files and bytes were written. */
export async function writeToySet(
  root: string,
  options: ToySetOptions = {},
): Promise<{ files: number; bytes: number }> {
  checkOptions("data.writeToySet", path, root);
  let bytes = 0;
  const files = toyFiles(options);
  for (const file of files) {
    const encoded = await encodeToyFile(file);
    writeAtomically(join(root, file.path), encoded);
    bytes += encoded.length;
  }
  return { files: files.length, bytes };
}

/** The file's bytes: JPEG of quality 92 for images, PNG for masks, by the ending of its path; a text as it is. */
export async function encodeToyFile(file: ToyFile): Promise<Buffer> {
  const content = file.draw();
  if (typeof content === "string") return Buffer.from(content);
  const { data, width, height } = content;
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const isMask = file.path.endsWith(".png");
  return (isMask ? image.png({ compressionLevel: 9 }) : image.jpeg({ quality: 92 })).toBuffer();
}

type Plan = Required<ToySetOptions>;

type Part = "train" | "val" | "train-semi";

/** Where the masks of a part lie. */
const maskFolders = { val: "segmentation/validation", "train-semi": "train-semi-segmentation" } as const;

function image(plan: Plan, part: Part, label: number, index: number): ToyFile {
  return {
    path: `${part}/${toyClasses[label]}/${fileName(label, part, index)}.jpg`,
    draw: () => pixelsOf(plan, sceneOf(plan, part, label, index).rgb),
  };
}

/** Every fifth mask has an ignored outline. */
function mask(plan: Plan, part: keyof typeof maskFolders, label: number, index: number): ToyFile {
  return {
    path: `${maskFolders[part]}/${toyClasses[label]}/${fileName(label, part, index)}.png`,
    draw() {
      const ids = segmentationIds(sceneOf(plan, part, label, index), label, index % 5 === 0);
      const byteOf = (i: number) => [ids[(i / 3) | 0] & 255, ids[(i / 3) | 0] >> 8, 0][i % 3];
      return pixelsOf(
        plan,
        Uint8Array.from({ length: 3 * ids.length }, (_, i) => byteOf(i)),
      );
    },
  };
}

const pixelsOf = ({ size }: Plan, data: Uint8Array): RgbImage => ({ data, width: size, height: size });

/** The same object on its own background, on one of its class, and on one of another class. */
function swaps(plan: Plan, label: number, index: number): ToyFile[] {
  const rng = streamOf(plan, "in9", label, index).fork("swap");
  const sibling = (index + 1 + rng.integer(Math.max(1, plan.imageNet9 - 1))) % plan.imageNet9;
  const stranger = (label + 1 + rng.integer(toyClasses.length - 1)) % toyClasses.length;
  const strangerIndex = rng.integer(plan.imageNet9);
  const file = (split: string, backLabel: number, backIndex: number): ToyFile => ({
    path: `in9/${split}/val/0${label}_${toyClasses[label]}/${fileName(label, "in9", index)}.jpg`,
    draw: () => pixelsOf(plan, sceneOf(plan, "in9", label, index, backLabel, backIndex).rgb),
  });
  return [
    file("original", label, index),
    file("mixed_same", label, sibling),
    file("mixed_rand", stranger, strangerIndex),
  ];
}

function sceneOf(
  plan: Plan,
  part: string,
  label: number,
  index: number,
  backLabel = label,
  backIndex = index,
) {
  const object = drawObject(label, streamOf(plan, part, label, index).fork("object"));
  const background = drawBackground(backLabel, streamOf(plan, part, backLabel, backIndex).fork("background"));
  return rasterise(object, background, plan.size);
}

function streamOf(plan: Plan, part: string, label: number, index: number): Rng {
  return new Rng(plan.seed).fork("toy", part, label, index);
}

function fileName(label: number, part: string, index: number): string {
  return `${toyClasses[label]}_${part}_${String(index).padStart(4, "0")}`;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
