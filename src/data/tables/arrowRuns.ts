import { LuvitError } from "../../core/errors";
import { readBuffer, regionOf, unpackBuffer } from "./arrowBuffers";
import { type ColumnPlace, isVariable, offsetBytes } from "./arrowLayout";
import type { BatchPlace } from "./arrowMessages";
import { readStretch } from "./pictureTable";
import { RecentGroups } from "./recentGroups";

/** Runs of bytes of which each row has one. */
export interface RunColumn {
  /** Undefined where the row has none. */
  read(row: number): Promise<Uint8Array | undefined>;
}

/**
 * Reads which rows are there and where each run begins. The runs themselves are read one by one; of a compressed batch
 * all together, which `recent` keeps.
 */
export async function openRuns(
  path: string,
  place: BatchPlace,
  column: ColumnPlace,
  recent?: RecentGroups,
): Promise<RunColumn> {
  const { field, buffer } = column;
  if (!isVariable(field)) {
    const found = field.dictionary ? "a dictionary" : `type ${field.type}`;
    throw new LuvitError("bad-dataset", `${path}: column ${field.name} holds no bytes (${found})`);
  }
  const { rows } = place;
  const width = offsetBytes(field);
  const present = await readValidity(path, place, column);
  const stored =
    rows === 0 ? new Uint8Array() : await readBuffer(path, place, buffer + 1, (rows + 1) * width);
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const offset = (row: number) =>
    width === 4 ? view.getInt32(4 * row, true) : Number(view.getBigInt64(8 * row, true));
  const stretch = place.codec
    ? unpackedStretches(path, place, buffer + 2, recent)
    : storedStretches(path, place, buffer + 2);
  return {
    async read(row) {
      if (!present(row)) return undefined;
      const [start, end] = [offset(row), offset(row + 1)];
      const bytes = start >= 0 && end >= start ? await stretch(start, end) : undefined;
      if (bytes) return bytes;
      throw new LuvitError("bad-image", `${path} row ${row} of a batch: bytes ${start} … ${end} cannot be`);
    },
  };
}

/** Bytes [start, end) of a buffer; undefined beyond its end. */
type Stretch = (start: number, end: number) => Promise<Uint8Array | undefined>;

function storedStretches(path: string, place: BatchPlace, index: number): Stretch {
  const { offset, length } = regionOf(path, place, index);
  const base = place.bodyStart + offset;
  return async (start, end) => (end > length ? undefined : readStretch(path, base + start, base + end));
}

function unpackedStretches(
  path: string,
  place: BatchPlace,
  index: number,
  recent: RecentGroups | undefined,
): Stretch {
  const unpack = async () => [await unpackBuffer(path, place, index)];
  const key = `${path}#${place.bodyStart}#${index}`;
  const groups = recent ?? new RecentGroups(Number.POSITIVE_INFINITY);
  return async (start, end) => {
    const [bytes] = await groups.get(key, unpack);
    return end > bytes.length ? undefined : bytes.subarray(start, end);
  };
}

/** Which rows are there; all where the batch says that none is missing. */
export async function readValidity(
  path: string,
  place: BatchPlace,
  { node, buffer }: ColumnPlace,
): Promise<(row: number) => boolean> {
  const { nullCounts, rows } = place;
  if (!nullCounts[node] || rows === 0) return () => true;
  const bits = await readBuffer(path, place, buffer, Math.ceil(rows / 8));
  return (row) => ((bits[row >> 3] >> (row & 7)) & 1) === 1;
}
