import { entry, list, number, oneOf, optionsOf, type Rule, shareBelowOne, whole } from "../../core/options";
import { type DetectionDataset, detectionField } from "../../data/coco";
import { layerDecay } from "../../optim/options";
import { type TrainOptions, trainOptions } from "../plan";

/** What a schedule in steps has no use for. */
type ByEpochs = "baseLr" | "minLr" | "warmupEpochs" | "warmupLr" | "cooldownEpochs";

/** What detection adds to the common options, with a schedule of its own: warm-up, then a rate that falls in steps. */
export interface DetectOptions extends Omit<TrainOptions, ByEpochs> {
  lr: number;
  /** Rate of layer k is layerDecay^(depth + 1 - k); default 0.7, 1 for none. */
  layerDecay?: number;
  /** Drop-path rate of the last block; default 0.1. */
  dropPath?: number;
  /** Steps of warm-up; default 250. */
  warmupSteps?: number;
  /** Of `lr`, in the first step; default 0.001. */
  warmupFactor?: number;
  /** Shares of all steps, behind each of which the rate is multiplied by `factor`; default 8/9 and 26/27. */
  milestones?: readonly number[];
  /** Default 0.1. */
  factor?: number;
  /**
   * What the losses of the heads are divided by: "image" (default) gives every image the same weight, as one image for each
   * GPU does; "batch" every sample of a batch.
   */
  normalize?: "image" | "batch";
  /** Evaluated after every epoch: COCO's `boxAP` in percent, and `maskAP` where masks are drawn. */
  validation?: DetectionDataset;
}

const { baseLr, minLr, warmupEpochs, warmupLr, cooldownEpochs, ...common } = trainOptions.optional;

const rising: Rule<DetectOptions> = ({ milestones = [] }) =>
  milestones.every((share, i) => i === 0 || share > milestones[i - 1])
    ? []
    : [["milestones", "rising shares"]];

export const detectOptions = optionsOf<DetectOptions>(
  { ...trainOptions.required, lr: common.lr },
  {
    ...common,
    layerDecay,
    dropPath: entry(shareBelowOne, "of the last block", 0.1),
    warmupSteps: entry(whole(0, 1_000_000_000), "steps of warm-up", 250),
    warmupFactor: entry(number(0, 1), "of the rate, in the first step", 0.001),
    milestones: entry(
      list(number(0, 1)),
      "shares of all steps behind which the rate falls",
      [0.8889, 0.963],
    ) as never,
    factor: entry(number(0, 1), "that the rate is multiplied by there", 0.1),
    normalize: entry(oneOf(["image", "batch"]), "what weighs the same in the heads' losses", "image"),
    validation: detectionField,
  },
  rising,
);
