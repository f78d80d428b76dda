import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { checkOptions } from "../../core/options";
import { SkipReport } from "../dataset";
import { cacheOf, FolderDataset } from "../imageFolder";
import { partArguments } from "../options";
import type { ScannedFolder } from "../scanFolder";
import { evaluation } from "../transforms";
import { scanInventory, wnidFolders } from "./completeness";
import { isFlatName, labelFlat } from "./flatValidation";
import { synsetsOf } from "./synsets";
import { expectWnids, type ImageNetOptions, imageNetOptions, isWnid } from "./wnids";

/** The parts of ImageNet-1K that have labels. */
export type ImageNet1kPart = "train" | "val";

const sizes = {
  train: { perClass: [732, 1300], total: 1281167 },
  val: { perClass: [50, 50], total: 50000 },
} as const;

/**
 * ImageNet-1K (ILSVRC 2012) from what people have on disk below `root`: `<part>/<wnid>/*`, the same under Kaggle's
 * `ILSVRC/Data/CLS-LOC`, `ILSVRC2012_img_<part>`, or `root` itself; and for `val` also 50,000 files
 * `ILSVRC2012_val_########.JPEG` in one folder, labeled by `LOC_val_solution.csv`, by the development kit's ground truth
 * with its `meta.mat`, or by Caffe's `val.txt`. Labels are positions in the sorted wnids; `classes` are the wnids.
 *
 * @throws LuvitError("missing-file" | "bad-dataset"): "missing-file" or "bad-dataset" with what was looked for, what
 * was found and what is missing.
 */
export async function imageNet1k(
  root: string,
  part: ImageNet1kPart = "val",
  options: ImageNetOptions = {},
): Promise<FolderDataset> {
  checkOptions("data.imageNet1k", partArguments, { root, part });
  checkOptions("data.imageNet1k", imageNetOptions, options);
  const folder = await partFolder(root, part);
  const { classes, files } = (await isFlat(folder))
    ? await labelFlat(root, folder, options)
    : await classFolders(root, folder, part, options);
  const { transform = evaluation() } = options;
  const cache = cacheOf(options, "ignore");
  return new FolderDataset({ root: folder, classes, files, transform, cache, report: new SkipReport() });
}

async function classFolders(
  root: string,
  folder: string,
  part: ImageNet1kPart,
  { wnids, partial }: ImageNetOptions,
): Promise<ScannedFolder> {
  const expected = expectWnids(wnids ?? (await synsetsOf(root))?.wnids);
  const inventory = { name: `ImageNet-1K ${part}`, folders: wnidFolders, ...sizes[part] };
  return scanInventory(folder, { ...inventory, expected, partial });
}

async function partFolder(root: string, part: ImageNet1kPart): Promise<string> {
  const places = [part, `ILSVRC/Data/CLS-LOC/${part}`, `Data/CLS-LOC/${part}`, `ILSVRC2012_img_${part}`];
  const candidates = [...places.map((place) => join(root, place)), root];
  const looked = `looked for ${candidates.slice(0, -1).join(", ")}, and for class folders or flat files in ${root}`;
  for (const folder of candidates) {
    if (!existsSync(folder)) continue;
    const names = await readdir(folder);
    if (folder !== root || names.some((name) => isFlatName(name) || isWnid(name))) return folder;
  }
  const found = existsSync(root) ? `which holds ${await listed(root)}` : "which does not exist";
  throw new LuvitError("missing-file", `ImageNet-1K ${part}: ${looked}, ${found}`);
}

async function listed(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  if (names.length === 0) return "nothing";
  return `${names.slice(0, 8).join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}`;
}

async function isFlat(folder: string): Promise<boolean> {
  return (await readdir(folder)).some(isFlatName);
}
