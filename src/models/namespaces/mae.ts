export * from "../mae";
export * from "../masking";
export { loadMaeFolder as load, openMae as open } from "../openMae";
export { loadMae as loadCheckpoint } from "../pretrained";
export { type SaveCheckpointOptions, saveCheckpoint } from "../saveCheckpoint";
