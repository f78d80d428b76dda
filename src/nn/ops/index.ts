import "./after";
import "./mendedKernels";

export { gatedSilu, gelu, silu } from "./activations";
export { type AdamWAttributes, adamW } from "./adamw";
export { crossEntropy } from "./crossEntropy";
export { mergeHeads, splitHeads } from "./heads";
export { addRow, linear, sumRows } from "./linear";
export { layerNorm, normalRows, rmsNorm } from "./norms";
export { patchLoss } from "./patchLoss";
export { splitQkv } from "./qkv";
