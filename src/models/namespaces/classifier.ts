/**
 * Image classifiers: an encoder, with or without the block, and a head.
 *
 * @module
 */
export { Classifier, type ClassifierOptions, create, fromPretrained, type Pooling } from "../classifier";
export { openBackbone } from "../openBackbone";
export { loadClassifierFolder as load, openClassifier as open } from "../openClassifier";
export { loadClassifier as loadCheckpoint } from "../pretrained";
export { mergedState, saveCheckpoint } from "../saveCheckpoint";
