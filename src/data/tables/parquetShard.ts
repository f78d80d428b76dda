import { LuvitError } from "../../core/errors";
import {
  type ColumnChoice,
  type ColumnNames,
  expectRowCount,
  type Features,
  featuresFrom,
  groupAt,
  type ImageShard,
  imageOf,
} from "./imageTable";
import { LabelColumn, mostLabelBytes, notLabels } from "./labelColumn";
import { type ColumnMetaData, type FileMetaData, parquetModule } from "./parquetModule";
import { expectPages } from "./parquetPages";
import type { RecentGroups } from "./recentGroups";
import { reading, type TableFile } from "./tableFile";
import { readThrift } from "./thrift";

/** Bytes before the end that are read first; most footers fit. */
const tail = 2 ** 16;

/** Rows of a group: where they begin and where the leaves of a column lie. */
interface Group {
  readonly start: number;
  readonly rows: number;
  readonly columns: readonly ColumnMetaData[];
  /** What a reader needs to know of a file that consists of this group alone. */
  readonly metadata: FileMetaData;
}

type Cell = { bytes?: Uint8Array | null; path?: string | null } | Uint8Array | null | undefined;

/**
 * Opens a Parquet file with an image column, struct {bytes, path} or binary: footer and labels now, images later, a
 * row group of that column at a time.
 *
 * @throws LuvitError("missing-file" | "bad-file")
 */
export function openParquetShard(
  file: TableFile,
  choose: ColumnChoice,
  recent: RecentGroups,
): Promise<ImageShard> {
  const { path } = file;
  return reading(path, "Parquet", async () => {
    const metadata = await readFooter(file);
    const groups = groupsOf(file, metadata);
    const starts = groups.map(({ start }) => start);
    expectRowCount(path, rowsOf(groups), file.size);
    const columns = choose(featuresOf(metadata));
    expectColumns(path, metadata, columns);
    const cells = (index: number) =>
      recent.get(`${path}#${index}`, () =>
        reading(path, "Parquet", async () => {
          const parts = await readColumn<Cell>(file, groups[index], columns.image);
          return parts.flatMap((part) => Array.from(part));
        }),
      );
    return {
      path,
      rows: rowsOf(groups),
      groups: starts,
      features: featuresOf(metadata),
      columns,
      labels: columns.label === undefined ? undefined : await readLabels(file, groups, columns.label),
      async image(row) {
        const index = groupAt(starts, row);
        const cell = (await cells(index))[row - starts[index]];
        const name = `${path} row ${row}`;
        if (cell instanceof Uint8Array) return imageOf(name, cell, undefined);
        return imageOf(name, cell?.bytes, cell?.path);
      },
    };
  });
}

async function readFooter(file: TableFile): Promise<FileMetaData> {
  const { path, size } = file;
  if (size < 12) throw new LuvitError("bad-file", `${path}: ${size} bytes are no Parquet file`);
  let end = await file.read(Math.max(0, size - tail), size);
  const view = new DataView(end.buffer, end.byteLength - 8);
  const magic = Buffer.from(end.subarray(-4)).toString("latin1");
  const length = view.getUint32(0, true);
  if (magic !== "PAR1" || length > size - 12) {
    const found =
      magic === "PAR1" ? `a footer of ${length} bytes in a file of ${size}` : `"${magic}" at the end`;
    throw new LuvitError("bad-file", `${path}: not a whole Parquet file (${found}); copy it again`);
  }
  if (length + 8 > end.length) end = await file.read(size - length - 8, size);
  const footer = end.slice(-length - 8);
  readThrift(footer, 0, `${path}, footer`);
  const { parquet } = await parquetModule();
  return parquet.parquetMetadata(footer, { geoparquet: false });
}

function groupsOf({ path, size }: TableFile, metadata: FileMetaData): Group[] {
  let start = 0;
  return metadata.row_groups.map((group, index) => {
    const rows = Number(group.num_rows);
    const columns = group.columns.map(({ meta_data }) => meta_data!);
    const where = `${path}, row group ${index}`;
    start += rows;
    if (!Number.isInteger(rows) || rows < 0 || rows > size) {
      throw new LuvitError("bad-file", `${where}: ${rows} rows in a file of ${size} bytes`);
    }
    for (const column of columns) expectInside(where, size, column);
    return { start: start - rows, rows, columns, metadata: { ...metadata, row_groups: [group] } };
  });
}

function rowsOf(groups: readonly Group[]): number {
  return groups.reduce((sum, { rows }) => sum + rows, 0);
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
async function readColumn<T>(
  file: TableFile,
  { metadata, columns, rows }: Group,
  name: string,
  { utf8 = false, mostBytes = Number.POSITIVE_INFINITY } = {},
): Promise<ArrayLike<T>[]> {
  const { path } = file;
  const chunks = columns.filter((column) => column.path_in_schema[0] === name);
  const places = chunks.map(chunkOf);
  const start = Math.min(...places.map((place) => place.start));
  const end = Math.max(...places.map((place) => place.end));
  const bytes = await file.read(start, end);
  for (const [i, chunk] of chunks.entries()) {
    const what = `${path}, column ${chunk.path_in_schema.join(".")}`;
    expectPages(bytes.subarray(places[i].start - start, places[i].end - start), rows, what, mostBytes);
  }
  const { parquet, compressors } = await parquetModule();
  const slice = (from: number, to = end) => bytes.slice(from - start, to - start).buffer as ArrayBuffer;
  const parts: ArrayLike<T>[] = [];
  await parquet.parquetRead({
    file: { byteLength: end, slice },
    metadata,
    columns: [name],
    rowStart: 0,
    rowEnd: rows,
    compressors,
    utf8,
    onChunk: ({ columnData }) => parts.push(columnData as ArrayLike<T>),
  });
  const found = parts.reduce((sum, { length }) => sum + length, 0);
  if (found === rows) return parts;
  throw new LuvitError("bad-file", `${path}: ${found} of ${rows} rows in column ${name}`);
}

/** Texts of a dictionary are decoded once, however many rows have them. */
async function readLabels(file: TableFile, groups: readonly Group[], name: string): Promise<LabelColumn> {
  const what = `${file.path}, column ${name}`;
  const labels = new LabelColumn(rowsOf(groups), what);
  if (groups.some(({ metadata }) => isTime(metadata, name))) throw notLabels(what, "are times of day");
  for (const group of groups) {
    if (group.rows === 0) continue;
    const parts = await readColumn(file, group, name, { utf8: true, mostBytes: mostLabelBytes });
    for (const part of parts) labels.add(part);
  }
  return labels;
}

/** Times of day are plain numbers beneath. */
function isTime({ schema }: FileMetaData, name: string): boolean {
  const { logical_type, converted_type = "" } = schema.find((element) => element.name === name) ?? {};
  return logical_type?.type === "TIME" || converted_type.startsWith("TIME_");
}

function featuresOf(metadata: FileMetaData): Features {
  return featuresFrom(metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value);
}
