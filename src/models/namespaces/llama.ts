export * from "../languageModel";
export * from "../llama";
export * from "../llamaBlock";
export { loadLanguageModel as load } from "../openMae";
