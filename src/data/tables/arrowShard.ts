import { LuvitError } from "../../core/errors";
import {
  type ColumnPlace,
  isInteger,
  isStruct,
  isText,
  isVariable,
  layoutOf,
  offsetBytes,
  readIntegers,
} from "./arrowLayout";
import { type BatchPlace, scanMessages } from "./arrowMessages";
import {
  type ColumnChoice,
  featuresFrom,
  type PictureShard,
  pictureOf,
  reading,
  readStretch,
} from "./pictureTable";

/**
 * Opens an Arrow stream or file with a picture column, struct {bytes, path} or binary: messages and labels now, then each
 * picture by the bytes that it lies in. Throws "missing-file" or "bad-file".
 */
export function openArrowShard(path: string, choose: ColumnChoice): Promise<PictureShard> {
  return reading(path, "Arrow", async () => {
    const { schema, batches } = await scanMessages(path);
    const layout = layoutOf(path, schema.fields);
    const features = featuresFrom(schema.metadata.get("huggingface"));
    const columns = choose(features);
    const { image, label } = columns;
    const place = (name: string) => layout.get(name) ?? missing(path, name, layout);
    const inStruct = isStruct(place(image).field);
    const bytesPlace = inStruct ? place(`${image}.bytes`) : place(image);
    const pathPlace = inStruct ? layout.get(`${image}.path`) : undefined;
    const labelPlace = label === undefined ? undefined : place(label);
    const groups = groupsOf(batches);
    const pictures: RunColumn[] = [];
    const paths: (RunColumn | undefined)[] = [];
    const labels: (number | string | null)[] = [];
    for (const batch of batches) {
      pictures.push(await openRuns(path, batch, bytesPlace));
      paths.push(pathPlace && (await openRuns(path, batch, pathPlace)));
      if (labelPlace) for (const value of await readLabels(path, batch, labelPlace)) labels.push(value);
    }
    return {
      path,
      rows: groups.reduce((sum, { rows }) => sum + rows, 0),
      groups: groups.map(({ start }) => start),
      features,
      columns,
      labels: labelPlace && labels,
      async picture(row) {
        const index = groups.findIndex((group) => row < group.start + group.rows);
        const at = row - groups[index].start;
        const bytes = await pictures[index].read(at);
        const text = bytes ? undefined : await paths[index]?.read(at);
        return pictureOf(`${path} row ${row}`, bytes, text && Buffer.from(text).toString("utf8"));
      },
    };
  });
}

function groupsOf(batches: readonly BatchPlace[]): { start: number; rows: number }[] {
  let end = 0;
  return batches.map(({ rows }) => {
    end += rows;
    return { start: end - rows, rows };
  });
}

function missing(path: string, name: string, layout: ReadonlyMap<string, ColumnPlace>): never {
  const columns = [...layout.keys()].filter((key) => !key.includes("."));
  throw new LuvitError(
    "bad-dataset",
    `${path}: no column ${name}; its columns are ${columns.join(", ") || "none"}`,
  );
}

/** Runs of bytes of which each row has one. */
interface RunColumn {
  /** Undefined where the row has none. */
  read(row: number): Promise<Uint8Array | undefined>;
}

/** Reads which rows are there and where each run begins. */
async function openRuns(path: string, place: BatchPlace, column: ColumnPlace): Promise<RunColumn> {
  const { field, buffer } = column;
  if (!isVariable(field)) {
    throw new LuvitError("bad-dataset", `${path}: column ${field.name} holds no bytes (type ${field.type})`);
  }
  const { rows } = place;
  const width = offsetBytes(field);
  const present = await readValidity(path, place, column);
  const stored =
    rows === 0 ? new Uint8Array() : await readBuffer(path, place, buffer + 1, (rows + 1) * width);
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const offset = (row: number) =>
    width === 4 ? view.getInt32(4 * row, true) : Number(view.getBigInt64(8 * row, true));
  const data = regionOf(path, place, buffer + 2);
  return {
    async read(row) {
      if (!present(row)) return undefined;
      const [start, end] = [offset(row), offset(row + 1)];
      if (start < 0 || end < start || end > data.length) {
        const where = `${path} row ${row} of a batch: bytes ${start} … ${end} of ${data.length}`;
        throw new LuvitError("bad-image", `${where} cannot be`);
      }
      const base = place.bodyStart + data.offset;
      return readStretch(path, base + start, base + end);
    },
  };
}

async function readLabels(
  path: string,
  place: BatchPlace,
  column: ColumnPlace,
): Promise<(number | string | null)[]> {
  const { field } = column;
  const { rows } = place;
  const present = await readValidity(path, place, column);
  if (isText(field)) {
    const runs = await openRuns(path, place, column);
    const texts: (string | null)[] = [];
    for (let row = 0; row < rows; row++) {
      const run = await runs.read(row);
      texts.push(run ? Buffer.from(run).toString("utf8") : null);
    }
    return texts;
  }
  if (!isInteger(field)) {
    const found = `${field.isDictionary ? "a dictionary" : `type ${field.type}`}`;
    throw new LuvitError(
      "bad-dataset",
      `${path}: labels in column ${field.name} are ${found}, expected whole numbers or text`,
    );
  }
  const bytes = await readBuffer(path, place, column.buffer + 1, (rows * field.bits) / 8);
  return readIntegers(field, bytes, rows).map((value, row) => (present(row) ? value : null));
}

/** Which rows are there; all where the batch says that none is missing. */
async function readValidity(
  path: string,
  place: BatchPlace,
  { node, buffer }: ColumnPlace,
): Promise<(row: number) => boolean> {
  const { nullCounts, rows } = place;
  if (!nullCounts[node] || rows === 0) return () => true;
  const bits = await readBuffer(path, place, buffer, Math.ceil(rows / 8));
  return (row) => ((bits[row >> 3] >> (row & 7)) & 1) === 1;
}

function regionOf(path: string, { buffers }: BatchPlace, index: number): { offset: number; length: number } {
  const region = buffers[index];
  if (region) return region;
  throw new LuvitError(
    "bad-file",
    `${path}: a record batch with ${buffers.length} buffers lacks number ${index}`,
  );
}

/** The first bytes of a buffer, which must have that many. */
async function readBuffer(
  path: string,
  place: BatchPlace,
  index: number,
  length: number,
): Promise<Uint8Array> {
  const region = regionOf(path, place, index);
  if (!(length >= 0) || length > region.length) {
    throw new LuvitError(
      "bad-file",
      `${path}: a buffer of ${region.length} bytes where ${length} are needed`,
    );
  }
  const start = place.bodyStart + region.offset;
  return readStretch(path, start, start + length);
}
