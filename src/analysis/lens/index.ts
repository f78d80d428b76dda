export { LensMaps, type LensOptions, lens } from "./lens";
