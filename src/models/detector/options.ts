import { LuvitError } from "../../core/errors";
import {
  checkOptions,
  entry,
  flag,
  list,
  number,
  optionsOf,
  type Rule,
  seed,
  such,
  text,
  whole,
} from "../../core/options";
import { width } from "../../nn/options";
import { type FusionPlan, fusion } from "../fusion";
import type { LlamaBlocks } from "../llamaBlock";
import { has, pixels } from "../options";
import { usualNormEps, type ViTConfig, vitConfig } from "../vit";
import type { Detector } from "./detector";
import {
  type DetectorSettings,
  officialSettings,
  type RegionSettings,
  type RoiSettings,
  type WindowedViTConfig,
} from "./settings";

export const detectorField = such<Detector>(
  "a detector, from detector.create, fromPretrained or open",
  (value) => has(value, "backbone", "proposal_generator", "roi_heads"),
);

/** What a detector is, beside its encoder. */
export interface DetectorHeadOptions {
  classes: number;
  /** Names of the classes in label order; training takes them from its data set. */
  classNames?: readonly string[];
  /** Whether it draws masks; default true. */
  masks?: boolean;
  /** Pixels, square: what images are fitted into; default 1024. */
  imageSize?: number;
  /** Side of the windows that most blocks see, in tokens; default 14. */
  windowSize?: number;
  /** Blocks that see all tokens, from 0; default the last of each quarter. */
  globalBlocks?: readonly number[];
  /** Default 1e-6, detectron2's; mmdetection, which LUViT used, has 1e-5. */
  normEps?: number;
  /** Channels of the pyramid's maps; default 256. */
  pyramid?: number;
  /** How regions are proposed; what is left out is detectron2's. */
  regions?: Partial<RegionSettings>;
  /** How regions are looked at; what is left out is detectron2's. */
  rois?: Partial<RoiSettings>;
  seed?: number;
}

/** Parts of a detector: encoder, fusion path, and what stands behind them. */
export interface DetectorOptions extends DetectorHeadOptions {
  /** The encoder as it is pretrained: its `imageSize` is that of its positions. */
  encoder: ViTConfig;
  fusion?: LlamaBlocks | FusionPlan;
}

const partly = (what: string) => such<object>(what, (value) => typeof value === "object" && value !== null);

const heads = {
  required: { classes: entry(whole(1, 1_000_000), "classes told apart", 80) },
  optional: {
    classNames: list(text, 1),
    masks: entry(flag, "masks too, not boxes alone", true),
    imageSize: entry(pixels, "pixels, square, that images are fitted into", 1024),
    windowSize: entry(whole(1, 1024), "tokens, side of a window", 14),
    globalBlocks: entry(list(whole(0, 10_000)), "blocks that see all tokens", [2, 5, 8, 11]),
    normEps: number(0, 1, true),
    pyramid: entry(width, "channels of the pyramid", 256),
    regions: partly("settings of proposals { perImage, … }") as never,
    rois: partly("settings of the heads { perImage, … }") as never,
    seed,
  },
};

const namesFit: Rule<DetectorHeadOptions> = ({ classes, classNames }) =>
  classNames && classNames.length !== classes ? [["classNames", `${classes} names`]] : [];

export const detectorHeadOptions = optionsOf<DetectorHeadOptions>(heads.required, heads.optional, namesFit);

export const detectorOptions = optionsOf<DetectorOptions>(
  { ...heads.required, encoder: vitConfig },
  { ...heads.optional, fusion },
  namesFit as Rule<DetectorOptions>,
);

/** The last block of each quarter, as ViTDet has it: 2, 5, 8, 11 of 12. */
export function quarterEnds(depth: number): number[] {
  return [1, 2, 3, 4].map((quarter) => Math.ceil((quarter * depth) / 4) - 1);
}

/**
 * Settings of a detector on an encoder, detectron2's where nothing else is said.
 * @throws LuvitError("bad-argument")
 */
export function detectorSettings(encoder: ViTConfig, options: DetectorHeadOptions): DetectorSettings {
  const { depth, patchSize, imageSize: pretrainImageSize } = encoder;
  const { imageSize = 1024, windowSize = 14, globalBlocks = quarterEnds(depth), normEps = 1e-6 } = options;
  const windowed: WindowedViTConfig = {
    ...encoder,
    imageSize,
    windowSize,
    globalBlocks: [...new Set(globalBlocks)],
    pretrainImageSize,
    normEps,
  };
  expectPlain(encoder);
  checkOptions("detector", sizesFit, { imageSize, patchSize, globalBlocks: [...globalBlocks], depth });
  const official = officialSettings(windowed, options.classes, options.masks ?? true);
  return {
    ...official,
    pyramid: options.pyramid ?? official.pyramid,
    regions: { ...official.regions, ...options.regions },
    rois: { ...official.rois, ...options.rois },
  };
}

/** @throws LuvitError("bad-argument") for what windowed blocks have not. */
function expectPlain({ registers = 0, layerScale, mlp = "gelu", ...more }: ViTConfig): void {
  const { classToken = true, preNorm = false, normEps = usualNormEps } = more;
  const extras = [
    ...(registers > 0 ? ["registers"] : []),
    ...(layerScale !== undefined ? ["layerScale"] : []),
    ...(mlp !== "gelu" ? ["mlp"] : []),
    ...(classToken ? [] : ["classToken"]),
    ...(preNorm ? ["preNorm"] : []),
    ...(normEps !== usualNormEps ? ["normEps"] : []),
  ];
  if (extras.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `detector: its ViT has no ${extras.join(", no ")}; leave them out of the encoder`,
  );
}

interface Sizes {
  imageSize: number;
  patchSize: number;
  depth: number;
  globalBlocks: readonly number[];
}

const sizesFit = optionsOf<Sizes>(
  { imageSize: pixels, patchSize: pixels, depth: whole(1), globalBlocks: list(whole(0)) as never },
  {},
  ({ imageSize = 0, patchSize = 1, globalBlocks = [], depth = 0 }) => {
    const wrong: [name: string, expected: string][] = [];
    if (imageSize % patchSize !== 0) wrong.push(["imageSize", `a multiple of patchSize (${patchSize})`]);
    if (patchSize % 4 !== 0) wrong.push(["patchSize", "a multiple of 4, for a map of four times the tokens"]);
    if (imageSize / patchSize < 4) wrong.push(["imageSize", `at least 4 patches of ${patchSize}`]);
    if (globalBlocks.some((block) => block >= depth))
      wrong.push(["globalBlocks", `blocks from 0 to ${depth - 1}`]);
    return wrong;
  },
);
