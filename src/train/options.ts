import { entry, shareBelowOne, whole } from "../core/options";

import { layerDecay } from "../optim/options";

/** Greatest number of images in a batch, or of batches in a step. */
export const MOST = 1_000_000;

/** What finetuning adds. */
export const finetuning = {
  layerDecay,
  dropPath: entry(shareBelowOne, "of the last block", 0.1),
  smoothing: entry(shareBelowOne, "of labels", 0.1),
  repeatedAugmentation: entry(whole(1, MOST), "times that each image of an epoch comes, augmented anew", 3),
  emaDecay: entry(
    shareBelowOne,
    "of a moving average of the weights, evaluated and saved beside them",
    0.99996,
  ),
};
