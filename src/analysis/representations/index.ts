export { massMask } from "./attentionDistance";
export { type AttentionDistanceOptions, attentionDistances } from "./attentionDistances";
export { type CkaOptions, cka, type Representation } from "./cka";
export { type PatchFeatureOptions, type PatchFeatures, patchFeatures } from "./patchFeatures";
export { type PrincipalComponents, principalComponents } from "./pca";
export { type TokenNormOptions, TokenNorms, tokenNorms } from "./tokenNorms";
