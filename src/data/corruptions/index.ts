export * from "./apply";
export type { CorruptedPicture, CorruptionPlan } from "./corruptFile";
export type { Draws } from "./draws";
export * from "./generate";
