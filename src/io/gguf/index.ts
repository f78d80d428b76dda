/** GGUF: header, tensor types, tensors by name. */
export { openGguf } from "./gguf";
export type { GgufMetadata } from "./header";
