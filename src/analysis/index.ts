export * from "./attentionEntropy";
export * from "./attentionMaps";
export * from "./backgrounds";
export * from "./entropy";
export * from "./features";
export * from "./quantisedRows";
export * from "./reconstruction";
export * from "./rollout";
