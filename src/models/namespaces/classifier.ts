/**
 * Image classifiers: an encoder, with or without the block, and a head.
 *
 * @module
 */
export { Classifier, type ClassifierOptions, create, fromPretrained, type Pooling } from "../classifier";
export { loadClassifierFolder as load, openBackbone, openClassifier as open } from "../openClassifier";
export { loadClassifier as loadCheckpoint } from "../pretrained";
export { mergedState, saveCheckpoint } from "../saveCheckpoint";
