import "./after";
import "./filterGradient";
import "./mendedKernels";

export { gatedSilu, gelu, silu } from "./activations";
export { type AdamWAttributes, adamW } from "./adamw";
export { firstAlong } from "./firstAlong";
export { mergeHeads, splitHeads } from "./heads";
export { addRow, linear, linearByGroup, sumRows, transposedByGroup } from "./linear";
export { layerNorm, rmsNorm } from "./norms";
export { splitQkv } from "./qkv";
