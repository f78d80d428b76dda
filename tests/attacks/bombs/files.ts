import { deflateSync } from "node:zlib";
import { crc32 } from "./crc32";

/** Small files that describe huge ones, by the name that each has in a folder: the endings are those of what is accepted. */

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(4);
  frame.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([frame, body, check]);
}

/** A PNG of a size, with further chunks before its pixels. */
export function png(width: number, height: number, pixels: Buffer, more: readonly Buffer[] = []): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    ...more,
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

export const packedZeros = (length: number) => deflateSync(Buffer.alloc(length), { level: 9 });

const pixel = packedZeros(4);
const profile = (length: number) =>
  chunk("iCCP", Buffer.concat([Buffer.from("x\0\0", "latin1"), packedZeros(length)]));
const words = (length: number) =>
  chunk("zTXt", Buffer.concat([Buffer.from("x\0\0", "latin1"), packedZeros(length)]));

function jpeg(width: number, height: number): Buffer {
  const frame = Buffer.from([0xff, 0xc0, 0, 17, 8, 0, 0, 0, 0, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
  frame.writeUInt16BE(height, 5);
  frame.writeUInt16BE(width, 7);
  const scan = Buffer.from([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    frame,
    scan,
    Buffer.alloc(200),
    Buffer.from([0xff, 0xd9]),
  ]);
}

function riff(...parts: Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from("WEBP"), ...parts]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([Buffer.from("RIFF"), length, body]);
}

function webp(): Buffer {
  const canvas = Buffer.from([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  const still = Buffer.from([0x30, 1, 0, 0x9d, 1, 0x2a, 0xff, 0x3f, 0xff, 0x3f, ...Array(40).fill(0)]);
  const part = (name: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(data.length);
    return Buffer.concat([Buffer.from(name), length, data]);
  };
  return riff(part("VP8X", canvas), part("VP8 ", still));
}

function gif(): Buffer {
  const screen = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
  const image = Buffer.from([0x2c, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 2, 3, 0x44, 1, 5, 0, 0x3b]);
  return Buffer.concat([Buffer.from("GIF89a"), screen, image]);
}

function bmp(compression: number): Buffer {
  const file = Buffer.alloc(54 + 1024 + 8);
  file.write("BM");
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54 + 1024, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(2_000_000_000, 18);
  file.writeInt32LE(2_000_000_000, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(8, 28);
  file.writeUInt32LE(compression, 30);
  return file;
}

/** A TIFF of given entries [tag, type, count, value]; its list of images leads to `next`. */
function tiff(entries: readonly (readonly [number, number, number, number])[], next = 0): Buffer {
  const file = Buffer.alloc(8 + 2 + 12 * entries.length + 4 + 64);
  file.write("II*\0", "latin1");
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(entries.length, 8);
  for (const [i, [tag, type, count, value]] of entries.entries()) {
    const at = 10 + 12 * i;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    file.writeUInt32LE(value, at + 8);
  }
  file.writeUInt32LE(next, 10 + 12 * entries.length);
  return file;
}

const tiffOf = (size: number, strips: number, compression = 8) =>
  [
    [256, 4, 1, size],
    [257, 4, 1, size],
    [258, 3, 1, 8],
    [259, 3, 1, compression],
    [262, 3, 1, 1],
    [273, 4, strips, 8],
    [277, 3, 1, 1],
    [278, 4, 1, 1],
    [279, 4, strips, 60],
  ] as const;

const laughs = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol">${Array.from(
  { length: 12 },
  (_, i) => `<!ENTITY ${"bcdefghijklm"[i]} "${`&${"abcdefghijkl"[i]};`.repeat(10)}">`,
).join("")}]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&m;</text></svg>`;
const fromElsewhere = `<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"><image href="file:///dev/zero"/></svg>`;

export const images: Readonly<Record<string, () => Buffer>> = {
  "png of 60000 x 60000.png": () => png(60_000, 60_000, packedZeros(1e6)),
  "png of 2^31 x 1.png": () => png(2 ** 31 - 1, 1, pixel),
  "png with a color profile of 300 MB.png": () => png(1, 1, pixel, [profile(3e8)]),
  "png with words of 300 MB.png": () => png(1, 1, pixel, [words(3e8)]),
  "png with 20000 words.png": () => png(1, 1, pixel, Array(20_000).fill(words(100))),
  "png whose pixels go on for 300 MB.png": () => png(1, 1, packedZeros(3e8)),
  "jpeg of 65500 x 65500.jpg": () => jpeg(65_500, 65_500),
  "webp of 16383 x 16383.webp": webp,
  "gif of 65535 x 65535.gif": gif,
  "bmp of 2e9 x 2e9.bmp": () => bmp(0),
  "bmp of runs.bmp": () => bmp(1),
  "pgm of 2^40 x 2^40.pgm": () => Buffer.from(`P5 ${2 ** 40} ${2 ** 40} 255\n`),
  "ppm with digits without end.ppm": () => Buffer.from(`P3 ${"9".repeat(1e6)} 1 255\n`),
  "ppm with a remark without end.ppm": () => Buffer.from(`P6 #${"x".repeat(5e6)}`),
  "tiff of 2^30 x 2^30.tif": () => tiff(tiffOf(2 ** 30, 1)),
  "tiff with 2^32 strips.tif": () => tiff(tiffOf(1000, 2 ** 32 - 1)),
  "tiff whose images go round.tif": () => tiff(tiffOf(10, 1, 1), 8),
  "tiff with entries without end.tif": () => tiff(Array(5000).fill([256, 4, 2 ** 32 - 1, 0])),
  "svg that laughs.png": () => Buffer.from(laughs),
  "svg from elsewhere.jpg": () => Buffer.from(fromElsewhere),
  "avif.jpg": () =>
    Buffer.concat([Buffer.from("\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "latin1"), Buffer.alloc(4000)]),
  "jpeg xl.png": () => Buffer.from("\0\0\0\x0cJXL \r\n\x87\n", "latin1"),
};
