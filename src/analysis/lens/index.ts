export { LensMaps, type LensOptions, lens } from "./lens";
export { type LensProbeOptions, LensProbes, trainLensProbes } from "./probes";
