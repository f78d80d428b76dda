import type { OnnxTensor } from "./runtime";

/** Bytes of those tensors whose numbers lie in host memory: what a run on a device brings there, or back. */
export function hostBytes(tensors: readonly OnnxTensor[]): number {
  // Numbers that lie elsewhere must not be asked for.
  const sizes = tensors.map((tensor) => (tensor.location === "cpu" ? tensor.data.byteLength : 0));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
