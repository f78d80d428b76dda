import type { FileHandle } from "node:fs/promises";
import * as zlib from "node:zlib";

/** Where the data of an entry come from: called twice, once for the checksum, once to write. */
export type EntryPieces = () => Iterable<Uint8Array>;

interface WrittenEntry {
  readonly name: Buffer;
  readonly size: number;
  readonly crc: number;
  readonly headerStart: number;
}

/** Data begin at multiples of this, as torch.save has it, so that they can be mapped into memory. */
const ALIGNMENT = 64;
const LOCAL_LENGTH = 30;
/** An extra field that says nothing; torch calls it FB too. */
const PADDING_FIELD = 0x4246;
/** Stands where the ZIP64 fields have the number. */
const IN_ZIP64 = 0xffffffff;

/**
 * Writes a zip archive of uncompressed entries, ZIP64 where sizes or positions need it, data aligned to 64 bytes.
 * Reference: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3.
 */
export class ZipWriter {
  private position = 0;
  private readonly entries: WrittenEntry[] = [];

  constructor(
    private readonly handle: FileHandle,
    /** Sizes and positions from here on are written in ZIP64 fields. */
    private readonly tooWide = 0xffffffff,
  ) {}

  async add(name: string, pieces: EntryPieces): Promise<void> {
    let [size, crc] = [0, 0];
    for (const piece of pieces()) {
      size += piece.length;
      crc = crc32(piece, crc);
    }
    const entry = { name: Buffer.from(name), size, crc, headerStart: this.position };
    this.entries.push(entry);
    await this.write(this.localHeader(entry));
    for (const piece of pieces()) await this.write(piece);
  }

  /** Writes the directory; nothing can be added after it. */
  async finish(): Promise<void> {
    const start = this.position;
    for (const entry of this.entries) await this.write(this.directoryEntry(entry));
    const length = this.position - start;
    const isWide = Math.max(start, length) >= this.tooWide || this.entries.length >= 0xffff;
    if (isWide) await this.write(wideEnd(this.entries.length, length, start));
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    for (const at of [8, 10]) end.writeUInt16LE(isWide ? 0xffff : this.entries.length, at);
    end.writeUInt32LE(isWide ? IN_ZIP64 : length, 12);
    end.writeUInt32LE(isWide ? IN_ZIP64 : start, 16);
    await this.write(end);
  }

  private localHeader(entry: WrittenEntry): Buffer {
    const isWide = entry.size >= this.tooWide;
    const wide = wideFields(isWide ? [entry.size, entry.size] : []);
    const before = this.position + LOCAL_LENGTH + entry.name.length + wide.length + 4;
    const padding = Buffer.alloc(4 + ((ALIGNMENT - (before % ALIGNMENT)) % ALIGNMENT));
    padding.writeUInt16LE(PADDING_FIELD, 0);
    padding.writeUInt16LE(padding.length - 4, 2);
    const header = Buffer.alloc(LOCAL_LENGTH);
    header.writeUInt32LE(0x04034b50, 0);
    writeCommon(header, 4, entry, isWide);
    header.writeUInt16LE(wide.length + padding.length, 28);
    return Buffer.concat([header, entry.name, wide, padding]);
  }

  private directoryEntry(entry: WrittenEntry): Buffer {
    const { name, size, headerStart } = entry;
    const [isWide, isFar] = [size >= this.tooWide, headerStart >= this.tooWide];
    const wide = wideFields([...(isWide ? [size, size] : []), ...(isFar ? [headerStart] : [])]);
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50, 0);
    header.writeUInt16LE(45, 4);
    writeCommon(header, 6, entry, isWide);
    header.writeUInt16LE(wide.length, 30);
    header.writeUInt32LE(isFar ? IN_ZIP64 : headerStart, 42);
    return Buffer.concat([header, name, wide]);
  }

  private async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.handle.write(bytes, done, bytes.length - done)).bytesWritten;
    }
    this.position += bytes.length;
  }
}

/** The fields from "version needed" to the length of the name, which both headers have in the same order. */
function writeCommon(header: Buffer, at: number, { name, size, crc }: WrittenEntry, isWide: boolean): void {
  header.writeUInt16LE(isWide ? 45 : 20, at);
  header.writeUInt16LE(0x0800, at + 2); // the name is UTF-8
  header.writeUInt32LE(0x00210000, at + 6); // the first of January 1980, so that equal contents are equal files
  header.writeUInt32LE(crc, at + 10);
  for (const place of [14, 18]) header.writeUInt32LE(isWide ? IN_ZIP64 : size, at + place);
  header.writeUInt16LE(name.length, at + 22);
}

function wideFields(values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0);
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * values.length, 2);
  for (const [i, value] of values.entries()) field.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  return field;
}

function wideEnd(count: number, length: number, start: number): Buffer {
  const record = Buffer.alloc(56 + 20);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  for (const [value, at] of [
    [count, 24],
    [count, 32],
    [length, 40],
    [start, 48],
    [start + length, 56 + 8],
  ]) {
    record.writeBigUInt64LE(BigInt(value), at);
  }
  record.writeUInt32LE(0x07064b50, 56);
  record.writeUInt32LE(1, 56 + 16);
  return record;
}

type Crc32 = (bytes: Uint8Array, before: number) => number;

/** Node has it from 20.15 on. */
const crc32: Crc32 = (zlib as { crc32?: Crc32 }).crc32 ?? tableCrc32;
let crcTable: Uint32Array | undefined;

/** CRC-32 of ISO 3309, continuing from `before`; exported for its test. */
export function tableCrc32(bytes: Uint8Array, before: number): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
    return n;
  });
  let crc = ~before;
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 255];
  return ~crc >>> 0;
}
