/** Language models of the LLaMA family: configuration, names and shapes of their tensors, blocks read and written. */
export { type LlamaFeatures, type LlamaFileHints, llamaHints } from "./config";
export { ConfigFields } from "./configFields";
export { writeHuggingFaceCheckpoint } from "./huggingFaceCheckpoint";
export {
  convertRowOrder,
  hfToMetaName,
  isComputedLlamaTensor,
  llamaBlockModules,
  metaToHfName,
  type RowOrder,
  visionModules,
} from "./keymap";
export type { LlamaBlocks } from "./reading";
export { type RopeScaling, rotaryFrequencies } from "./ropeScaling";
export { type LlamaBlockOptions, llamaBlockOptions, readLanguageModel, readLlamaBlocks } from "./weights";
