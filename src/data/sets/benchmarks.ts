import { join } from "node:path";
import { checkOptions } from "../../core/options";
import type { ClassMapping } from "../classMapping";
import { type CorruptionType, corruptionFolder } from "../corruptionTypes";
import { SkipReport } from "../dataset";
import { cacheOf, FolderDataset } from "../imageFolder";
import type { ImageTransform } from "../imageTransform";
import { corruptionArguments, folderArgument } from "../options";
import { evaluation, none } from "../transforms";
import { type Inventory, scanInventory, wnidFolders } from "./completeness";
import { imageNetAMapping, imageNetRMapping } from "./mappings";
import { expectWnids, type ImageNetOptions, imageNetOptions } from "./wnids";

/**
 * ImageNet-A: `<root>/<wnid>/*`, 7,500 images of 200 classes. Labels are positions in the sorted wnids; a model of 1000
 * classes answers through `mapping`. Reference: hendrycks/natural-adv-examples eval.py.
 *
 * @throws LuvitError("missing-file" | "bad-dataset"): "missing-file" or "bad-dataset" with what is missing, as all sets
 * here do.
 */
export async function imageNetA(root: string, options: ImageNetOptions = {}): Promise<FolderDataset> {
  checkSet("data.imageNetA", root, options);
  return slice(root, "ImageNet-A", 7500, imageNetAMapping, options);
}

/** ImageNet-R: `<root>/<wnid>/*`, 30,000 images of 200 classes. Reference: hendrycks/imagenet-r eval.py. */
export async function imageNetR(root: string, options: ImageNetOptions = {}): Promise<FolderDataset> {
  checkSet("data.imageNetR", root, options);
  return slice(root, "ImageNet-R", 30000, imageNetRMapping, options);
}

/** ImageNet-Sketch: `<root>/<wnid>/*`, at least 50,000 images of 1000 classes. */
export async function imageNetSketch(root: string, options: ImageNetOptions = {}): Promise<FolderDataset> {
  checkSet("data.imageNetSketch", root, options);
  const expected = expectWnids(options.wnids);
  return open(root, { name: "ImageNet-Sketch", folders: wnidFolders, total: 50000, expected }, options);
}

/**
 * ImageNet-V2: `<root>/<label>/*`, ten images of each of 1000 classes in folders called 0 … 999. The label is the
 * folder's number, not its place in the sorted names. `classes` are the wnids.
 */
export async function imageNetV2(root: string, options: ImageNetOptions = {}): Promise<FolderDataset> {
  checkSet("data.imageNetV2", root, options);
  const expected = Array.from({ length: 1000 }, (_, i) => String(i));
  const inventory = { name: "ImageNet-V2", folders: "0 … 999", perClass: [10, 10], expected } as const;
  return open(root, inventory, options, { classes: expectWnids(options.wnids) });
}

/**
 * One corruption of ImageNet-C at one severity: `<root>/<type>/<severity>/<wnid>/*`, also where the archives were
 * unpacked into folders of their own (`<root>/noise/gaussian_noise/…`). Images already have the model's size and are
 * only normalized. Reference: hendrycks/robustness ImageNet-C/test.py.
 */
export async function imageNetC(
  root: string,
  type: CorruptionType,
  severity: number,
  options: ImageNetOptions = {},
): Promise<FolderDataset> {
  checkSet("data.imageNetC", root, options);
  checkOptions("data.imageNetC", corruptionArguments, { type, severity });
  const folder = join(await corruptionFolder(root, type), String(severity));
  const expected = expectWnids(options.wnids);
  const name = `ImageNet-C ${type} ${severity}`;
  const inventory = { name, folders: wnidFolders, perClass: [50, 50], expected } as const;
  return open(folder, inventory, options, { fallback: none() });
}

function slice(
  root: string,
  name: string,
  total: number,
  mapping: ClassMapping,
  options: ImageNetOptions,
): Promise<FolderDataset> {
  const wnids = expectWnids(options.wnids);
  const expected = mapping.mappedClasses.map((index) => wnids[index]);
  return open(root, { name, folders: wnidFolders, total, expected }, options, { mapping });
}

interface Reading {
  mapping?: ClassMapping;
  fallback?: ImageTransform;
  classes?: readonly string[];
}

function checkSet(where: string, root: string, options: ImageNetOptions): void {
  checkOptions(where, folderArgument, { root });
  checkOptions(where, imageNetOptions, options);
}

async function open(
  root: string,
  inventory: Inventory,
  options: ImageNetOptions,
  reading: Reading = {},
): Promise<FolderDataset> {
  const { classes, files } = await scanInventory(root, { ...inventory, partial: options.partial });
  const transform = options.transform ?? reading.fallback ?? evaluation();
  const cache = cacheOf(options, "ignore");
  const names = [...(reading.classes ?? classes)];
  return new FolderDataset({
    root,
    classes: names,
    files,
    transform,
    cache,
    report: new SkipReport(),
    mapping: reading.mapping,
  });
}
