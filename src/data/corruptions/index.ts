/**
 * The corruptions of ImageNet-C.
 *
 * @module
 */
export { apply } from "./apply";
export { CorruptionRun, generate } from "./generate";
