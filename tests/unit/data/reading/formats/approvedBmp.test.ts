import { test } from "node:test";
import { decodeBmp } from "../../../../../src/data/reading/formats/bmp";
import { readBmpHeader } from "../../../../../src/data/reading/formats/bmpHeader";
import { Calls } from "../../../../support/calls";
import { upTo } from "./support";

interface Bmp {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly compression?: number;
  readonly header?: number;
  readonly colors?: number;
  readonly start?: number;
  readonly palette?: readonly number[];
  readonly masks?: readonly number[];
  readonly pixels: readonly number[];
}

/** A BMP file of a given header and the bytes behind it. */
function bmp({ width, height, bits, header = 40, ...more }: Bmp): Buffer {
  const { compression = 0, colors = 0, start, palette = [], masks = [], pixels } = more;
  const extra = header === 40 ? 4 * masks.length : 0;
  const file = Buffer.alloc(14 + header + extra);
  file.write("BM");
  file.writeUInt32LE(start ?? file.length + palette.length, 10);
  file.writeUInt32LE(header, 14);
  if (header === 12)
    for (const [i, value] of [width, height, 1, bits].entries()) file.writeUInt16LE(value, 18 + 2 * i);
  else {
    file.writeUInt32LE(width, 18);
    file.writeInt32LE(height, 22);
    file.writeUInt16LE(1, 26);
    file.writeUInt16LE(bits, 28);
    file.writeUInt32LE(compression, 30);
    file.writeUInt32LE(colors, 46);
    for (const [i, mask] of masks.entries()) file.writeUInt32LE(mask, 54 + 4 * i);
  }
  return Buffer.concat([file, Buffer.from(palette), Buffer.from(pixels)]);
}

const four = [10, 20, 30, 0, 11, 21, 31, 0, 12, 22, 32, 0, 13, 23, 33, 0];

