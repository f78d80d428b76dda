export * from "../mae";
export * from "../masking";
export { loadMae as loadCheckpoint } from "../pretrained";
export { type SaveCheckpointOptions, saveCheckpoint } from "../saveCheckpoint";
