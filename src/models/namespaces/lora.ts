/**
 * Low-rank adapters.
 *
 * @module
 */
export { loadAdapter, saveAdapter } from "../adapter";
export { adapters, attach, LoraLinear, type LoraOptions, merge, unmerge } from "../lora";
export { LoraReport } from "../loraReport";
