import { checkOptions, shaped } from "../core/options";
import { batchesPerEpoch } from "../data/loader";
import type { TrainOptions } from "./plan";

/** Images in ImageNet-1K's training part. */
const imageNet1kImages = 1281167;

/** Steps of a run, and how many images pass through it. */
export function costOf(
  recipe: Pick<TrainOptions, "epochs" | "cooldownEpochs" | "batchSize" | "accumulate">,
  images = imageNet1kImages,
): { steps: number; images: number } {
  checkOptions("costOf", shaped("a recipe { epochs, batchSize }", "epochs", "batchSize"), recipe);
  const { epochs, cooldownEpochs = 0, batchSize, accumulate = 1 } = recipe;
  const steps = (epochs + cooldownEpochs) * Math.floor(batchesPerEpoch(images, batchSize) / accumulate);
  return { steps, images: steps * batchSize * accumulate };
}
