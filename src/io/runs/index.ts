/** What a training run leaves: checkpoints to go on from, and its log. */
export { isRunFolder } from "./isRunFolder";
export {
  appendMetrics,
  type MetricsRecord,
  readMetrics,
  replaceMetrics,
  syncMetrics,
  truncateMetrics,
} from "./metricsLog";
export { writeMetricsTable } from "./metricsTable";
export { LOCK_FILE, type LockHolder, RunLock } from "./runLock";
export {
  latestTrainingCheckpoint,
  listTrainingCheckpoints,
  pruneTrainingCheckpoints,
  readTrainingCheckpoint,
  type TrainingCheckpoint,
  writeTrainingCheckpoint,
} from "./trainingCheckpoint";
