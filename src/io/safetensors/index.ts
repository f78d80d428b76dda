/** Hugging Face's safetensors: header, tensors by name, writing. */
export type { TensorInfo } from "./header";
export { openSafetensors, type SafetensorsFile, type TensorSeen, writeSafetensors } from "./safetensors";
