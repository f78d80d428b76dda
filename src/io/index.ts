/**
 * Checkpoints, adapters and tables, read and written.
 *
 * @module
 */
export type { HubOptions } from "./hub/checkpoint";
export { writeHuggingFaceCheckpoint } from "./huggingFaceCheckpoint";
export type { LlamaBlocks } from "./llamaReading";
export { readLanguageModel, readLlamaBlocks } from "./llamaWeights";
export { readMaeCheckpoint } from "./maeCheckpoint";
export { type Adapter, readAdapter, writeAdapter } from "./peft";
export { openSafetensors, type SafetensorsFile, writeSafetensors } from "./safetensors";
export { readTable, writeTable } from "./table";
export { writeTorchCheckpoint } from "./torchWriter";
export { readTrainingCheckpoint } from "./trainingCheckpoint";
