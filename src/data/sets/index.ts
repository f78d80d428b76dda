/** Published data sets, as they lie on disk. */
export {
  benchmarkCorruptions,
  type CorruptionType,
  corruptionsIn,
  corruptionTypes,
  severities,
} from "../corruptionTypes";
export { imageNetA, imageNetC, imageNetR, imageNetSketch, imageNetV2 } from "./benchmarks";
export { type HuggingFaceOptions, huggingFace } from "./huggingFace";
export { type ImageNet1kPart, imageNet1k } from "./imageNet1k";
export { type ImageNet9Split, imageNet9 } from "./imageNet9";
export { imageNet9Classes, imageNet9Mapping, imageNetAMapping, imageNetRMapping } from "./mappings";
export { type ImageNetOptions, imageNetWnids, isWnid } from "./wnids";
