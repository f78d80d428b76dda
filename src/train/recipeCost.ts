import { batchesPerEpoch } from "../data/loader";
import type { TrainOptions } from "./plan";

/** Pictures in ImageNet-1K's training part. */
const imageNet1kPictures = 1281167;

/** Steps of a run, and how many pictures pass through it. */
export function costOf(
  {
    epochs,
    cooldownEpochs = 0,
    batchSize,
    accumulate = 1,
  }: Pick<TrainOptions, "epochs" | "cooldownEpochs" | "batchSize" | "accumulate">,
  pictures = imageNet1kPictures,
): { steps: number; pictures: number } {
  const steps = (epochs + cooldownEpochs) * Math.floor(batchesPerEpoch(pictures, batchSize) / accumulate);
  return { steps, pictures: steps * batchSize * accumulate };
}
