import { LuvitError } from "../../core/errors";
import type { ByteSource } from "../bytes";

/** A file inside a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Where its local header begins; the data follow it. */
  readonly headerStart: number;
  /** Such files are not read; torch writes none that it needs. */
  readonly isCompressed: boolean;
}

const END_SIGNATURE = 0x06054b50;
const END_LENGTH = 22;
const LONGEST_COMMENT = 65535;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_LOCATOR_LENGTH = 20;
const ZIP64_END_SIGNATURE = 0x06064b50;
const ZIP64_END_LENGTH = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_LENGTH = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_LENGTH = 30;
const ZIP64_EXTRA = 1;
const IN_ZIP64 = 0xffffffff;

interface Directory {
  readonly start: number;
  readonly length: number;
  readonly count: number;
}

/**
 * Reads the directory of a zip archive (with ZIP64), as torch.save writes one.
 * Reference: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3.
 *
 * @throws LuvitError("bad-file") when there is no directory or an entry is encrypted, double or out of range.
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { start, length, count } = await findDirectory(source);
  const bytes = await source.read(start, start + length);
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_LENGTH > length || view.getUint32(at, true) !== ENTRY_SIGNATURE) {
      fail(source, `the zip directory is damaged at entry ${i} of ${count}`);
    }
    const next = at + entryLength(view, at);
    if (next > length) fail(source, `the zip directory is cut off at entry ${i} of ${count}`);
    const entry = parseEntry(source, bytes.subarray(at, next));
    if (entries.has(entry.name)) fail(source, `the zip archive holds ${entry.name} twice`);
    entries.set(entry.name, entry);
    at = next;
  }
  return entries;
}

/** First byte of an entry's data. Checks that it is stored as it is, has its local header and lies inside the file. */
export async function locateEntryData(source: ByteSource, entry: ZipEntry): Promise<number> {
  if (entry.isCompressed) {
    const advice = "torch.save stores entries uncompressed, unpack and repack it";
    fail(source, `the zip entry ${entry.name} is compressed; ${advice}`);
  }
  const view = viewOf(await source.read(entry.headerStart, entry.headerStart + LOCAL_LENGTH));
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE) {
    fail(source, `the zip entry ${entry.name} does not begin where the directory says`);
  }
  const start = entry.headerStart + LOCAL_LENGTH + view.getUint16(26, true) + view.getUint16(28, true);
  if (start + entry.size > source.size) fail(source, `the zip entry ${entry.name} reaches past the end`);
  return start;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  // torch writes no comment after the end record, so the short look nearly always suffices.
  const { tail, end } =
    (await findEndRecord(source, END_LENGTH)) ??
    (await findEndRecord(source, END_LENGTH + LONGEST_COMMENT)) ??
    fail(source, "the zip archive has no directory at its end (cut off?)");
  const plain: Directory = {
    count: tail.getUint16(end + 10, true),
    length: tail.getUint32(end + 12, true),
    start: tail.getUint32(end + 16, true),
  };
  const needsZip64 = plain.count === 0xffff || plain.length === IN_ZIP64 || plain.start === IN_ZIP64;
  const directory = needsZip64 ? await readZip64End(source, source.size - tail.byteLength + end) : plain;
  if (directory.start + directory.length > source.size) {
    fail(source, "the zip directory lies past the end of the file");
  }
  return directory;
}

async function findEndRecord(source: ByteSource, reach: number) {
  const tail = viewOf(await source.read(Math.max(0, source.size - reach), source.size));
  for (let end = tail.byteLength - END_LENGTH; end >= 0; end--)
    if (isEndRecord(tail, end)) return { tail, end };
  return undefined;
}

function isEndRecord(tail: DataView, at: number): boolean {
  if (tail.getUint32(at, true) !== END_SIGNATURE) return false;
  return at + END_LENGTH + tail.getUint16(at + 20, true) === tail.byteLength;
}

async function readZip64End(source: ByteSource, endStart: number): Promise<Directory> {
  const locatorStart = endStart - ZIP64_LOCATOR_LENGTH;
  if (locatorStart < 0) fail(source, "the ZIP64 directory is missing");
  const locator = viewOf(await source.read(locatorStart, endStart));
  if (locator.getUint32(0, true) !== ZIP64_LOCATOR_SIGNATURE) fail(source, "the ZIP64 directory is missing");
  const start = uint64(locator, 8);
  const view = viewOf(await source.read(start, start + ZIP64_END_LENGTH));
  if (view.getUint32(0, true) !== ZIP64_END_SIGNATURE) fail(source, "the ZIP64 directory is damaged");
  return { count: uint64(view, 32), length: uint64(view, 40), start: uint64(view, 48) };
}

function entryLength(view: DataView, at: number): number {
  const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
  return ENTRY_LENGTH + name + extra + comment;
}

function parseEntry(source: ByteSource, bytes: Uint8Array): ZipEntry {
  const view = viewOf(bytes);
  const nameEnd = ENTRY_LENGTH + view.getUint16(28, true);
  const name = new TextDecoder().decode(bytes.subarray(ENTRY_LENGTH, nameEnd));
  if (view.getUint16(8, true) & 1) fail(source, `the zip entry ${name} is encrypted`);
  const isCompressed = view.getUint16(10, true) !== 0;
  const wide = wideFields(source, name, view, nameEnd);
  const compressedSize = wide(20);
  const size = wide(24);
  const headerStart = wide(42);
  if (!isCompressed && compressedSize !== size) fail(source, `the zip entry ${name} has two different sizes`);
  if (headerStart + LOCAL_LENGTH + compressedSize > source.size) {
    fail(source, `the zip entry ${name} reaches past the end of the file (cut off?)`);
  }
  return { name, size, headerStart, isCompressed };
}

/**
 * Reads 32-bit fields of an entry, or the next 64-bit value of the ZIP64 extra field where the field says so. The extra
 * field lists only the fields that need it, in the order size, compressed size, header position.
 */
function wideFields(source: ByteSource, name: string, view: DataView, extraStart: number) {
  const extra = findZip64Extra(view, extraStart);
  const sizesInExtra = [24, 20].filter((field) => view.getUint32(field, true) === IN_ZIP64);
  return (field: number): number => {
    const narrow = view.getUint32(field, true);
    if (narrow !== IN_ZIP64) return narrow;
    const index = field === 42 ? sizesInExtra.length : sizesInExtra.indexOf(field);
    if (!extra || (index + 1) * 8 > extra.byteLength) {
      return fail(source, `the zip entry ${name} lacks its ZIP64 field`);
    }
    return uint64(extra, index * 8);
  };
}

function findZip64Extra(view: DataView, extraStart: number): DataView | undefined {
  const end = Math.min(view.byteLength, extraStart + view.getUint16(30, true));
  for (let at = extraStart; at + 4 <= end; ) {
    const length = view.getUint16(at + 2, true);
    if (at + 4 + length > end) return undefined;
    if (view.getUint16(at, true) === ZIP64_EXTRA) {
      return new DataView(view.buffer, view.byteOffset + at + 4, length);
    }
    at += 4 + length;
  }
  return undefined;
}

/** As a double: exact below 2^53, and anything above fails the range checks. */
function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fail(source: ByteSource, problem: string): never {
  throw new LuvitError("bad-file", `${source.name}: ${problem}`);
}
