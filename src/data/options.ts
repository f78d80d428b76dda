import {
  either,
  exactly,
  flag,
  list,
  number,
  object,
  oneOf,
  optionsOf,
  pair,
  seed,
  share,
  shareBelowOne,
  such,
  text,
  whole,
} from "../core/options";
import { Rng } from "../core/rng";
import type { RandAugmentRecipe } from "./augment/randAugment";
import type { CorruptionOptions } from "./corruptions/apply";
import type { GenerateOptions } from "./corruptions/generate";
import type { ImageDataset } from "./dataset";
import type { DecodeOptions, RgbImage } from "./decode";
import type { ImageFolderOptions } from "./imageFolder";
import type { EvalTransform, FinetuneAugmentOptions, ImageTransform } from "./imageTransform";
import type { BatchOptions } from "./loader";
import type { MixOptions, MixRecipe } from "./mixup";
import type { ImageNetSOptions } from "./segmentation";
import { corruptionTypes } from "./sets/corruptionTypes";
import type { HuggingFaceOptions } from "./sets/huggingFace";
import type { ImageNet9Options } from "./sets/imageNet9";
import type { ImageNetOptions } from "./sets/wnids";
import type { ToySetOptions } from "./toy/toySet";

/** Longest side of a picture that is made, in pixels. */
const MOST_PIXELS = 16_384;
/** Greatest count of pictures, batches or threads. */
const MOST = 100_000_000;

/** Side of the pictures of a set, in pixels. */
export const imageSide = whole(1, MOST_PIXELS);
const bytes = either(number(0, Number.MAX_SAFE_INTEGER), exactly(false));
const exif = oneOf(["honour", "ignore"]);

const has = (value: unknown, ...names: string[]) =>
  typeof value === "object" && value !== null && names.every((name) => name in value);

/** A set of pictures, the library's or one of one's own. */
export const datasetField = such<ImageDataset>(
  "a data set, e.g. of data.imageFolder: classes, length, size, report and load are needed",
  (value) => {
    if (!has(value, "classes", "length", "size", "report", "load")) return false;
    const { classes, length, size, load } = value as ImageDataset;
    const counts = Number.isInteger(length) && length >= 0 && Number.isInteger(size) && size > 0;
    return Array.isArray(classes) && counts && typeof load === "function";
  },
);

const transform = such<ImageTransform>(
  "a transform, e.g. data.transforms.evaluation(224): name, size and apply are needed",
  (value) => has(value, "name", "size", "apply") && Number.isInteger((value as ImageTransform).size),
);

const evalTransform = such<EvalTransform>(
  "a transform without randomness, e.g. data.transforms.evaluation(224)",
  (value) => has(value, "name", "size", "apply", "ids", "pixels"),
);

const image = such<RgbImage>("an image { data, width, height }", (value) =>
  has(value, "data", "width", "height"),
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

export const decodeOptions = optionsOf<DecodeOptions>(
  {},
  { exif, gray16: oneOf(["clip", "high-byte"]), maxPixels: whole(1, Number.MAX_SAFE_INTEGER) },
);

export const imageFolderOptions = optionsOf<ImageFolderOptions>(
  {},
  {
    ...decodeOptions.optional,
    transform,
    cache: bytes,
  },
);

export const imageNetOptions = optionsOf<ImageNetOptions>(
  {},
  { ...imageFolderOptions.optional, wnids: list(text), partial: flag },
);

export const huggingFaceOptions = optionsOf<HuggingFaceOptions>(
  {},
  {
    ...imageFolderOptions.optional,
    split: text,
    config: text,
    image: text,
    label: either(text, exactly(false)),
    groupCache: number(0, Number.MAX_SAFE_INTEGER),
  },
);

export const imageNet9Options = optionsOf<ImageNet9Options>(
  {},
  { transform, classes: list(text), cache: bytes },
);

export const imageNetSOptions = optionsOf<ImageNetSOptions>(
  {},
  {
    root: text,
    variant: such("50, 300 or 919", (value) => [50, 300, 919].includes(value as number)),
    images: text,
    masks: text,
    partial: flag,
    patch: whole(1, MOST_PIXELS),
    transform: evalTransform,
    exif,
    cache: bytes,
  },
);

export const toySetOptions = optionsOf<ToySetOptions>(
  {},
  {
    seed,
    size: whole(8, 1024),
    train: whole(0, 1_000_000),
    validation: whole(0, 1_000_000),
    imageNet9: whole(0, 1_000_000),
  },
);

export const batchOptions = optionsOf<BatchOptions>(
  { batchSize: whole(1, 1_000_000) },
  {
    seed,
    epoch: whole(0, MOST),
    start: whole(0, MOST),
    shuffle: flag,
    repeats: whole(1, MOST),
    spread: whole(1, MOST),
    dropLast: flag,
    prefetch: whole(0, 10_000),
    reuse: either(
      whole(1, MOST),
      such("Infinity", (value) => value === Number.POSITIVE_INFINITY),
    ),
    workers: whole(0, 1024),
  },
);

export const randAugmentRecipe = optionsOf<RandAugmentRecipe>(
  {},
  {
    layers: whole(0, 100),
    magnitude: number(0, 10),
    magnitudeStd: number(0, 100),
    probability: share,
  },
);

export const finetuneAugmentOptions = optionsOf<FinetuneAugmentOptions>(
  {},
  { randAugment: either(randAugmentRecipe, exactly(null)), erasing: share },
);

/** Parameters of a beta distribution. */
const alpha = number(0, 1000, true);

/** Both of them, as finetuning takes them. */
export const mixAlphas = optionsOf<{ mixupAlpha: number; cutmixAlpha: number }>(
  { mixupAlpha: alpha, cutmixAlpha: alpha },
  {},
);

export const mixRecipe = optionsOf<MixRecipe>(
  {},
  { mixupAlpha: alpha, cutmixAlpha: alpha, switchProbability: share },
);

export const mixOptions = optionsOf<MixOptions>(
  {
    images: such("a Float32Array [B, C, H, W]", (value) => value instanceof Float32Array),
    labels: such("labels [B]", (value) => has(value, "length") || typeof value === "string"),
    height: imageSide,
    width: imageSide,
    classes: whole(1, 1_000_000),
  },
  {
    ...mixRecipe.optional,
    smoothing: shareBelowOne,
    lambda: share,
    centre: pair(whole(0, MOST_PIXELS)),
    rng: such("an Rng", (value) => value instanceof Rng),
  },
);

const severity = whole(1, 5);

export const corruptionArguments = object({ type: oneOf(corruptionTypes), severity }, {});

export const corruptionOptions = optionsOf<CorruptionOptions>({}, { frost: list(image) });

export const generateOptions = optionsOf<GenerateOptions>(
  {},
  {
    types: list(oneOf(corruptionTypes), 1),
    severities: list(severity, 1),
    size: whole(32, MOST_PIXELS),
    seed,
    frost: text,
    workers: whole(1, 1024),
    shard: optionsOf<{ index: number; count: number }>(
      { index: whole(0, 1_000_000), count: whole(1, 1_000_000) },
      {},
    ),
  },
);
