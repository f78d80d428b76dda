import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { checkOptions, list, object, optionsOf, text } from "../../core/options";
import { SkipReport } from "../dataset";
import { cacheOf, FolderDataset } from "../imageFolder";
import { type ImageTransform, transform } from "../imageTransform";
import { bytes } from "../options";
import { scanClassFolders } from "../scanFolder";
import { none } from "../transforms";
import { imageNet9Classes, imageNet9Mapping } from "./mappings";

/** The parts of the backgrounds challenge: own background, one of the same class, of a random and of the next class … */
export type ImageNet9Split =
  | "original"
  | "mixed_same"
  | "mixed_rand"
  | "mixed_next"
  | "no_fg"
  | "only_fg"
  | "only_bg_b"
  | "only_bg_t";

/** How ImageNet-9 images are read. */
export interface ImageNet9Options {
  /**
   * Default `transforms.none(224)`, for the size of the published files; `transforms.evaluation(size)` resizes and crops
   * those of another size.
   */
  transform?: ImageTransform;
  /** Class names in label order; default the folder names without their leading number. */
  classes?: readonly string[];
  /** Bytes of decoded pixels kept in memory, or false for none; default 512 MB. */
  cache?: number | false;
}

export const imageNet9Options = optionsOf<ImageNet9Options>(
  {},
  { transform, classes: list(text), cache: bytes },
);

/** Class folders of the published set. */
const publishedFolders = [
  "00_dog",
  "01_bird",
  "02_wheeled vehicle",
  "03_reptile",
  "04_carnivore",
  "05_insect",
  "06_musical instrument",
  "07_primate",
  "08_fish",
];

/**
 * One part of an ImageNet-9 like set: `<root>/<split>/val/<NN_class>/*`, labels by sorted folder name. Images are used
 * as they are and only normalized, as in the reference. A set of nine classes has the `mapping` through which a model of
 * 1000 classes answers.
 *
 * Reference: MadryLab/backgrounds_challenge in9_eval.py, tools/datasets.py.
 */
export async function imageNet9(
  root: string,
  split: ImageNet9Split,
  options: ImageNet9Options = {},
): Promise<FolderDataset> {
  checkOptions("data.imageNet9", object({ root: text, split: text }, {}), { root, split });
  checkOptions("data.imageNet9", imageNet9Options, options);
  const { transform = none(), cache } = options;
  const folder = join(root, split, "val");
  if (!existsSync(folder)) {
    const there = existsSync(root)
      ? `${root} holds ${(await readdir(root)).sort().slice(0, 12).join(", ") || "nothing"}`
      : `nor does ${root}`;
    throw new LuvitError(
      "missing-file",
      `ImageNet-9 ${split}: looked for ${folder}, which does not exist; ${there}`,
    );
  }
  const { classes: folders, files } = await scanClassFolders(folder);
  expectPublished(folder, folders);
  const classes = [...(options.classes ?? folders.map((name) => name.replace(/^\d+_/, "")))];
  if (classes.length !== folders.length) {
    const found = `${folders.length} class folders (${folders.join(", ")})`;
    throw new LuvitError("bad-dataset", `${folder}: expected ${classes.length} classes, found ${found}`);
  }
  const mapping = folders.length === imageNet9Classes.length ? imageNet9Mapping : undefined;
  const pixels = cacheOf({ cache }, "ignore");
  return new FolderDataset({
    root: folder,
    classes,
    files,
    transform,
    cache: pixels,
    report: new SkipReport(),
    mapping,
  });
}

/**
 * @throws LuvitError("bad-dataset") where class folders of the published set are there and others of its numbers are
 * not.
 */
function expectPublished(folder: string, names: readonly string[]): void {
  const isPublished = publishedFolders.filter((name) => names.includes(name)).length > 1;
  const number = (name: string) => name.slice(0, 3);
  const missing = publishedFolders.filter((one) => !names.some((name) => number(name) === number(one)));
  if (!isPublished || missing.length === 0) return;
  const looked = `looked for the ${publishedFolders.length} class folders of ImageNet-9 in ${folder}`;
  throw new LuvitError("bad-dataset", `${looked}, missing: ${missing.join(", ")}; copy them as well`);
}
