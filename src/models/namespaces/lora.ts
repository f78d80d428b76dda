/**
 * Low-rank adapters.
 *
 * @module
 */
export { loadAdapter, saveAdapter } from "../adapter";
export { adapters, attach, LoraLinear, type LoraOptions, LoraReport, merge, unmerge } from "../lora";
