export * from "./benchmarks";
export * from "./corruptionTypes";
export * from "./huggingFace";
export * from "./imageNet1k";
export * from "./imageNet9";
export { imageNet9Classes, imageNet9Mapping, imageNetAMapping, imageNetRMapping } from "./mappings";
export { type ImageNetOptions, imageNetWnids } from "./wnids";
