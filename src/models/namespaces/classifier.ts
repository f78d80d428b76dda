export * from "../classifier";
export { openClassifier as open } from "../openClassifier";
export { type FitOptions, loadClassifier as loadCheckpoint } from "../pretrained";
export { mergedState, type SaveCheckpointOptions, saveCheckpoint } from "../saveCheckpoint";
