/**
 * Blocks of language models of the LLaMA family.
 *
 * @module
 */
export { type LanguageModelConfig, LlamaLanguageModel } from "../languageModel";
export { type LoadBlockOptions, loadBlock } from "../llama";
export { LlamaAttention, LlamaBlock, LlamaBlocks, LlamaFeedForward } from "../llamaBlock";
export { type LlamaConfig, llama7b } from "../llamaConfig";
export { loadLanguageModel as load } from "../openMae";
