import { type RgbImage, unreadable } from "../../pixels";
import { inflateLzw } from "./lzw";
import { expectSize, grayPalette, paletteToRgb } from "./raster";

/** The first image of a GIF file on its canvas. */
interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly isInterlaced: boolean;
  readonly palette: Uint8Array;
  /** Entry that the canvas shows outside of the image. */
  readonly ground: number;
  readonly codeBits: number;
  /** Where the coded pixels begin. */
  readonly start: number;
}

const [extension, image, trailer, graphicControl] = [0x21, 0x2c, 0x3b, 0xf9];

/**
 * The first image of a GIF file as Pillow's `convert("RGB")` reads it: what is transparent keeps the color of its
 * entry. Reference: GIF89a specification; Pillow GifImagePlugin.py.
 *
 * @throws LuvitError("bad-image")
 */
export function decodeGif(file: Buffer, maxPixels: number): RgbImage {
  try {
    const frame = readFrame(file);
    const width = Math.max(file.readUInt16LE(6), frame.left + frame.width);
    const height = Math.max(file.readUInt16LE(8), frame.top + frame.height);
    expectSize(width, height, maxPixels);
    expectSize(frame.width, frame.height, maxPixels);
    const canvas = new Uint8Array(width * height).fill(frame.ground);
    place(pixelsOf(file, frame), frame, canvas, width);
    return paletteToRgb(canvas, frame.palette, width, height);
  } catch (error) {
    if (error instanceof RangeError) throw unreadable("GIF: cut off");
    throw error;
  }
}

function readFrame(file: Buffer): Frame {
  const flags = file.readUInt8(10);
  let at = 13;
  let palette: Uint8Array | undefined;
  const takePalette = (entryBits: number): Uint8Array => {
    const length = 3 * 2 ** entryBits;
    const entries = file.subarray(at, at + length);
    at += length;
    const grays = grayPalette();
    if (entries.every((value, i) => value === grays[i])) return grays;
    const taken = new Uint8Array(grays.length); // entries that the file lacks are black
    taken.set(entries);
    return taken;
  };
  if (flags & 0x80) palette = takePalette((flags & 7) + 1);
  let ground = 0;
  for (;;) {
    const kind = file.readUInt8(at++);
    if (kind === trailer) throw unreadable("GIF: holds no image");
    if (kind === extension) {
      const [label, length] = [file.readUInt8(at), file.readUInt8(at + 1)];
      if (label === graphicControl && length >= 4 && file.readUInt8(at + 2) & 1)
        ground = file.readUInt8(at + 5);
      at = blocks(file, at + 1).end;
    } else if (kind === image) {
      const [left, top, width, height] = [0, 2, 4, 6].map((offset) => file.readUInt16LE(at + offset));
      const own = file.readUInt8(at + 8);
      at += 9;
      if (own & 0x80) palette = takePalette((own & 7) + 1);
      const isInterlaced = (own & 0x40) !== 0;
      const codeBits = file.readUInt8(at);
      const frame = { left, top, width, height, isInterlaced, ground, codeBits, start: at + 1 };
      return { ...frame, palette: palette ?? grayPalette() };
    }
  }
}

/** Whole blocks of data up to an empty one: their parts, and where the next thing begins. */
function blocks(file: Buffer, start: number): { parts: Buffer[]; end: number } {
  const parts: Buffer[] = [];
  let at = start;
  while (at < file.length && file[at] > 0 && at + file[at] < file.length) {
    parts.push(file.subarray(at + 1, at + 1 + file[at]));
    at += 1 + file[at];
  }
  return { parts, end: at + 1 };
}

/** Palette entries in the order of the file. */
function pixelsOf(file: Buffer, { width, height, codeBits, start }: Frame): Uint8Array {
  if (codeBits < 1 || codeBits > 11) throw unreadable(`GIF: codes of ${codeBits} bits`);
  const pixels = new Uint8Array(width * height);
  const found = inflateLzw(Buffer.concat(blocks(file, start).parts), codeBits, pixels);
  if (found === pixels.length) return pixels;
  throw unreadable(
    found === -1 ? "GIF: its code is damaged" : `GIF: ends after ${found} of ${pixels.length} pixels`,
  );
}

/** First row and distance of the rows of each pass. */
const passes = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
];

function place(pixels: Uint8Array, frame: Frame, canvas: Uint8Array, canvasWidth: number): void {
  const { left, top, width, height, isInterlaced } = frame;
  let from = 0;
  for (const [first, step] of isInterlaced ? passes : [[0, 1]]) {
    for (let y = first; y < height; y += step, from += width) {
      canvas.set(pixels.subarray(from, from + width), (top + y) * canvasWidth + left);
    }
  }
}
