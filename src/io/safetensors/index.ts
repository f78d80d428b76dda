/** Hugging Face's safetensors: header, tensors by name, writing. */
export type { TensorInfo } from "./header";
export {
  type KeptSafetensors,
  keepSafetensors,
  openSafetensors,
  type SafetensorsFile,
  type TensorSeen,
} from "./safetensors";
export { writeSafetensors, writeTensorStream } from "./write";
