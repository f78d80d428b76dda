export type { Metric } from "./metrics";
export { mergeSuites } from "./merge";
export { SuiteResult } from "./result";
export {
  type BackgroundSplit,
  type CorruptionSets,
  openSuiteSets,
  type SuiteFolders,
  type SuiteSets,
} from "./sets";
export { type SuitePartState, type SuiteProgress, SuiteRun } from "./run";
export { type SuiteOptions, suite } from "./suite";
export { overSeeds, SeedTable } from "./seeds";
