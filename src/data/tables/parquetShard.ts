import { stat } from "node:fs/promises";
import { LuvitError } from "../../core/errors";
import { expectPages } from "./parquetPages";
import { type ColumnMetaData, type FileMetaData, parquetModule } from "./parquetModule";
import {
  type ColumnChoice,
  type ColumnNames,
  type Features,
  featuresFrom,
  type PictureShard,
  pictureOf,
  reading,
  readStretch,
} from "./pictureTable";
import type { RecentGroups } from "./recentGroups";
import { readThrift } from "./thrift";

/** Bytes before the end that are read first; most footers fit. */
const tail = 2 ** 16;

/** Rows of a group: where they begin and where the leaves of a column lie. */
interface Group {
  readonly start: number;
  readonly rows: number;
  readonly columns: readonly ColumnMetaData[];
}

type Cell = { bytes?: Uint8Array | null; path?: string | null } | Uint8Array | null | undefined;

/**
 * Opens a Parquet file with a picture column, struct {bytes, path} or binary: footer and labels now, pictures later, a
 * row group of that column at a time. Throws "missing-file" or "bad-file".
 */
export function openParquetShard(
  path: string,
  choose: ColumnChoice,
  recent: RecentGroups,
): Promise<PictureShard> {
  return reading(path, "Parquet", async () => {
    const { size } = await stat(path);
    const metadata = await readFooter(path, size);
    const groups = groupsOf(path, size, metadata);
    const features = featuresOf(metadata);
    const columns = choose(features);
    expectColumns(path, metadata, columns);
    const rows = groups.reduce((sum, group) => sum + group.rows, 0);
    const labels =
      columns.label === undefined ? undefined : await readAll(path, metadata, groups, columns.label);
    const cells = (index: number) =>
      recent.get(`${path}#${index}`, () =>
        reading(path, "Parquet", () => readColumn<Cell>(path, metadata, groups[index], columns.image)),
      );
    return {
      path,
      rows,
      groups: groups.map(({ start }) => start),
      features,
      columns,
      labels: labels?.map(plainLabel),
      async picture(row) {
        const index = groups.findIndex((group) => row < group.start + group.rows);
        const cell = (await cells(index))[row - groups[index].start];
        const name = `${path} row ${row}`;
        if (cell instanceof Uint8Array) return pictureOf(name, cell, undefined);
        return pictureOf(name, cell?.bytes, cell?.path);
      },
    };
  });
}

async function readFooter(path: string, size: number): Promise<FileMetaData> {
  if (size < 12) throw new LuvitError("bad-file", `${path}: ${size} bytes are no Parquet file`);
  let end = await readStretch(path, Math.max(0, size - tail), size);
  const view = new DataView(end.buffer, end.byteLength - 8);
  const magic = Buffer.from(end.subarray(-4)).toString("latin1");
  const length = view.getUint32(0, true);
  if (magic !== "PAR1" || length > size - 12) {
    const found =
      magic === "PAR1" ? `a footer of ${length} bytes in a file of ${size}` : `"${magic}" at the end`;
    throw new LuvitError("bad-file", `${path}: not a whole Parquet file (${found}); copy it again`);
  }
  if (length + 8 > end.length) end = await readStretch(path, size - length - 8, size);
  const footer = end.slice(-length - 8);
  readThrift(footer, 0, `${path}, footer`);
  const { parquet } = await parquetModule();
  return parquet.parquetMetadata(footer, { geoparquet: false });
}

function groupsOf(path: string, size: number, metadata: FileMetaData): Group[] {
  let start = 0;
  return metadata.row_groups.map((group, index) => {
    const rows = Number(group.num_rows);
    const columns = group.columns.map(({ meta_data }) => meta_data!);
    const where = `${path}, row group ${index}`;
    if (!Number.isInteger(rows) || rows < 0 || rows > size) {
      throw new LuvitError("bad-file", `${where}: ${rows} rows in a file of ${size} bytes`);
    }
    for (const column of columns) expectInside(where, size, column);
    start += rows;
    return { start: start - rows, rows, columns };
  });
}

function expectInside(where: string, size: number, column: ColumnMetaData | undefined): void {
  if (!column) throw new LuvitError("bad-file", `${where}: a column without its description`);
  const { start, end } = chunkOf(column);
  if (Number.isInteger(start) && Number.isInteger(end) && start >= 4 && end >= start && end <= size) return;
  const name = column.path_in_schema.join(".");
  throw new LuvitError("bad-file", `${where}: column ${name} lies at ${start} … ${end} of ${size} bytes`);
}

function chunkOf(column: ColumnMetaData): { start: number; end: number } {
  const offsets = [column.data_page_offset, column.dictionary_page_offset].map((offset) =>
    Number(offset ?? 0),
  );
  const start = Math.min(...offsets.filter((offset) => offset > 0));
  return { start, end: start + Number(column.total_compressed_size) };
}

function expectColumns(path: string, metadata: FileMetaData, { image, label }: ColumnNames): void {
  const names = new Set(metadata.row_groups[0]?.columns.map(({ meta_data }) => meta_data!.path_in_schema[0]));
  const missing = [image, label].filter((name) => name !== undefined && !names.has(name));
  if (missing.length === 0) return;
  const found = `its columns are ${[...names].join(", ") || "none"}`;
  throw new LuvitError("bad-dataset", `${path}: no column ${missing.join(", ")}; ${found}`);
}

/** One column of a group: its chunks are read, walked page by page, and then decoded. */
async function readColumn<T>(path: string, metadata: FileMetaData, group: Group, name: string): Promise<T[]> {
  const chunks = group.columns.filter((column) => column.path_in_schema[0] === name);
  const places = chunks.map(chunkOf);
  const start = Math.min(...places.map((place) => place.start));
  const end = Math.max(...places.map((place) => place.end));
  const bytes = await readStretch(path, start, end);
  for (const [i, chunk] of chunks.entries()) {
    const what = `${path}, column ${chunk.path_in_schema.join(".")}`;
    expectPages(bytes.subarray(places[i].start - start, places[i].end - start), group.rows, what);
  }
  const { parquet, compressors } = await parquetModule();
  const file = {
    byteLength: end,
    slice: (from: number, to = end) => bytes.slice(from - start, to - start).buffer as ArrayBuffer,
  };
  const rows = await parquet.parquetReadObjects({
    file,
    metadata,
    columns: [name],
    rowStart: group.start,
    rowEnd: group.start + group.rows,
    compressors,
    utf8: false,
  });
  if (rows.length !== group.rows) {
    throw new LuvitError("bad-file", `${path}: ${rows.length} of ${group.rows} rows in column ${name}`);
  }
  return rows.map((row) => row[name] as T);
}

async function readAll(
  path: string,
  metadata: FileMetaData,
  groups: readonly Group[],
  name: string,
): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const group of groups) {
    for (const value of await readColumn<unknown>(path, metadata, group, name)) values.push(value);
  }
  return values;
}

function plainLabel(value: unknown): number | string | null {
  if (typeof value === "bigint" || typeof value === "number") return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  return typeof value === "string" ? value : null;
}

function featuresOf(metadata: FileMetaData): Features {
  return featuresFrom(metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value);
}
