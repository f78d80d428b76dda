import { batchesPerEpoch } from "../data/loader";
import type { TrainOptions } from "./plan";

/** Images in ImageNet-1K's training part. */
const imageNet1kImages = 1281167;

/** Steps of a run, and how many images pass through it. */
export function costOf(
  {
    epochs,
    cooldownEpochs = 0,
    batchSize,
    accumulate = 1,
  }: Pick<TrainOptions, "epochs" | "cooldownEpochs" | "batchSize" | "accumulate">,
  images = imageNet1kImages,
): { steps: number; images: number } {
  const steps = (epochs + cooldownEpochs) * Math.floor(batchesPerEpoch(images, batchSize) / accumulate);
  return { steps, images: steps * batchSize * accumulate };
}
