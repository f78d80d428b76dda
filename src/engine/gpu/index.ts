export { adapterOf } from "./adapter";
export { type GpuProbe, probeGpu } from "./probe";
