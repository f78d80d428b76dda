/** Bytes, wherever they lie: files read by ranges, numbers of every width, tensors as they are stored. */
export { type ByteSource, CountingSource, fileSource, type Stretch } from "./byteSource";
export { describeNonFinite } from "./finiteness";
export { bytesPerElement, narrowFromFloat32, type WritableDtype, widenToFloat32 } from "./floats";
export { type JsonObject, readJsonObject } from "./jsonFile";
export { repeatedKeys } from "./jsonKeys";
export { forEachJsonPart } from "./jsonParts";
export { KeptFile, KeptStretch } from "./keptFile";
export { type ByteRange, type ReadAgain, readRanges } from "./rangeReads";
export { requireNames } from "./requireNames";
export { StoredTensor } from "./storedTensor";
export { UnreadableTensor } from "./unreadableTensor";
