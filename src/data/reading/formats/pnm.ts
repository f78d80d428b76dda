import { type RgbImage, unreadable } from "../../pixels";
import { expectSize, type Gray16, gray16ToBytes, replicate } from "./raster";

/** What stands before the pixels: PBM (P1, P4), PGM (P2, P5) or PPM (P3, P6). */
interface PnmHeader {
  readonly kind: "bitmap" | "gray" | "color";
  /** Numbers are written out. */
  readonly isText: boolean;
  readonly width: number;
  readonly height: number;
  /** Largest value; 1 for bitmaps. */
  readonly most: number;
  readonly start: number;
}

const kinds = ["bitmap", "gray", "color"] as const;
const spaces = new Set([9, 10, 11, 12, 13, 32]);
const hash = 35;

/**
 * A PBM, PGM or PPM file as Pillow's `convert("RGB")` reads it: values are scaled from their largest one to 255, those
 * of gray with more than 8 bits to 16 bits and then as `gray16` says. Reference: Pillow
 * PpmImagePlugin.py.
 *
 * @throws LuvitError("bad-image")
 */
export function decodePnm(file: Buffer, maxPixels: number, gray16: Gray16): RgbImage {
  const header = readHeader(file);
  const { kind, width, height, most } = header;
  expectSize(width, height, maxPixels);
  const count = (kind === "color" ? 3 : 1) * width * height;
  if (kind === "bitmap") {
    const bits = header.isText ? textBits(file, header, count) : packedBits(file, header);
    return { data: replicate(bits), width, height };
  }
  const isDeep = kind === "gray" && most > 255;
  const values = header.isText
    ? textValues(file, header, count, isDeep)
    : packedValues(file, header, count, isDeep);
  const bytes = isDeep ? gray16ToBytes(values, gray16) : (values as Uint8Array);
  return { data: kind === "color" ? bytes : replicate(bytes), width, height };
}

function readHeader(file: Buffer): PnmHeader {
  const digit = file[1] - 48;
  const kind = kinds[(digit - 1) % 3];
  let at = 2;
  const number = (what: string): number => {
    let text = "";
    for (; at < file.length; at++) {
      if (file[at] === hash) while (at + 1 < file.length && file[at] !== 10 && file[at] !== 13) at++;
      else if (!spaces.has(file[at])) text += String.fromCharCode(file[at]);
      else if (text !== "") break;
      if (text.length > 10) break;
    }
    at++;
    if (/^\d{1,10}$/.test(text)) return Number(text);
    throw unreadable(`PNM: its ${what} is ${text === "" ? "missing" : JSON.stringify(text)}`);
  };
  const [width, height] = [number("width"), number("height")];
  const most = kind === "bitmap" ? 1 : number("largest value");
  if (most < 1 || most > 65535) throw unreadable(`PNM: its largest value is ${most}`);
  return { kind, isText: digit <= 3, width, height, most, start: at };
}

/** Rows of bits, filled up to a byte; 1 is black. */
function packedBits(file: Buffer, { width, height, start }: PnmHeader): Uint8Array {
  const stride = Math.ceil(width / 8);
  expectBytes(file, start, stride * height);
  const gray = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      gray[to++] = (file[start + y * stride + (x >> 3)] >> (7 - (x & 7))) & 1 ? 0 : 255;
    }
  }
  return gray;
}

function packedValues(
  file: Buffer,
  { start, most }: PnmHeader,
  count: number,
  isDeep: boolean,
): ArrayLike<number> {
  const size = most > 255 ? 2 : 1;
  expectBytes(file, start, size * count);
  if (most === 255) return new Uint8Array(file.subarray(start, start + count));
  const scaled = scaling(most, isDeep);
  const values = isDeep ? new Uint16Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    values[i] = scaled(size === 1 ? file[start + i] : file.readUInt16BE(start + 2 * i));
  }
  return values;
}

/** Numbers between white space; comments vanish with the end of their line, also within a number. */
function textValues(
  file: Buffer,
  { start, most }: PnmHeader,
  count: number,
  isDeep: boolean,
): ArrayLike<number> {
  const scaled = scaling(most, isDeep);
  expectBytes(file, start, 2 * count - 1);
  const values = isDeep ? new Uint16Array(count) : new Uint8Array(count);
  let found = 0;
  let value = -1;
  for (const byte of textOf(file, start)) {
    if (!spaces.has(byte)) {
      if (byte < 48 || byte > 57) throw unreadable(`PNM: value ${found} is not a number`);
      value = 10 * Math.max(0, value) + byte - 48;
      if (value > most) throw unreadable(`PNM: value ${found} is above the largest, ${most}`);
    } else if (value >= 0) {
      values[found++] = scaled(value);
      value = -1;
      if (found === count) return values;
    }
  }
  throw unreadable(`PNM: ends after ${found} of ${count} values`);
}

/** Digits 0 and 1, white space between them or not. */
function textBits(file: Buffer, { start }: PnmHeader, count: number): Uint8Array {
  expectBytes(file, start, count);
  const gray = new Uint8Array(count);
  let found = 0;
  for (const byte of textOf(file, start)) {
    if (spaces.has(byte)) continue;
    if (byte !== 48 && byte !== 49) throw unreadable(`PNM: value ${found} is neither 0 nor 1`);
    gray[found++] = byte === 48 ? 255 : 0;
    if (found === count) return gray;
  }
  throw unreadable(`PNM: ends after ${found} of ${count} values`);
}

/** Bytes without comments, and a space behind the last one. */
function* textOf(file: Buffer, start: number): Generator<number, void> {
  for (let at = start; at < file.length; at++) {
    if (file[at] !== hash) yield file[at];
    else while (at < file.length && file[at] !== 10 && file[at] !== 13) at++;
  }
  yield 32;
}

/** To 255 or 65535, rounded to even where two are equally near. */
function scaling(most: number, isDeep: boolean): (value: number) => number {
  const limit = isDeep ? 65535 : 255;
  return (value) => {
    const exact = (value / most) * limit;
    const below = Math.floor(exact);
    const up = exact - below > 0.5 || (exact - below === 0.5 && below % 2 === 1);
    return Math.min(limit, up ? below + 1 : below);
  };
}

function expectBytes(file: Buffer, start: number, count: number): void {
  if (file.length - start >= count) return;
  throw unreadable(`PNM: cut off, ${Math.max(0, file.length - start)} of at least ${count} bytes of pixels`);
}
