/**
 * Modules, layers, losses and patches.
 *
 * @module
 */
export { scaledDotProductAttention } from "./attention";
export { AttentionMask, type PrefixMaskOptions, prefixMask, type WithinImage } from "./attentionMask";
export { type Context, type Edit, inference, site, type Tap, type TokenRange } from "./context";
export {
  type FeatureDistance,
  type FeatureLossOptions,
  type FeatureNorm,
  featureLoss,
  hardTargetDistance,
  type Reduction,
  type SoftTargetOptions,
  softTargetDistance,
  stopGradient,
} from "./distillation";
export { constant, kaimingUniform, normal, ones, uniform, xavierUniform, zeros } from "./init";
export { LayerNorm, Linear, RMSNorm } from "./layers";
export { LoadReport, loadStateDict } from "./loadStateDict";
export { maskedPatchLoss, smoothedTargets, softTargetCrossEntropy } from "./losses";
export { Module } from "./module";
export { gelu, layerNorm, linear, rmsNorm, silu } from "./ops";
export { Parameter } from "./parameter";
export { patchify, unpatchify } from "./patches";
export {
  type PatchGrid,
  type PositionResize,
  type PositionRule,
  positionsOfGrid,
  resizePositionTable,
  sinCosPositionTable,
} from "./positionEmbedding";
export { trainableVariables } from "./variables";
