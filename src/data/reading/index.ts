/** Reading: threads that read image files into the memory in which batches lie. README.md says who owns which memory. */
export { BatchMemory } from "./batchMemory";
export { type DecodeOptions, decodeImage, decodeOptions } from "./decode";
export { hereReader, type ImageReader, readingInto } from "./imageReader";
export { PixelCache } from "./pixelCache";
export { defaultWorkers, readerWith } from "./pool";
