/**
 * Blocks of language models of the LLaMA family.
 *
 * @module
 */
export { type LanguageModelConfig, LlamaLanguageModel } from "../languageModel";
export { type LoadBlockOptions, loadBlock } from "../llama";
export {
  LlamaAttention,
  LlamaBlock,
  LlamaBlocks,
  type LlamaConfig,
  LlamaFeedForward,
  llama7b,
} from "../llamaBlock";
export { loadLanguageModel as load } from "../openMae";
