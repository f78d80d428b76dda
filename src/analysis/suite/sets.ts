import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { checkOptions, named, path } from "../../core/options";
import type { ImageDataset } from "../../data/dataset";
import type { ImageTransform } from "../../data/imageTransform";
import {
  type CorruptionType,
  corruptionsIn,
  corruptionTypes,
  huggingFace,
  type ImageNet9Split,
  type ImageNetOptions,
  imageNet1k,
  imageNet9,
  imageNetA,
  imageNetC,
  imageNetR,
  imageNetSketch,
  imageNetV2,
  isWnid,
  severities,
} from "../../data/sets";
import * as transforms from "../../data/transforms";
import { plainObject } from "../../io/options";

/** ImageNet-C, one set per corruption and severity, opened when its turn comes. */
export interface CorruptionSets {
  /** Default all 19. */
  types?: readonly CorruptionType[];
  /** Default 1 to 5. */
  severities?: readonly number[];
  open(type: CorruptionType, severity: number): ImageDataset | Promise<ImageDataset>;
}

/** Splits of ImageNet-9 that the suite knows. */
export type BackgroundSplit = "original" | "mixed_same" | "mixed_rand" | "mixed_next";

/** What a suite evaluates; what is left out is left out of its rows. */
export interface SuiteSets {
  /** ImageNet-1K, validation. */
  in1k?: ImageDataset;
  /** ImageNet-A. */
  a?: ImageDataset;
  /** ImageNet-R. */
  r?: ImageDataset;
  /** ImageNet-V2, matched frequency. */
  v2?: ImageDataset;
  /** ImageNet-Sketch. */
  sketch?: ImageDataset;
  /** ImageNet-C. */
  c?: CorruptionSets;
  /** ImageNet-9. */
  in9?: Partial<Record<BackgroundSplit, ImageDataset>>;
  /** Sets of one's own, by name. */
  own?: Readonly<Record<string, ImageDataset>>;
}

/** One set of images of a suite. */
export interface SuitePart {
  /** "in1k", "c/gaussian_noise/3", "in9/mixed_rand": also its folder. */
  readonly key: string;
  open(): Promise<ImageDataset>;
}

const plainSets = ["in1k", "a", "r", "v2", "sketch"] as const;

/** How the sets of a suite are read. */
export interface SuiteSetOptions extends Omit<ImageNetOptions, "transform"> {
  /** Side of the model's images in pixels; default 224. */
  size?: number;
}

/** Where the sets lie on disk; see `openSuiteSets`. */
export type SuiteFolders = Partial<Record<Exclude<keyof SuiteSets, "own">, string>>;

/**
 * Opens the sets of a suite from their folders. ImageNet-1K may also lie in Parquet or Arrow files, as on the Hugging Face
 * hub; its split "validation" is taken.
 *
 * @throws LuvitError("missing-file" | "bad-dataset") saying what was looked for and what is missing.
 */
export async function openSuiteSets(folders: SuiteFolders, given: SuiteSetOptions = {}): Promise<SuiteSets> {
  checkOptions("openSuiteSets", named(path), folders);
  checkOptions("openSuiteSets", plainObject("an object of options"), given);
  const { size, ...options } = given;
  const failures: unknown[] = [];
  const { a, r, v2, sketch, c, in9 } = folders;
  /** A set that cannot be opened is told of together with the others. */
  const opened = async <T>(root: string | undefined, open: (root: string) => T | Promise<T>) => {
    if (root === undefined) return undefined;
    try {
      return await open(root);
    } catch (error) {
      failures.push(error);
      return undefined;
    }
  };
  const transform = transforms.evaluation(size);
  const in1k = await opened(folders.in1k, (root) => openValidation(root, { ...options, transform }));
  const own = in1k?.classes.length === 1000 && in1k.classes.every(isWnid) ? in1k.classes : undefined;
  const settings = { ...options, transform, wnids: options.wnids ?? own };
  const asTheyAre = { ...settings, transform: transforms.none(size) };
  const sets: SuiteSets = {
    in1k,
    a: await opened(a, (root) => imageNetA(root, settings)),
    r: await opened(r, (root) => imageNetR(root, settings)),
    v2: await opened(v2, (root) => imageNetV2(root, settings)),
    sketch: await opened(sketch, (root) => imageNetSketch(root, settings)),
    c: await opened(c, (root) => openCorruptions(root, asTheyAre)),
    in9: await opened(in9, (root) => openBackgrounds(root, asTheyAre.transform)),
  };
  throwTogether(failures);
  return sets;
}

