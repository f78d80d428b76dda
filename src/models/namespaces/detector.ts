/**
 * Detectors: objects' boxes, classes and masks.
 *
 * @module
 */
export {
  loadDetectorCheckpoint as loadCheckpoint,
  loadDetectorFolder as load,
  openDetector as open,
} from "../detector/checkpoints";
export { create, fromPretrained } from "../detector/create";
export { Detector } from "../detector/detector";
export type { DetectorHeadOptions, DetectorOptions } from "../detector/options";
export type { DetectorSettings, RegionSettings, RoiSettings, WindowedViTConfig } from "../detector/settings";
export { toy } from "../detector/toy";
export { saveCheckpoint } from "../saveCheckpoint";
