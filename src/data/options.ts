import { either, exactly, number, object, oneOf, optionsOf, seed, such, text, whole } from "../core/options";
import { corruptionTypes } from "./corruptionTypes";

/** Longest side of an image that is made, in pixels. */
export const MOST_PIXELS = 16_384;
/** Greatest count of images, batches or threads. */
export const MOST = 100_000_000;

/** Side of the images of a set, in pixels. */
export const imageSide = whole(1, MOST_PIXELS);
export const bytes = either(number(0, Number.MAX_SAFE_INTEGER), exactly(false));
export const exif = oneOf(["honor", "ignore"]);

export const has = (value: unknown, ...names: string[]) =>
  typeof value === "object" && value !== null && names.every((name) => name in value);

/** An image file, or what it holds. */
export const fileOrBytes = such<string | Uint8Array>(
  "a path, or bytes (Uint8Array)",
  (value) => typeof value === "string" || value instanceof Uint8Array,
);

/** The side that a transform is made for. */
export const sizeArgument = object({ size: imageSide }, {});
/** Where a data set lies. */
export const folderArgument = object({ root: text }, {});
export const partArguments = object({ root: text, part: oneOf(["train", "val"]) }, {});
/** How many of a set are taken. */
export const countArgument = object({ count: whole(1, MOST) }, {});
export const seedOption = object({}, { seed });
export const evaluationOptions = object({}, { cropRatio: number(0, 1, true) });

/** Parameters of a beta distribution. */
export const alpha = number(0, 1000, true);

/** Both of them, as finetuning takes them. */
export const mixAlphas = optionsOf<{ mixupAlpha: number; cutmixAlpha: number }>(
  { mixupAlpha: alpha, cutmixAlpha: alpha },
  {},
);

/** One of several parts of the images, e.g. for one of several machines. */
export interface Shard {
  /** Which part, counted from 1: the first of eight is `{ index: 1, count: 8 }`. */
  index: number;
  /** How many parts there are. */
  count: number;
}

const shardNumber = whole(1, 1_000_000);

export const shardOptions = optionsOf<Shard>(
  { index: shardNumber, count: shardNumber },
  {},
  ({ index = 1, count = index }) => (index > count ? [["index", `at most count (${count})`]] : []),
);

export const severity = whole(1, 5);

export const corruptionArguments = object({ type: oneOf(corruptionTypes), severity }, {});
