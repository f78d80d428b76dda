import { LuvitError } from "../../core/errors";
import type { BatchPlace } from "./arrowMessages";
import { unpackLz4Frame } from "./lz4Frame";
import { expectGrowth } from "./parquetPages";
import type { TableFile } from "./tableFile";
import { unpackZstdFrame } from "./zstdFrame";

/** Bytes before a compressed buffer that hold its length, -1 for one that is stored as it is. */
const prefix = 8;

/** The first bytes of a buffer of a record batch, which must have that many; unpacked where the batch is compressed. */
export async function readBuffer(
  file: TableFile,
  place: BatchPlace,
  index: number,
  length: number,
): Promise<Uint8Array> {
  const { path } = file;
  const bytes = place.codec ? await wholeBuffer(file, place, index) : undefined;
  const region = regionOf(path, place, index);
  const size = bytes?.length ?? region.length;
  if (!(length >= 0) || length > size) {
    throw new LuvitError("bad-file", `${path}: a buffer of ${size} bytes where ${length} are needed`);
  }
  if (bytes) return bytes.subarray(0, length);
  const start = place.bodyStart + region.offset;
  return file.read(start, start + length);
}

/** A whole buffer of a record batch, unpacked where that is compressed. */
export async function wholeBuffer(file: TableFile, place: BatchPlace, index: number): Promise<Uint8Array> {
  const { path } = file;
  const { offset, length } = regionOf(path, place, index);
  if (length === 0) return new Uint8Array();
  if (place.codec && length < prefix)
    throw new LuvitError("bad-file", `${path}: a compressed buffer of ${length} bytes`);
  const start = place.bodyStart + offset;
  const stored = await file.read(start, start + length);
  if (!place.codec) return stored;
  const size = Number(new DataView(stored.buffer).getBigInt64(0, true));
  const packed = stored.subarray(prefix);
  if (size === -1) return packed;
  expectGrowth(packed.length, size, place.rows, `${path}: a compressed buffer`);
  try {
    return place.codec === "LZ4" ? unpackLz4Frame(packed, size) : await unpackZstdFrame(packed, size);
  } catch (cause) {
    const reason = cause instanceof RangeError ? "its structure is damaged" : (cause as Error).message;
    const message = `${path}: a buffer cannot be unpacked (${place.codec}: ${reason}); copy the file again`;
    throw new LuvitError("bad-file", message, { cause });
  }
}

/** Where a buffer lies in the body of its batch. */
export function regionOf(
  path: string,
  { buffers }: BatchPlace,
  index: number,
): { offset: number; length: number } {
  const region = buffers[index];
  if (region) return region;
  throw new LuvitError(
    "bad-file",
    `${path}: a record batch with ${buffers.length} buffers lacks number ${index}`,
  );
}
