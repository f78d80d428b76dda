/**
 * Checkpoints, adapters and tables, read and written.
 *
 * @module
 */

export { readMaeCheckpoint } from "./checkpoint";
export type { HubOptions } from "./hub";
export type { LlamaBlocks } from "./llama";
export { readLanguageModel, readLlamaBlocks, writeHuggingFaceCheckpoint } from "./llama";
export { type Adapter, readAdapter, writeAdapter } from "./peft";
export { readTrainingCheckpoint } from "./runs";
export { openSafetensors, type SafetensorsFile, writeSafetensors } from "./safetensors";
export { readTable, writeTable } from "./tables";
export { writeTorchCheckpoint } from "./torch";
