import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageObjects } from "../../src/models/detection/targets";
import { Detector } from "../../src/models/detector/detector";
import type { DetectorSettings } from "../../src/models/detector/settings";
import type { Execute } from "./execute";
import type { CaseFile } from "./harness";
import type { GoldenTensor } from "./readTensors";
import { type GoldenTensors, load, stateDict } from "./support";
import { windowedConfig } from "./vitDet";

export const json = <T>(folder: string, name: string) =>
  JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
export const sizeOf = ([height, width]: number[]) => ({ height, width });

// biome-ignore lint/suspicious/noExplicitAny: a config differs per case
function settingsOf(config: any): DetectorSettings {
  const { rpn, roi_heads: roi } = config;
  return {
    encoder: windowedConfig(config.vit),
    classes: roi.num_classes,
    masks: true,
    pyramid: config.pyramid_channels,
    normEps: config.vit.norm_eps,
    regions: {
      sizes: rpn.anchor_sizes,
      ratios: rpn.aspect_ratios,
      offset: rpn.offset,
      thresholds: rpn.iou_thresholds,
      lowQuality: true,
      perImage: rpn.batch_size_per_image,
      objectShare: rpn.positive_fraction,
      weights: [1, 1, 1, 1],
      perLevel: rpn.pre_nms_topk,
      proposals: rpn.post_nms_topk,
      overlap: rpn.nms_thresh,
    },
    rois: {
      thresholds: [roi.iou_threshold],
      lowQuality: false,
      perImage: roi.batch_size_per_image,
      objectShare: roi.positive_fraction,
      convolutions: roi.box_convs,
      channels: roi.conv_dim,
      hidden: roi.fc_dim,
      boxBins: 7,
      maskBins: 14,
      weights: roi.box_weights,
      canonicalSize: roi.canonical_box_size,
      canonicalLevel: roi.canonical_level,
      detections: {
        scoreThreshold: roi.test_score_thresh,
        threshold: roi.test_nms_thresh,
        perImage: roi.test_topk_per_image,
      },
    },
  };
}

/** What the parts of the check share. */
export class Case {
  readonly io: GoldenTensors;
  readonly sampling: GoldenTensors;
  readonly settings: DetectorSettings;
  readonly images: ImageObjects[];
  readonly sizes: { height: number; width: number }[];

  constructor(
    readonly folder: string,
    readonly meta: CaseFile,
    readonly execute: Execute,
  ) {
    this.io = load(folder, "io.safetensors");
    this.sampling = load(folder, "sampling.safetensors");
    this.settings = settingsOf(meta.config);
    this.sizes = meta.config.image_sizes_hw.map(sizeOf);
    const outlines = json<{ polygons: number[][][] }[]>(folder, "ground_truth.json");
    this.images = outlines.map(({ polygons }, i) => ({
      boxes: this.io.get(`gt_boxes_${i}`)!.data as Float32Array,
      classes: this.io.get(`gt_classes_${i}`)!.data as Int32Array,
      polygons,
    }));
  }

  model(): Detector {
    const model = new Detector(this.settings);
    model.loadStateDict(stateDict(load(this.folder, "state.safetensors")));
    return model;
  }

  /** Normalized, then padded with 0. */
  input(): GoldenTensor {
    const { batch, square_pad: side, pixel_mean: mean, pixel_std: std } = this.meta.config;
    const data = new Float32Array(batch * 3 * side * side);
    for (let image = 0; image < batch; image++) {
      const { shape, data: pixels } = this.io.get(`image_${image}`)!;
      const [height, width] = shape;
      for (let at = 0; at < pixels.length; at++) {
        const channel = at % 3;
        const [y, x] = [Math.floor(at / 3 / width), Math.floor(at / 3) % width];
        const to = ((image * 3 + channel) * side + y) * side + x;
        if (y < height) data[to] = (pixels[at] - mean[channel]) / std[channel];
      }
    }
    return { shape: [batch, 3, side, side], dtype: "F32", data };
  }
}

/** What the first stage says of a batch. */
export interface Outputs {
  logits: Float32Array;
  deltas: Float32Array;
}
