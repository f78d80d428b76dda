/**
 * Segmenters: an encoder, with or without the block, and a class for every patch.
 *
 * @module
 */
export { loadSegmenterFolder as load, openSegmenter as open } from "../openSegmenter";
export { loadSegmenter as loadCheckpoint } from "../pretrained";
export { saveCheckpoint } from "../saveCheckpoint";
export {
  create,
  fromPretrained,
  Segmenter,
  type SegmenterOptions,
  type SegmentHeadOptions,
} from "../segmenter";
