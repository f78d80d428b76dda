import { existsSync, readdirSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { checkOptions, flag, optionsOf, such, text } from "../../core/options";
import { fitSquare, type SquareTransform } from "../detection";
import { cacheOf } from "../imageFolder";
import type { ImageTransform } from "../imageTransform";
import { bytes, exif, has } from "../options";
import { DetectionDataset, expectSquare } from "./dataset";
import type { CocoImage } from "./entries";
import { type CocoReadOptions, cocoReadOptions, readAnnotations } from "./readAnnotations";

/** Where a COCO set lies: `root` and `part`, or `images` and `annotations`. */
export interface CocoOptions extends CocoReadOptions {
  /** Folder that holds `annotations/instances_<part>.json`, and the images in `<part>` or `images/<part>`. */
  root?: string;
  /** E.g. "train2017" or "val2017". */
  part?: string;
  /** Folder of the images. */
  images?: string;
  /** The JSON file. */
  annotations?: string;
  /** `transforms.largeScaleJitter(1024)` or `transforms.fitSquare(1024)`, which is the default. */
  transform?: SquareTransform;
  /** Leave out images whose file is not there; default false. */
  partial?: boolean;
  /** Default "honor", as detectron2 does. */
  exif?: "honor" | "ignore";
  /** Bytes of decoded pixels kept in memory, or false for none; default 512 MB. */
  cache?: number | false;
}

const squareTransform = such<SquareTransform>(
  "transforms.largeScaleJitter() or transforms.fitSquare()",
  (value) => has(value, "apply", "geometry", "expecting"),
);

export const cocoOptions = optionsOf<CocoOptions>(
  {},
  {
    ...cocoReadOptions.optional,
    ...{ root: text, part: text, images: text, annotations: text },
    transform: squareTransform,
    partial: flag,
    exif,
    cache: bytes,
  },
);

/**
 * Images with objects, outlined and in boxes, in COCO's layout.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "bad-dataset"): with what was looked for and what is there, or with every
 * object that is not as COCO has it, or with every image that is missing.
 * @example
 * const scenes = await luvit.data.coco({ root: "data/shapes/coco", part: "val", transform: luvit.data.transforms.fitSquare(96) });
 * console.log(scenes);
 */
export async function openCoco(options: CocoOptions): Promise<DetectionDataset> {
  checkOptions("data.coco", cocoOptions, options);
  const { transform = fitSquare(), exif = "honor", cache, invalid, partial } = options;
  const places = placesOf(options);
  const square = expectSquare(transform as ImageTransform);
  const truth = await readAnnotations(places.annotations, { invalid });
  const images = await presentImages(places.images, truth.images, partial ?? false);
  return new DetectionDataset({
    root: places.images,
    truth,
    images,
    transform: square,
    cache: cacheOf({ exif, cache }),
  });
}

function placesOf({ root, part, images, annotations }: CocoOptions): { images: string; annotations: string } {
  if (root !== undefined && part !== undefined && images === undefined && annotations === undefined) {
    const file = `instances_${part}.json`;
    return {
      annotations: firstOf(root, [join("annotations", file), file], "the annotations"),
      images: firstOf(root, [part, join("images", part)], "the images"),
    };
  }
  if (root === undefined && part === undefined && images !== undefined && annotations !== undefined)
    return { images, annotations };
  throw new LuvitError("bad-argument", "data.coco: give root and part, or images and annotations");
}

function firstOf(root: string, names: readonly string[], what: string): string {
  const places = names.map((name) => join(root, name));
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  const archives = places
    .flatMap((place) => [`${place}.zip`, join(root, `${basename(place)}.zip`)])
    .filter(existsSync);
  const packed = archives.length > 0 ? `; ${archives[0]} is still packed` : "";
  const where = existsSync(root) ? packed || partsIn(root) : `; ${root} does not exist`;
  throw new LuvitError(
    "missing-file",
    `looked for ${what} at ${places.join(" and ")}, which are not there${where}`,
  );
}

/** The parts that a folder has annotations of, for people. */
function partsIn(root: string): string {
  const names = [root, join(root, "annotations")].flatMap((folder) =>
    existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [],
  );
  const parts = names.flatMap((name) => /^instances_(.+)\.json$/.exec(name)?.[1] ?? []);
  return parts.length > 0 ? `; there are annotations of ${parts.sort().join(", ")}` : "";
}

/** The images whose files are there. */
async function presentImages(
  root: string,
  images: readonly CocoImage[],
  partial: boolean,
): Promise<CocoImage[]> {
  const folders = [...new Set(images.map(({ fileName }) => dirname(fileName)))];
  const files = new Set<string>();
  for (const folder of folders) {
    const names = await readdir(join(root, folder)).catch(() => []);
    for (const name of names) files.add(join(folder, name));
  }
  const missing = images.filter(({ fileName }) => !files.has(join(fileName)));
  if (missing.length === 0) return [...images];
  if (missing.length === images.length)
    throw new LuvitError(
      "missing-file",
      `none of the ${images.length} images of the annotations is in ${root}, e.g. ${images[0].fileName}`,
    );
  if (partial) return images.filter(({ fileName }) => files.has(join(fileName)));
  const names = missing.map(({ fileName }) => fileName);
  const summary = `${missing.length} of ${images.length} images of the annotations are not in ${root}`;
  throw new LuvitError(
    "bad-dataset",
    `${summary}:\n${listOffenders(names)}\ncopy what is missing, or give partial: true`,
  );
}
