/** A checkpoint: the place it lies in, its parts, and the tensors of all parts by name. */
export { CONFIG_FILES, openCheckpoint, openCheckpointAt, type WeightFile } from "./checkpoint";
export { type KeptCheckpoint, keepCheckpoint } from "./keepCheckpoint";
export { type MaeCheckpoint, readMaeCheckpoint, readMaeFile } from "./maeCheckpoint";
export type { WeightPartOptions } from "./part";
export { type CheckpointPlace, chooseWeights } from "./place";
export {
  CONFIG_FILE,
  type KeptWeights,
  keepWeights,
  MODEL_FILE,
  readConfig,
  writeSavedModel,
  writeWeights,
} from "./savedModel";
export { withoutWrappers } from "./wrappers";
