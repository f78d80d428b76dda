import { toy } from "../../../../src/models/vit";

/** A small encoder, and a head of other widths. */
export const vit = { ...toy, dim: 32, depth: 2, heads: 2, imageSize: 32 };

export const head = {
  classes: 3,
  imageSize: 64,
  windowSize: 3,
  pyramid: 24,
  rois: { channels: 24, hidden: 40, convolutions: 2 },
};
