export * from "../classifier";
export { openClassifier as open, loadClassifierFolder as load } from "../openClassifier";
export { type FitOptions, loadClassifier as loadCheckpoint } from "../pretrained";
export { mergedState, type SaveCheckpointOptions, saveCheckpoint } from "../saveCheckpoint";