test("BMP files by their header, their rows and where they end", async () => {
  const calls = new Calls();
  const read = async (what: string, file: Buffer) => {
    await calls.does(`header of ${what}`, () => readBmpHeader(file));
    await calls.does(`  pixels of ${what}`, () => decodeBmp(file, 1000));
  };
  await read("24 bits, 3 x 2", bmp({ width: 3, height: 2, bits: 24, pixels: upTo(24) }));
  await read("24 bits, from the top", bmp({ width: 3, height: -2, bits: 24, pixels: upTo(24) }));
  await read("the last row not filled up", bmp({ width: 3, height: 2, bits: 24, pixels: upTo(21) }));
  await read("the last row a byte too short", bmp({ width: 3, height: 2, bits: 24, pixels: upTo(20) }));
  await read("bytes behind the pixels", bmp({ width: 3, height: 2, bits: 24, pixels: upTo(40) }));
  await read("pixels further on", bmp({ width: 1, height: 1, bits: 24, start: 60, pixels: upTo(12) }));
  await read("no start", bmp({ width: 1, height: 2, bits: 24, start: 0, pixels: upTo(8) }));
  await read("32 bits", bmp({ width: 2, height: 3, bits: 32, pixels: upTo(24) }));
  for (const header of [52, 56, 64, 108, 124])
    await read(`a header of ${header}`, bmp({ width: 1, height: 2, bits: 24, header, pixels: upTo(8) }));
  for (const header of [39, 41, 48, 128])
    await read(`a header of ${header}`, bmp({ width: 1, height: 1, bits: 24, header, pixels: upTo(8) }));
  await read("a short header", bmp({ width: 3, height: 2, bits: 24, header: 12, pixels: upTo(24) }));
  const triples = upTo(12, 100);
  await read(
    "a short header with a palette",
    bmp({
      width: 5,
      height: 2,
      bits: 4,
      header: 12,
      palette: triples,
      pixels: [1, 0x23, 0, 0, 0x32, 0x10, 0x20, 0],
    }),
  );
  for (const [bits, pixels] of [
    [1, [0b10110010, 0b11000000, 0, 0, 0b01001101, 0b00100000, 0, 0]],
    [4, [0x12, 0x30, 0x21, 0x33, 0x10, 0, 0, 0, 0x01, 0x23, 0x12, 0x30, 0x32, 0, 0, 0]],
    [8, [0, 1, 2, 3, 3, 2, 1, 0, 1, 0, 0, 0, 3, 3, 2, 2, 1, 1, 0, 0, 1, 2, 3, 0]],
  ] as const) {
    const image = { width: bits === 8 ? 10 : 9, height: 2, bits, palette: four, colors: 4, pixels };
    await read(`${bits} bits`, bmp(image));
    await read(`${bits} bits, no start`, bmp({ ...image, start: 0 }));
    await read(`${bits} bits, a start before the palette`, bmp({ ...image, start: 54 }));
    await read(`${bits} bits, a byte too few`, bmp({ ...image, width: 17, pixels: pixels.slice(0, -3) }));
  }
  await read(
    "a palette of 257",
    bmp({ width: 1, height: 1, bits: 8, colors: 257, palette: upTo(4 * 257), pixels: [1] }),
  );
  await read(
    "a palette of 256",
    bmp({ width: 1, height: 1, bits: 8, colors: 256, palette: upTo(4 * 256), pixels: [9] }),
  );
  await read(
    "a palette that ends with the file",
    bmp({ width: 1, height: 1, bits: 8, colors: 9, start: 54, palette: upTo(7), pixels: [] }),
  );
  for (const [width, height] of [
    [0, 2],
    [2, 0],
    [1001, 1],
    [1000, 1],
    [-1, 1],
  ] as const)
    await read(
      `${width} x ${height}`,
      bmp({ width: width >>> 0, height, bits: 1, palette: four, pixels: Array(128).fill(0x40) }),
    );
  for (const bits of [0, 2, 15, 48])
    await read(`${bits} bits`, bmp({ width: 1, height: 1, bits, pixels: upTo(8) }));
  for (const compression of [4, 5, 6])
    await read(
      `compression ${compression}`,
      bmp({ width: 1, height: 1, bits: 24, compression, pixels: upTo(8) }),
    );
  const whole = bmp({ width: 1, height: 1, bits: 24, pixels: upTo(4) });
  for (const length of [25, 26, 53, 54, 56, 57])
    await read(`its first ${length} bytes`, whole.subarray(0, length));
  calls.approve("data/reading/BMP");
});

test("BMP files of bit fields and of 16 bits", async () => {
  const calls = new Calls();
  const read = (what: string, image: Bmp) => calls.does(what, () => decodeBmp(bmp(image), 1000));
  const shorts = [0x1f, 0x7c00, 0x3e0, 0xffff, 0x8000, 0x1234, 0xabcd, 0x0001];
  const bytes = shorts.flatMap((value) => [value & 255, value >> 8]);
  await read("16 bits", { width: 3, height: 2, bits: 16, pixels: bytes });
  await read("16 bits, the last row not filled up", {
    width: 3,
    height: 2,
    bits: 16,
    pixels: bytes.slice(0, 14),
  });
  await read("16 bits, cut off", { width: 3, height: 2, bits: 16, pixels: bytes.slice(0, 13) });
  for (const masks of [
    [0x7c00, 0x3e0, 0x1f],
    [0xf800, 0x7e0, 0x1f],
    [0x1f, 0x3e0, 0x7c00],
    [0, 0, 0],
  ])
    for (const header of [40, 56])
      await read(`16 bits by ${masks} in a header of ${header}`, {
        width: 4,
        height: 2,
        bits: 16,
        compression: 3,
        header,
        masks,
        pixels: bytes,
      });
  const orders = [
    [0xff0000, 0xff00, 0xff],
    [0xff, 0xff00, 0xff0000],
    [0xff000000, 0xff0000, 0xff00],
    [0xff00, 0xff0000, 0xff000000],
    [0xff, 0xff, 0xff00],
    [0, 0, 0],
    [0x3ff00000, 0xffc00, 0x3ff],
  ];
  for (const masks of orders)
    for (const bits of [24, 32])
      await read(`${bits} bits by ${masks.map((mask) => mask.toString(16))}`, {
        width: 1,
        height: 2,
        bits,
        compression: 3,
        masks,
        pixels: upTo(8),
      });
  await read("8 bits by bit fields", {
    width: 1,
    height: 1,
    bits: 8,
    compression: 3,
    masks: orders[0],
    pixels: upTo(8),
  });
  await read("bit fields cut off", {
    width: 1,
    height: 1,
    bits: 32,
    compression: 3,
    masks: orders[0].slice(1),
    pixels: [],
  });
  calls.approve("data/reading/BMP bit fields");
});

