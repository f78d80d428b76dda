export { adapterOf } from "./adapter";
export { forgetGpu, type GpuProbe, probeGpu } from "./probe";
