/**
 * What a trained model attends to and keeps: entropy, maps, features, reconstructions, pseudo-masks, gradient signal.
 *
 * @module
 */
export { AnswerAttention, answerAttention, VisualTokens, visualTokens } from "./answers";
export {
  attentionEntropy,
  type EntropyOptions,
  type EntropyTable,
  lastViTLayer,
  layersOf,
  patchMaps,
  summarizeEntropy,
} from "./attentionEntropy";
export { AttentionMaps, attentionMaps } from "./attentionMaps";
export { BackgroundReliance, backgroundReliance } from "./backgrounds";
export { rowEntropy } from "./entropy";
export { EntropyShares, entropyShares } from "./entropyShares";
export { extractFeatures, type Features } from "./features";
export { GradientSignal, gradientSignal } from "./gradientSignal";
export { ActivationPatching, ablateHeads, HeadAblation, patchActivations } from "./interventions";
export { LensMaps, LensProbes, lens, trainLensProbes } from "./lens";
export { PairedDifference, pairedDifference, type Verdict, verdictOfAll } from "./pairedSeeds";
export { LinearProbe, type NeighborVotes, nearestNeighbors, TrainedProbe, trainProbe } from "./probe";
export type { ResultTable } from "./provenance";
export { PseudoMaskIou, pseudoMaskIou } from "./pseudoMaskIou";
export { classAttentionMap, pseudoMaskOverlap } from "./pseudoMasks";
export { type QuantizedRows, rowWeights } from "./quantizedRows";
export { type Reconstruction, reconstruct } from "./reconstruction";
export {
  Faithfulness,
  faithfulness,
  type GivenImages,
  RelevanceMap,
  type RelevanceMethod,
  type RelevanceOptions,
  relevance,
  type TargetClass,
} from "./relevance";
export {
  attentionDistances,
  cka,
  massMask,
  type PatchFeatures,
  type PrincipalComponents,
  patchFeatures,
  principalComponents,
  TokenNorms,
  tokenNorms,
} from "./representations";
export { rolloutThrough } from "./rollout";
export { type SeedStatistics, seedStatistics } from "./statistics";
