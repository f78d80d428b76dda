import type { AnchorSettings } from "../detection/anchors";
import type { Size } from "../detection/boxes";
import type { DeltaWeights } from "../detection/codec";
import type { DetectionSettings } from "../detection/detections";
import type { MatchSettings } from "../detection/matching";
import type { LevelMap, LevelSettings } from "../detection/roiWeights";
import type { SampleSettings } from "../detection/sampling";
import type { ViTConfig } from "../vit";

/** A ViT that looks at large images: most blocks see windows alone. */
export interface WindowedViTConfig extends ViTConfig {
  /** Side of a window in tokens. */
  windowSize: number;
  /** Blocks that see all tokens. */
  globalBlocks: readonly number[];
  /** Pixels, square: the images that its positions were learned for. */
  pretrainImageSize: number;
  normEps: number;
}

/** In training, and when objects are looked for. */
export interface ByMode {
  train: number;
  test: number;
}

/** How regions that may hold objects are proposed, and what the proposing learns from. */
export interface RegionSettings extends MatchSettings, SampleSettings {
  /** Sides of the anchors of each level, in pixels. */
  sizes: readonly (readonly number[])[];
  /** Height over width. */
  ratios: readonly number[];
  /** Of the first anchor's center, in strides. */
  offset: number;
  weights: DeltaWeights;
  /** Best of each level, before doubled ones go. */
  perLevel: ByMode;
  /** Best of all levels, behind that. */
  proposals: ByMode;
  /** Overlap from which on the weaker of two goes. */
  overlap: number;
}

/** How proposed regions are looked at, and what the heads learn from. */
export interface RoiSettings extends MatchSettings, SampleSettings {
  convolutions: number;
  channels: number;
  hidden: number;
  boxBins: number;
  maskBins: number;
  weights: DeltaWeights;
  canonicalSize: number;
  canonicalLevel: number;
  detections: DetectionSettings;
}

/** Everything that decides what a detector computes; plain JSON. */
export interface DetectorSettings {
  encoder: WindowedViTConfig;
  classes: number;
  /** Whether it draws masks. */
  masks: boolean;
  /** Channels of the pyramid's maps. */
  pyramid: number;
  normEps: number;
  regions: RegionSettings;
  rois: RoiSettings;
}

/** Numbers of the pyramid's levels: 2 has four times the tokens' resolution. */
export const LEVELS = [2, 3, 4, 5, 6] as const;

/** Sizes and strides of the maps that square images of the encoder's size have. */
export function levelMaps({
  encoder: { imageSize, patchSize },
}: Pick<DetectorSettings, "encoder">): LevelMap[] {
  const tokens = imageSize / patchSize;
  const half = Math.floor(tokens / 2);
  const sides = [4 * tokens, 2 * tokens, tokens, half, Math.ceil(half / 2)];
  return LEVELS.map((level, i) => ({
    level,
    stride: (patchSize / 4) * 2 ** i,
    height: sides[i],
    width: sides[i],
  }));
}

export function anchorSettings(settings: DetectorSettings): AnchorSettings & { maps: Size[] } {
  const { sizes, ratios, offset } = settings.regions;
  const maps = levelMaps(settings);
  return { strides: maps.map(({ stride }) => stride), sizes, ratios, offset, maps };
}

/** The maps that boxes are looked at on: all but the last. */
export const roiMaps = (settings: DetectorSettings): LevelMap[] => levelMaps(settings).slice(0, -1);

export function roiLevels({ rois }: DetectorSettings): LevelSettings {
  const { canonicalSize, canonicalLevel } = rois;
  return { canonicalSize, canonicalLevel, lowest: LEVELS[0], highest: LEVELS[LEVELS.length - 2] };
}

/** detectron2's settings for an encoder: those of projects/ViTDet, at 1024 pixels. */
export function officialSettings(
  encoder: WindowedViTConfig,
  classes: number,
  masks: boolean,
): DetectorSettings {
  return {
    encoder,
    classes,
    masks,
    pyramid: 256,
    normEps: encoder.normEps,
    regions: {
      sizes: [[32], [64], [128], [256], [512]],
      ratios: [0.5, 1, 2],
      offset: 0,
      thresholds: [0.3, 0.7],
      lowQuality: true,
      perImage: 256,
      objectShare: 0.5,
      weights: [1, 1, 1, 1],
      perLevel: { train: 2000, test: 1000 },
      proposals: { train: 1000, test: 1000 },
      overlap: 0.7,
    },
    rois: {
      thresholds: [0.5],
      lowQuality: false,
      perImage: 512,
      objectShare: 0.25,
      convolutions: 4,
      channels: 256,
      hidden: 1024,
      boxBins: 7,
      maskBins: 14,
      weights: [10, 10, 5, 5],
      canonicalSize: 224,
      canonicalLevel: 4,
      detections: { scoreThreshold: 0.05, threshold: 0.5, perImage: 100 },
    },
  };
}
