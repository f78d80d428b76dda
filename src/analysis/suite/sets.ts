import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { ImageDataset } from "../../data/dataset";
import {
  type CorruptionType,
  corruptionsIn,
  corruptionTypes,
  type ImageNet9Split,
  type ImageNetOptions,
  imageNet1k,
  imageNet9,
  imageNetA,
  imageNetC,
  imageNetR,
  imageNetSketch,
  imageNetV2,
  severities,
} from "../../data/sets";

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

/** One set of pictures of a suite. */
export interface SuitePart {
  /** "in1k", "c/gaussian_noise/3", "in9/mixed_rand": also its folder. */
  readonly key: string;
  open(): Promise<ImageDataset>;
}

const plainSets = ["in1k", "a", "r", "v2", "sketch"] as const;

/** Where the sets lie on disk; see `openSuiteSets`. */
export type SuiteFolders = Partial<Record<Exclude<keyof SuiteSets, "own">, string>>;

/**
 * Opens the sets of a suite from their folders.
 *
 * @throws LuvitError("missing-file" | "bad-dataset") saying what was looked for and what is missing.
 */
export async function openSuiteSets(
  folders: SuiteFolders,
  options: Omit<ImageNetOptions, "augment" | "transform"> = {},
): Promise<SuiteSets> {
  const in1k = folders.in1k === undefined ? undefined : await imageNet1k(folders.in1k, "val", options);
  const wnids = options.wnids ?? (in1k?.classes.length === 1000 ? in1k.classes : undefined);
  const settings = { ...options, wnids };
  const { a, r, v2, sketch, c, in9 } = folders;
  return {
    in1k,
    a: a === undefined ? undefined : await imageNetA(a, settings),
    r: r === undefined ? undefined : await imageNetR(r, settings),
    v2: v2 === undefined ? undefined : await imageNetV2(v2, settings),
    sketch: sketch === undefined ? undefined : await imageNetSketch(sketch, settings),
    c: c === undefined ? undefined : openCorruptions(c, settings),
    in9: in9 === undefined ? undefined : await openBackgrounds(in9, options.size),
  };
}

/** Pictures are looked for when the turn of a corruption comes; its folder is, before anything else is evaluated. */
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

async function openBackgrounds(root: string, size?: number): Promise<SuiteSets["in9"]> {
  const hasNext = existsSync(join(root, "mixed_next")); // which no table of the paper has
  const splits: ImageNet9Split[] = [
    "original",
    "mixed_same",
    "mixed_rand",
    ...(hasNext ? (["mixed_next"] as const) : []),
  ];
  const opened = splits.map(async (split) => [split, await imageNet9(root, split, { size })] as const);
  return Object.fromEntries(await Promise.all(opened));
}

/** The parts of a suite in the order of evaluation. @throws LuvitError("bad-argument") where there is none. */
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
