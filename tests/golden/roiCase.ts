import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMask, type Rle } from "../../src/core/masks";
import { Rng } from "../../src/core/rng";
import type { Tensor } from "../../src/core/tf";
import type { LevelMap } from "../../src/models/detection/roiWeights";
import type { ImageObjects } from "../../src/models/detection/targets";
import type { RoiRows } from "../../src/models/detector/roiAlign";
import { RoiHeads } from "../../src/models/detector/roiHeads";
import { channelsLast } from "./detector";
import type { CaseFile, Check } from "./harness";
import type { GoldenTensor } from "./readTensors";
import { type GoldenTensors, load, stateDict } from "./support";

export type Given = Readonly<Record<string, Tensor>>;

export const json = <T>(folder: string, name: string) =>
  JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
export const floatsOf = (golden: GoldenTensor) => golden.data as Float32Array;
export const sizeOf = ([height, width]: number[]) => ({ height, width });

/** Entries whose names begin with `prefix`, without it. */
export const under = (given: Given, prefix: string): Given =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );

export const prefixed = <T>(prefix: string, all: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(all).map(([name, value]) => [`${prefix}${name}`, value]));

/** What the whole case is made of. */
export class Case {
  readonly io: GoldenTensors;
  readonly maps: LevelMap[];
  readonly levelNames: string[];
  readonly images: ImageObjects[];

  constructor(
    readonly folder: string,
    readonly meta: CaseFile,
  ) {
    const { config } = meta;
    this.io = load(folder, "io.safetensors");
    this.levelNames = [...this.io.keys()].filter((name) => name.startsWith("feature_")).sort();
    this.maps = this.levelNames.map((name, i) => {
      const [, , height, width] = this.io.get(name)!.shape;
      return { level: Number(name.slice("feature_p".length)), stride: config.strides[i], height, width };
    });
    const outlines = json<{ polygons: number[][][] }[]>(folder, "ground_truth.json");
    this.images = outlines.map(({ polygons }, i) => ({
      boxes: (this.io.get(`gt_boxes_${i}`)?.data ?? new Float32Array(0)) as Float32Array,
      classes: (this.io.get(`gt_classes_${i}`)?.data ?? new Int32Array(0)) as Int32Array,
      polygons,
    }));
  }

  get settings() {
    const { config } = this.meta;
    return {
      thresholds: [config.iou_threshold] as [number],
      lowQuality: false,
      perImage: config.batch_size_per_image,
      objectShare: config.positive_fraction,
      classes: config.num_classes,
      weights: config.box_weights,
      normalize: "batch" as const,
    };
  }

  get levels() {
    const { config } = this.meta;
    return {
      canonicalSize: config.canonical_box_size,
      canonicalLevel: config.canonical_level,
      lowest: this.maps[0].level,
      highest: this.maps[this.maps.length - 1].level,
    };
  }

  model(): RoiHeads {
    const { config } = this.meta;
    const model = new RoiHeads(
      {
        inputs: config.channels,
        classes: config.num_classes,
        convolutions: config.box_convs,
        channels: config.conv_dim,
        hidden: config.fc_dim,
        boxBins: config.box_pool,
        normEps: config.norm_eps,
        masks: true,
      },
      new Rng(0),
    );
    model.loadStateDict(stateDict(load(this.folder, "state.safetensors")));
    return model;
  }

  /** Maps of a batch as the model takes them. */
  mapsOf(given: Given): Tensor[] {
    return this.levelNames.map((name) => channelsLast(given[name]));
  }

  rowsOf(given: Given): RoiRows[] {
    return this.maps.map(({ level }) => ({ y: given[`y${level}`], x: given[`x${level}`] }));
  }

  features(): Record<string, GoldenTensor> {
    return Object.fromEntries(this.levelNames.map((name) => [name, this.io.get(name)!]));
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a config differs per case
export const detectionSettings = (config: any) => ({
  scoreThreshold: config.test_score_thresh ?? config.score_thresh,
  threshold: config.test_nms_thresh ?? config.nms_thresh,
  perImage: config.test_topk_per_image ?? config.topk,
});

/** Masks [n, H, W] of a golden file, one by one. */
export const masksOf = (golden: GoldenTensor) =>
  Array.from({ length: golden.shape[0] }, (_, i) =>
    golden.data.slice(i * golden.shape[1] * golden.shape[2], (i + 1) * golden.shape[1] * golden.shape[2]),
  );

/** The most pixels by which a mask differs. */
export function pixelCheck(
  name: string,
  actual: readonly Rle[],
  expected: readonly ArrayLike<number>[],
  tolerance: number,
): Check {
  const wrong = actual.map((rle, i) =>
    decodeMask(rle).reduce((sum, pixel, at) => sum + Math.abs(pixel - expected[i][at]), 0),
  );
  return {
    name,
    error: actual.length === expected.length ? Math.max(0, ...wrong) : Number.POSITIVE_INFINITY,
    tolerance,
  };
}
