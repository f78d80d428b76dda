/** COCO's files: images, classes, objects with boxes and masks, and what detectors found. */
export { CocoAnnotations } from "./annotations";
export { cocoCategories } from "./categories";
export { DetectionDataset, type DetectionSample, detectionField } from "./dataset";
export type { CocoAnnotation, CocoCategory, CocoImage } from "./entries";
export { type CocoOptions, openCoco } from "./open";
export { type CocoReadOptions, readAnnotations } from "./readAnnotations";
export {
  type CocoKind,
  type CocoResult,
  cocoKind,
  expectResults,
  readResults,
  writeResults,
} from "./results";
export { isPolygons, maskOf, type Segmentation } from "./segmentation";
