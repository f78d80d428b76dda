import { LuvitError } from "../../core/errors";
import { type ArrowField, fieldsOf } from "./arrowFields";
import { FlatTable } from "./flatbuffer";
import type { TableFile } from "./tableFile";

/** A record batch and where its buffers lie in the file. */
export interface BatchPlace {
  readonly rows: number;
  /** How many rows each column lacks, columns in depth-first order. */
  readonly nullCounts: readonly number[];
  readonly buffers: readonly { offset: number; length: number }[];
  /** How many buffers with data each column of views has, in depth-first order. */
  readonly dataBuffers: readonly number[];
  readonly bodyStart: number;
  /** How each buffer is compressed, where they are. */
  readonly codec?: "LZ4" | "ZSTD";
}

/** Values of a dictionary, or further ones. */
export interface DictionaryPlace {
  readonly id: number;
  /** Whether they come behind those that are known, else in their place. */
  readonly isDelta: boolean;
  /** The first record batch that they are meant for. */
  readonly before: number;
  readonly place: BatchPlace;
}

/** What an Arrow file holds. */
export interface ArrowMessages {
  readonly schema: ArrowSchema;
  readonly batches: readonly BatchPlace[];
  /** In the order of the file. */
  readonly dictionaries: readonly DictionaryPlace[];
}

/** Columns and what the writer noted about them. */
export interface ArrowSchema {
  readonly fields: readonly ArrowField[];
  readonly metadata: ReadonlyMap<string, string>;
}

const magic = "ARROW1";
const headers = { schema: 1, dictionaryBatch: 2, recordBatch: 3 };
const codecs = ["LZ4", "ZSTD"] as const;

/**
 * The schema, the record batches and the dictionaries of an Arrow stream or file, without their bodies.
 *
 * @throws LuvitError("bad-file") for a file that is cut off or none of these.
 */
export async function scanMessages(file: TableFile): Promise<ArrowMessages> {
  const { path, size } = file;
  const isFile = Buffer.from(await file.read(0, Math.min(6, size))).toString("latin1") === magic;
  const batches: BatchPlace[] = [];
  const dictionaries: DictionaryPlace[] = [];
  let schema: ArrowSchema | undefined;
  for (let at = isFile ? 8 : 0; at < size; ) {
    const { message, bodyStart, next } = await readMessage(file, at);
    if (!message) break;
    const header = message.table(2);
    const kind = header && message.byte(1);
    if (kind === headers.schema) schema ??= schemaOf(path, header!, message.short(0));
    if (kind === headers.recordBatch) batches.push(batchOf(path, header!, bodyStart, message.long(3)));
    if (kind === headers.dictionaryBatch) {
      const values = header!.table(1);
      if (!values) throw new LuvitError("bad-file", `${path}: a dictionary without values`);
      const place = batchOf(path, values, bodyStart, message.long(3));
      // In a file, whose parts may be read in any order, a dictionary is meant for every batch.
      const before = isFile ? 0 : batches.length;
      dictionaries.push({ id: header!.long(0), isDelta: header!.byte(2) === 1, before, place });
    }
    at = next;
  }
  if (!schema) throw new LuvitError("bad-file", `${path}: an Arrow file without a schema`);
  return { schema, batches, dictionaries };
}

interface Read {
  readonly message?: FlatTable;
  readonly bodyStart: number;
  /** Where the next message begins. */
  readonly next: number;
}

/** One message: a mark (since Arrow 0.15), the length of the metadata, the metadata, the body. */
async function readMessage(file: TableFile, at: number): Promise<Read> {
  const { path, size } = file;
  const cut = (needed: number) =>
    new LuvitError(
      "bad-file",
      `${path}: cut off at ${size} bytes, a message at ${at} needs ${needed}; copy it again`,
    );
  if (at + 8 > size) {
    if (at + 4 === size) return { bodyStart: size, next: size }; // the end mark of older streams
    throw cut(at + 8);
  }
  const head = Buffer.from(await file.read(at, at + 8));
  const marked = head.readUInt32LE(0) === 0xffffffff;
  const length = marked ? head.readInt32LE(4) : head.readInt32LE(0);
  const start = at + (marked ? 8 : 4);
  if (length === 0) return { bodyStart: size, next: size };
  if (length < 0 || length > size - start) {
    if (at === 0) throw new LuvitError("bad-file", `${path}: no Arrow stream or file`);
    throw cut(start + length);
  }
  const message = FlatTable.root(await file.read(start, start + length));
  const bodyStart = start + length;
  const bodyLength = message.long(3);
  if (!(bodyLength >= 0) || bodyStart + bodyLength > size) throw cut(bodyStart + bodyLength);
  return { message, bodyStart, next: bodyStart + padded(bodyLength) };
}

function schemaOf(path: string, header: FlatTable, version: number): ArrowSchema {
  if (header.short(0) !== 0) {
    const hint = "write it on a machine with little-endian numbers, as nearly all are";
    throw new LuvitError(
      "bad-file",
      `${path}: an Arrow file with big-endian numbers, which are not read; ${hint}`,
    );
  }
  const metadata = new Map(header.tables(2).map((entry) => [entry.text(0), entry.text(1)]));
  return { fields: fieldsOf(header, 1, version), metadata };
}

/** Buffers must lie in the body. */
function batchOf(path: string, header: FlatTable, bodyStart: number, bodyLength: number): BatchPlace {
  const compression = header.table(3);
  const codec = compression && codecs[compression.byte(0)];
  if (compression && (!codec || compression.byte(1) !== 0)) {
    const found = `codec ${compression.byte(0)}, method ${compression.byte(1)}`;
    throw new LuvitError("bad-file", `${path}: record batches compressed in an unknown way (${found})`);
  }
  const rows = header.long(0);
  const buffers = header.pairs(2).map(([offset, length]) => ({ offset, length }));
  const outside = buffers.find(
    ({ offset, length }) => offset < 0 || length < 0 || offset + length > bodyLength,
  );
  if (outside || rows < 0 || rows > 8 * bodyLength) {
    const found = outside ? `a buffer of ${outside.length} bytes at ${outside.offset}` : `${rows} rows`;
    throw new LuvitError("bad-file", `${path}: ${found} in a record batch of ${bodyLength} bytes`);
  }
  const nullCounts = header.pairs(1).map(([, nulls]) => nulls);
  return { rows, buffers, bodyStart, codec, nullCounts, dataBuffers: header.longs(4) };
}

function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}
