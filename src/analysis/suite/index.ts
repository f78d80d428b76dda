export { mergeSuites } from "./merge";
export type { Metric } from "./metrics";
export { SuiteResult } from "./result";
export { type SuitePartState, type SuiteProgress, SuiteRun } from "./run";
export { overSeeds, SeedTable } from "./seeds";
export {
  type BackgroundSplit,
  type CorruptionSets,
  openSuiteSets,
  type SuiteFolders,
  type SuiteSets,
} from "./sets";
export { type SuiteOptions, suite } from "./suite";
