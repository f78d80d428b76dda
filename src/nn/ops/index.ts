import "./mendedKernels";

export { gatedSilu, gelu, silu } from "./activations";
export { type AdamWAttributes, adamW } from "./adamw";
export { mergeHeads, splitHeads } from "./heads";
export { addRow, linear, sumRows } from "./linear";
export { splitQkv } from "./qkv";
export { layerNorm, rmsNorm } from "./norms";
