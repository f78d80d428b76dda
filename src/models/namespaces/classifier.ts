export * from "../classifier";
export { loadClassifier as loadCheckpoint } from "../pretrained";