/** Throws what failed: one error as it is, several of this library as one. */
function throwTogether(failures: readonly unknown[]): void {
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (others.length === 0 || !failures.every((error) => error instanceof LuvitError)) throw first;
  throw new LuvitError("bad-dataset", failures.map((error) => error.message).join("\n"), { cause: first });
}

async function openValidation(root: string, options: ImageNetOptions): Promise<ImageDataset> {
  const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory();
  const folders = [root, join(root, "data")].filter(isFolder);
  const names = [root, ...folders.flatMap((folder) => readdirSync(folder))];
  const isTable = (name: string) => /\.(?:parquet|arrow)$/.test(name) || name === "dataset_dict.json";
  if (!names.some(isTable)) return imageNet1k(root, "val", options);
  return huggingFace(root, { ...options, split: "validation" });
}

/** Images are looked for when the turn of a corruption comes; its folder is, before anything else is evaluated. */
function openCorruptions(root: string, settings: ImageNetOptions): CorruptionSets {
  const { types, missing } = corruptionsIn(root);
  const open: CorruptionSets["open"] = (type, severity) => imageNetC(root, type, severity, settings);
  if (missing.length === 0 || (settings.partial && types.length > 0)) return { types, open };
  throw new LuvitError(
    "bad-dataset",
    `ImageNet-C: looked for ${corruptionTypes.length} corruptions at ${severities.length} severities in ${root}, ` +
      `missing:\n${listOffenders(missing)}\nunpack what is missing, or give partial: true for the corruptions that are whole`,
  );
}

async function openBackgrounds(root: string, transform: ImageTransform): Promise<SuiteSets["in9"]> {
  const hasNext = existsSync(join(root, "mixed_next")); // which no table of the paper has
  const splits: ImageNet9Split[] = [
    "original",
    "mixed_same",
    "mixed_rand",
    ...(hasNext ? (["mixed_next"] as const) : []),
  ];
  const opened = await Promise.allSettled(splits.map((split) => imageNet9(root, split, { transform })));
  throwTogether(opened.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])));
  return Object.fromEntries(
    opened.flatMap((result, i) => (result.status === "fulfilled" ? [[splits[i], result.value]] : [])),
  );
}

/**
 * The parts of a suite in the order of evaluation.
 *
 * @throws LuvitError("bad-argument") where there is none.
 */
export function partsOf(sets: SuiteSets): SuitePart[] {
  const parts: SuitePart[] = [];
  for (const key of plainSets) {
    const set = sets[key];
    if (set) parts.push({ key, open: async () => set });
  }
  for (const [name, set] of Object.entries(sets.own ?? {})) {
    parts.push({ key: `own/${name}`, open: async () => set });
  }
  for (const [split, set] of Object.entries(sets.in9 ?? {})) {
    if (set) parts.push({ key: `in9/${split}`, open: async () => set });
  }
  if (sets.c) {
    const { types = corruptionTypes, severities: levels = severities, open } = sets.c;
    for (const type of types) {
      for (const severity of levels) {
        parts.push({ key: `c/${type}/${severity}`, open: async () => open(type, severity) });
      }
    }
  }
  if (parts.length > 0) return parts;
  throw new LuvitError(
    "bad-argument",
    "suite: no data set is given; there are in1k, a, r, v2, sketch, c, in9, own",
  );
}
