/**
 * All published sets at once, in shards, beside the paper's numbers.
 *
 * @module
 */
export { SegmentationEvaluation, type SegmentationOptions, segmentation } from "../segmentation";
export { mergeSuites } from "./merge";
export { SuiteResult } from "./result";
export { SuiteRun } from "./run";
export { overSeeds, SeedTable } from "./seeds";
export { openSuiteSets } from "./sets";
export { type SuiteOptions, suite } from "./suite";
