export * from "../languageModel";
export * from "../llama";
export * from "../llamaBlock";