test("BMP files of runs", async () => {
  const calls = new Calls();
  const palette = Array.from({ length: 256 }, (_, i) => [0, 0, i, 0]).flat();
  const read = async (what: string, runs: 8 | 4, pixels: readonly number[], height = 2) => {
    const bits = runs;
    const colors = 2 ** bits;
    const shades = palette.slice(0, 4 * colors);
    const compression = runs === 8 ? 1 : 2;
    const file = bmp({ width: 5, height, bits, compression, colors, palette: shades, pixels });
    await calls.does(`${runs}: ${what}`, () => {
      const { data, width } = decodeBmp(file, 100);
      return [width, ...data.filter((_, i) => i % 3 === 0)];
    });
  };
  for (const runs of [8, 4] as const) {
    await read("whole rows", runs, [5, 0x12, 0, 0, 5, 0x34, 0, 1]);
    await read("from the top", runs, [5, 0x12, 0, 0, 5, 0x34, 0, 1], -2);
    await read("parts of rows", runs, [2, 0x12, 3, 0x34, 0, 0, 1, 0x56, 4, 0x78, 0, 1]);
    await read("a run over the end of its row is cut", runs, [9, 0x12, 0, 0, 5, 0x34, 0, 1]);
    await read("a run behind a full row", runs, [5, 0x12, 1, 0x77, 0, 0, 5, 0x34, 0, 1]);
    await read("an end of line in the middle", runs, [3, 0x12, 0, 0, 5, 0x34, 0, 1]);
    await read("an end of line at the end of a full row", runs, [5, 1, 5, 2, 0, 0, 0, 1]);
    await read("a move", runs, [1, 0x12, 0, 2, 1, 1, 3, 0x34, 0, 1]);
    await read("a move to the right alone", runs, [1, 0x11, 0, 2, 3, 0, 1, 0x22, 5, 0x33, 0, 1]);
    await read("a move cut off", runs, [1, 0x12, 0, 2, 1]);
    await read("literals, an odd number of them", runs, [0, 3, 1, 2, 3, 0, 2, 0x44, 0, 0, 5, 0x55, 0, 1]);
    await read("literals, an even number of them", runs, [0, 4, 1, 2, 3, 4, 1, 0x44, 0, 0, 5, 0x55, 0, 1]);
    await read("literals, five", runs, [0, 5, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 5, 0x55, 0, 1]);
    await read("literals over the end of a row", runs, [0, 7, 1, 2, 3, 4, 5, 6, 7, 0, 3, 0x55, 0, 1]);
    await read("literals cut off", runs, [0, 9, 1, 2]);
    await read("an early end", runs, [5, 0x12, 0, 1, 5, 0x34]);
    await read("no end", runs, [5, 0x12, 5, 0x34]);
    await read("the end after half a pair", runs, [5, 0x12, 5]);
    await read("nothing", runs, []);
  }
  const deep = bmp({ width: 5, height: 1, bits: 16, compression: 1, pixels: [5, 1, 0, 1] });
  await calls.does("runs of 16 bits", () => decodeBmp(deep, 100));
  const mixed = bmp({ width: 5, height: 1, bits: 8, compression: 2, palette, pixels: [5, 0x12, 0, 1] });
  await calls.does("runs of 4 bits with 8 bits a pixel", () => decodeBmp(mixed, 100));
  calls.approve("data/reading/BMP runs");
});
