export * from "./attentionEntropy";
export * from "./backgrounds";
export * from "./entropy";
export * from "./reconstruction";
