import { unreadable } from "../../pixels";

/** What stands before the pixels of a BMP file. */
export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: 1 | 4 | 8 | 16 | 24 | 32;
  /** The first row of the file is the uppermost. */
  readonly topDown: boolean;
  /** Pixels are runs of palette entries, of 8 or 4 bits. */
  readonly runs?: 8 | 4;
  /** 256 entries of 3 bytes, red first, black where the file lacks them; for up to 8 bits. */
  readonly palette?: Uint8Array;
  /** Bits of red, green and blue where the file says which. */
  readonly masks?: readonly [red: number, green: number, blue: number];
  /** Where the pixels begin. */
  readonly start: number;
}

const [plain, runs8, runs4, bitfields] = [0, 1, 2, 3];
const depths = [1, 4, 8, 16, 24, 32];
/** BITMAPINFOHEADER, its successors V2 to V5, and OS/2 2.x. */
const longHeaders = [40, 52, 56, 64, 108, 124];

/**
 * The header of a BMP file: OS/2's 12 bytes, or Windows' 40 to 124. Reference: Pillow BmpImagePlugin.py.
 *
 * @throws LuvitError("bad-image") for what Pillow does not read either.
 */
export function readBmpHeader(file: Buffer): BmpHeader {
  if (file.length < 26) throw unreadable("BMP: cut off in its header");
  const length = file.readUInt32LE(14);
  const isShort = length === 12;
  if (!isShort && !longHeaders.includes(length)) throw unreadable(`BMP: header of ${length} bytes`);
  if (file.length < 14 + length) throw unreadable("BMP: cut off in its header");
  const fields = isShort ? shortFields(file) : longFields(file);
  const { bits, compression } = fields;
  if (!depths.includes(bits)) throw unreadable(`BMP: ${bits} bits per pixel`);
  if (compression > bitfields) throw unreadable(`BMP: compression ${compression}, which is not read`);
  const afterMasks = 14 + length + (compression === bitfields && length === 40 ? 12 : 0);
  const masks = compression === bitfields ? masksOf(file, bits) : undefined;
  const isRuns = compression === runs8 || compression === runs4;
  if (isRuns && bits > 8) throw unreadable(`BMP: runs of ${bits} bits per pixel`);
  const colors = fields.colors || 2 ** bits;
  const entry = isShort ? 3 : 4;
  const given = file.readUInt32LE(10);
  const paletteEnd = afterMasks + (bits <= 8 ? entry * colors : 0);
  return {
    width: fields.width,
    height: Math.abs(fields.height),
    bits: bits as BmpHeader["bits"],
    topDown: fields.height < 0,
    ...(isRuns && { runs: compression === runs8 ? 8 : 4 }),
    ...(bits <= 8 && { palette: paletteOf(file, afterMasks, colors, entry) }),
    ...(masks && { masks }),
    // Some programs forget the palette here.
    start: given === 0 || (given === 14 + length && bits <= 8) ? paletteEnd : given,
  };
}

interface Fields {
  readonly width: number;
  /** Negative for rows from the top. */
  readonly height: number;
  readonly bits: number;
  readonly compression: number;
  /** 0 for as many as there can be. */
  readonly colors: number;
}

function shortFields(file: Buffer): Fields {
  const [width, height, , bits] = [18, 20, 22, 24].map((at) => file.readUInt16LE(at));
  return { width, height, bits, compression: plain, colors: 0 };
}

function longFields(file: Buffer): Fields {
  return {
    width: file.readUInt32LE(18),
    height: file.readInt32LE(22),
    bits: file.readUInt16LE(28),
    compression: file.readUInt32LE(30),
    colors: file.readUInt32LE(46),
  };
}

/** They follow the header of 40 bytes, and are part of the longer ones at the same place. */
function masksOf(file: Buffer, bits: number): [number, number, number] {
  if (file.length < 66) throw unreadable("BMP: cut off in its header");
  if (bits <= 8) throw unreadable(`BMP: bit fields of ${bits} bits per pixel`);
  return [54, 58, 62].map((at) => file.readUInt32LE(at)) as [number, number, number];
}

function paletteOf(file: Buffer, start: number, colors: number, entry: number): Uint8Array {
  const count = Math.min(colors, Math.floor(Math.max(0, file.length - start) / entry));
  if (count > 256) throw unreadable(`BMP: a palette of ${colors} colors`);
  const palette = new Uint8Array(768);
  for (let i = 0; i < count; i++) {
    const at = start + entry * i;
    for (let c = 0; c < 3; c++) palette[3 * i + c] = file[at + 2 - c];
  }
  return palette;
}
