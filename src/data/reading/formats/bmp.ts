import { type RgbImage, unreadable } from "../../pixels";
import { type BmpHeader, readBmpHeader } from "./bmpHeader";
import { expectSize, paletteToRgb } from "./raster";

/**
 * A BMP file as Pillow's `convert("RGB")` reads it: 1, 4 and 8 bits with a palette, also as runs, 16 bits (5-5-5 and
 * 5-6-5), 24 and 32 bits; what may be alpha is dropped.
 *
 * @throws LuvitError("bad-image")
 */
export function decodeBmp(file: Buffer, maxPixels: number): RgbImage {
  const header = readBmpHeader(file);
  const { width, height, bits, palette } = header;
  expectSize(width, height, maxPixels);
  if (palette) {
    const indices = header.runs ? fromRuns(file, header, header.runs) : packedIndices(file, header);
    return paletteToRgb(indices, palette, width, height);
  }
  return bits === 16 ? shortPixels(file, header) : bytePixels(file, header);
}

/** Where each row of the image begins in the file. Rows are filled up to 4 bytes, the last one need not be. */
function rowStarts(file: Buffer, { width, height, bits, topDown, start }: BmpHeader): (y: number) => number {
  const stride = 4 * Math.ceil((width * bits) / 32);
  const needed = start + (height - 1) * stride + Math.ceil((width * bits) / 8);
  if (file.length < needed) throw unreadable(`BMP: cut off, ${file.length} of ${needed} bytes`);
  return (y) => start + (topDown ? y : height - 1 - y) * stride;
}

/** [H, W] from 8 / bits pixels per byte, the first in the highest bits. */
function packedIndices(file: Buffer, header: BmpHeader): Uint8Array {
  const { width, height, bits } = header;
  const rowAt = rowStarts(file, header);
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  const indices = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = rowAt(y);
    for (let x = 0; x < width; x++) {
      const shift = bits * (perByte - 1 - (x % perByte));
      indices[to++] = (file[row + Math.floor(x / perByte)] >> shift) & mask;
    }
  }
  return indices;
}

/** Red, green and blue of 5 or 6 bits, stretched to 0 … 255 and cut off. */
function shortPixels(file: Buffer, header: BmpHeader): RgbImage {
  const { width, height, masks = [0x7c00, 0x3e0, 0x1f] } = header;
  const layout = masks.map((mask) => mask.toString(16)).join(" ");
  if (layout !== "7c00 3e0 1f" && layout !== "f800 7e0 1f") throw unreadable(`BMP: bit fields ${layout}`);
  const greenBits = layout.startsWith("f") ? 6 : 5;
  const most = 2 ** greenBits - 1;
  const rowAt = rowStarts(file, header);
  const data = new Uint8Array(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = rowAt(y);
    for (let x = 0; x < width; x++) {
      const value = file.readUInt16LE(row + 2 * x);
      data[to++] = (((value >> (5 + greenBits)) & 31) * 255) / 31;
      data[to++] = (((value >> 5) & most) * 255) / most;
      data[to++] = ((value & 31) * 255) / 31;
    }
  }
  return { data, width, height };
}

/** 3 or 4 bytes per pixel, in the order of the bit fields; blue, green, red without. */
function bytePixels(file: Buffer, header: BmpHeader): RgbImage {
  const { width, height, bits } = header;
  const [red, green, blue] = byteOrder(header);
  const rowAt = rowStarts(file, header);
  const data = new Uint8Array(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, at = rowAt(y); x < width; x++, at += bits / 8) {
      data[to++] = file[at + red];
      data[to++] = file[at + green];
      data[to++] = file[at + blue];
    }
  }
  return { data, width, height };
}

function byteOrder({ bits, masks }: BmpHeader): readonly number[] {
  if (!masks || (bits === 32 && masks.every((mask) => mask === 0))) return [2, 1, 0];
  const order = masks.map((mask) => [0xff, 0xff00, 0xff0000, 0xff000000].indexOf(mask));
  const isOrder = new Set(order).size === 3 && !order.includes(-1);
  if (isOrder && (bits === 32 || order.join() === "2,1,0")) return order;
  throw unreadable(`BMP: bit fields ${masks.map((mask) => mask.toString(16)).join(" ")}`);
}

const [endOfLine, endOfImage, move] = [0, 1, 2];

/** [H, W] from runs: count and value, or 0 and a command. */
function fromRuns(file: Buffer, header: BmpHeader, runBits: 8 | 4): Uint8Array {
  const { width, height, topDown } = header;
  const indices = new Uint8Array(width * height);
  let at = header.start;
  let to = 0;
  let x = 0;
  /** Entries of one byte each, or of a byte's halves in turn. */
  const put = (count: number, byteAt: (i: number) => number) => {
    for (let i = 0; i < count && to < indices.length; i++) {
      indices[to++] = runBits === 8 ? byteAt(i) : i % 2 === 0 ? byteAt(i) >> 4 : byteAt(i) & 15;
    }
    x += count;
  };
  while (to < indices.length && at + 2 <= file.length) {
    const [count, value] = [file[at], file[at + 1]];
    at += 2;
    if (count > 0) put(Math.min(count, Math.max(0, width - x)), () => value);
    else if (value === endOfImage) break;
    else if (value === endOfLine) {
      to = Math.ceil(to / width) * width;
      x = 0;
    } else if (value === move) {
      if (at + 2 > file.length) break;
      to += file[at] + file[at + 1] * width;
      x = to % width;
      at += 2;
    } else {
      const [first, bytes] = [at, Math.ceil((value * runBits) / 8)];
      if (first + bytes > file.length) break;
      put(value, (i) => file[first + (runBits === 8 ? i : i >> 1)]);
      at = first + bytes;
      at += at % 2; // literal pixels are filled up to an even address
    }
  }
  if (to < indices.length) throw unreadable(`BMP: ends after ${to} of ${indices.length} pixels`);
  return topDown ? indices : upsideDown(indices, width, height);
}

function upsideDown(indices: Uint8Array, width: number, height: number): Uint8Array {
  const turned = new Uint8Array(indices.length);
  for (let y = 0; y < height; y++) {
    turned.set(indices.subarray(y * width, (y + 1) * width), (height - 1 - y) * width);
  }
  return turned;
}
