export * from "./attentionEntropy";
export * from "./backgrounds";
export * from "./entropy";
export * from "./features";
export * from "./reconstruction";
