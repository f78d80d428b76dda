/** The corruptions of ImageNet-C. */
export { apply } from "./apply";
export { CorruptionRun, generate } from "./generate";
