import { LuvitError } from "../../core/errors";
import { readBuffer, regionOf, wholeBuffer } from "./arrowBuffers";
import { isVariable, isView, offsetBytes } from "./arrowFields";
import type { ColumnPlace } from "./arrowLayout";
import type { BatchPlace } from "./arrowMessages";
import { bitAt } from "./arrowNumbers";
import type { RecentGroups } from "./recentGroups";
import type { TableFile } from "./tableFile";

/** Bytes [start, end) of one of a batch's buffers. */
export interface Run {
  readonly buffer: number;
  readonly start: number;
  readonly end: number;
}

/** Where the bytes of a row lie; undefined for a row that has none. */
export type RunPlaces = (row: number) => Run | undefined;

/** Bytes of a view, and how many of them stand in the view itself. */
const VIEW_BYTES = 16;
const MOST_INLINE = 12;

/**
 * Where the bytes of each row of a column lie: by offsets into one buffer, or by views into several; nowhere where all
 * rows are empty.
 *
 * @throws LuvitError("bad-dataset") for columns of other types.
 */
export async function placesOf(file: TableFile, place: BatchPlace, column: ColumnPlace): Promise<RunPlaces> {
  const { field } = column;
  if (field.type === "null") return () => undefined;
  if (!isVariable(field)) {
    const found = field.dictionary ? "a dictionary" : `type ${field.type}`;
    throw new LuvitError("bad-dataset", `${file.path}: column ${field.name} holds no bytes (${found})`);
  }
  const present = await readValidity(file, place, column);
  const find = await (isView(field) ? byViews : byOffsets)(file, place, column);
  return (row) => (present(row) ? find(row) : undefined);
}

async function byOffsets(
  file: TableFile,
  place: BatchPlace,
  { field, buffer }: ColumnPlace,
): Promise<(row: number) => Run> {
  const { rows } = place;
  const width = offsetBytes(field);
  const stored =
    rows === 0 ? new Uint8Array() : await readBuffer(file, place, buffer + 1, (rows + 1) * width);
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const offset = (row: number) =>
    width === 4 ? view.getInt32(4 * row, true) : Number(view.getBigInt64(8 * row, true));
  return (row) => ({ buffer: buffer + 2, start: offset(row), end: offset(row + 1) });
}

/** A view is its length and, with at most twelve, its bytes; else four of them, the number of a data buffer, and where. */
async function byViews(
  file: TableFile,
  place: BatchPlace,
  { buffer, dataBuffers }: ColumnPlace,
): Promise<(row: number) => Run> {
  const stored = await readBuffer(file, place, buffer + 1, place.rows * VIEW_BYTES);
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  return (row) => {
    const at = VIEW_BYTES * row;
    const length = view.getInt32(at, true);
    if (length <= MOST_INLINE) return { buffer: buffer + 1, start: at + 4, end: at + 4 + length };
    const [index, start] = [view.getInt32(at + 8, true), view.getInt32(at + 12, true)];
    if (index >= 0 && index < dataBuffers) return { buffer: buffer + 2 + index, start, end: start + length };
    const found = `asks for data buffer ${index} of ${dataBuffers}`;
    throw new LuvitError("bad-file", `${file.path}: row ${row} of a batch ${found}`);
  };
}

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
  file: TableFile,
  place: BatchPlace,
  column: ColumnPlace,
  recent: RecentGroups,
): Promise<RunColumn> {
  const places = await placesOf(file, place, column);
  const read = place.codec ? unpackedRuns(file, place, recent) : storedRuns(file, place);
  return {
    async read(row) {
      const run = places(row);
      if (!run) return undefined;
      const bytes = run.start >= 0 && run.end >= run.start ? await read(run) : undefined;
      if (bytes) return bytes;
      const where = `${file.path} row ${row} of a batch`;
      throw new LuvitError("bad-image", `${where}: bytes ${run.start} … ${run.end} cannot be`);
    },
  };
}

/** Reads a run; undefined beyond the end of its buffer. */
type ReadRun = (run: Run) => Promise<Uint8Array | undefined>;

function storedRuns(file: TableFile, place: BatchPlace): ReadRun {
  return async ({ buffer, start, end }) => {
    const { offset, length } = regionOf(file.path, place, buffer);
    const base = place.bodyStart + offset;
    return end > length ? undefined : file.read(base + start, base + end);
  };
}

function unpackedRuns(file: TableFile, place: BatchPlace, recent: RecentGroups): ReadRun {
  return async ({ buffer, start, end }) => {
    const key = `${file.path}#${place.bodyStart}#${buffer}`;
    const [bytes] = await recent.get(key, async () => [await wholeBuffer(file, place, buffer)]);
    return end > bytes.length ? undefined : bytes.subarray(start, end);
  };
}

/** Which rows are there; all where the batch says that none is missing. */
export async function readValidity(
  file: TableFile,
  place: BatchPlace,
  { node, buffer }: ColumnPlace,
): Promise<(row: number) => boolean> {
  const { nullCounts, rows } = place;
  if (!nullCounts[node] || rows === 0) return () => true;
  const bits = await readBuffer(file, place, buffer, Math.ceil(rows / 8));
  return (row) => bitAt(bits, row);
}
