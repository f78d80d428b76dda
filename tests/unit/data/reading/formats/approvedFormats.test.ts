import { test } from "node:test";
import { decodeGif } from "../../../../../src/data/reading/formats/gif";
import { formatOf, kindOf } from "../../../../../src/data/reading/formats/identify";
import { inflateLzw } from "../../../../../src/data/reading/formats/lzw";
import { decodePnm } from "../../../../../src/data/reading/formats/pnm";
import {
  expectSize,
  gray16ToBytes,
  grayPalette,
  inksToRgb,
  paletteToRgb,
  replicate,
} from "../../../../../src/data/reading/formats/raster";
import { Calls } from "../../../../support/calls";
import { upTo } from "./support";

const latin1 = (text: string) => Buffer.from(text, "latin1");

/** Codes of a fixed width, the first in the lowest bits. */
function codes(width: number, values: readonly number[]): number[] {
  let bits = "";
  for (const value of values) bits = value.toString(2).padStart(width, "0") + bits;
  bits = bits.padStart(8 * Math.ceil(bits.length / 8), "0");
  return Array.from({ length: bits.length / 8 }, (_, i) =>
    Number.parseInt(bits.slice(bits.length - 8 * (i + 1), bits.length - 8 * i), 2),
  );
}

/** Symbols in codes of a growing width, with no clear after the first. */
function deflateLzw(symbols: Uint8Array, codeBits: number): Uint8Array {
  const clear = 2 ** codeBits;
  const known = new Map(Array.from({ length: clear }, (_, i) => [String(i), i]));
  let next = clear + 2;
  let width = codeBits + 1;
  const bits: number[] = [];
  const put = (code: number) => {
    for (let bit = 0; bit < width; bit++) bits.push((code >> bit) & 1);
  };
  put(clear);
  let held = "";
  for (const symbol of symbols) {
    const longer = held === "" ? String(symbol) : `${held},${symbol}`;
    if (known.has(longer)) held = longer;
    else {
      put(known.get(held)!);
      if (next < 4096) {
        known.set(longer, next);
        // The reader knows a code one step later than the writer.
        if (next++ === 2 ** width && width < 12) width++;
      }
      held = String(symbol);
    }
  }
  put(known.get(held)!);
  return Uint8Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit, place) => byte | (bit << place), 0),
  );
}

test("codes of GIF files", async () => {
  const calls = new Calls();
  const read = (what: string, codeBits: number, data: readonly number[], count: number) =>
    calls.does(`${what}, ${codeBits} bits, ${count} symbols`, () => {
      const symbols = new Uint8Array(count).fill(255);
      return [inflateLzw(Uint8Array.from(data), codeBits, symbols), symbols];
    });
  await read("symbols", 3, codes(4, [8, 1, 5, 7, 9]), 3);
  await read("symbols and an early end", 3, codes(4, [8, 1, 5, 9]), 3);
  await read("no end", 3, codes(4, [8, 1, 5, 7]), 3);
  await read("no clear at the beginning", 3, codes(4, [1, 5, 7, 9]), 3);
  await read("a code of two symbols", 3, codes(4, [8, 1, 5, 10, 11]), 6);
  await read("a code that is not known yet", 3, codes(4, [8, 1, 10, 11]), 6);
  await read("that is cut off by the number of symbols", 3, codes(4, [8, 1, 10, 11]), 5);
  await read("a code too large", 3, codes(4, [8, 1, 11]), 6);
  await read("a code of strings at the beginning", 3, codes(4, [8, 10]), 2);
  await read("cleared in the middle", 3, codes(4, [8, 1, 2, 3, 8, 4, 5, 10, 9]), 7);
  await read("a string right after a clear", 3, codes(4, [8, 1, 2, 8, 10]), 4);
  await read(
    "wider codes after the eighth",
    3,
    [...codes(4, [8, 0, 1, 2, 3, 4, 5, 6]), ...codes(5, [7, 10, 11, 12])],
    13,
  );
  await read("two bits", 2, codes(3, [4, 1, 6, 5]), 3);
  await read("one bit", 1, codes(2, [2, 1, 0]), 2);
  await read("nothing", 3, [], 2);
  await read("no symbols", 3, codes(4, [8]), 0);
  for (const [codeBits, count] of [
    [2, 300],
    [3, 20_000],
    [8, 9000],
  ]) {
    const symbols = Uint8Array.from(
      { length: count },
      (_, i) => (((i * i) % 127) ^ (i >> 3)) % 2 ** codeBits,
    );
    await calls.does(`codes up to 12 bits of symbols of ${codeBits}`, () => {
      const found = new Uint8Array(count);
      return [inflateLzw(deflateLzw(symbols, codeBits), codeBits, found), Buffer.compare(found, symbols)];
    });
  }
  calls.approve("data/reading/LZW");
});

interface Gif {
  readonly canvas: readonly [number, number];
  readonly frame: readonly [left: number, top: number, width: number, height: number];
  readonly shared?: readonly number[];
  readonly own?: readonly number[];
  readonly interlaced?: boolean;
  readonly before?: readonly number[];
  readonly codeBits?: number;
  readonly blocks: readonly (readonly number[])[];
}

const sizeFlag = (palette: readonly number[] | undefined) =>
  palette ? 0x80 | (Math.log2(palette.length / 3) - 1) : 0;

const two = (value: number) => [value & 255, value >> 8];

function gif({ canvas, frame, shared, own, interlaced, before = [], codeBits = 3, blocks }: Gif): Buffer {
  return Buffer.from([
    ...latin1("GIF89a"),
    ...canvas.flatMap(two),
    ...[sizeFlag(shared), 3, 0],
    ...(shared ?? []),
    ...before,
    ...[0x2c, ...frame.flatMap(two), sizeFlag(own) | (interlaced ? 0x40 : 0)],
    ...(own ?? []),
    codeBits,
    ...blocks.flatMap((block) => [block.length, ...block]),
    ...[0, 0x3b],
  ]);
}

test("GIF files", async () => {
  const calls = new Calls();
  const shared = upTo(24, 40);
  const own = upTo(12, 100);
  const symbols = codes(4, [8, 0, 1, 2, 8, 3, 4, 5, 9]);
  const base: Gif = { canvas: [3, 2], frame: [0, 0, 3, 2], shared, blocks: [symbols] };
  const read = (what: string, file: Buffer, most = 1000) => calls.does(what, () => decodeGif(file, most));
  await read("an image", gif(base));
  await read(
    "in blocks",
    gif({ ...base, blocks: [symbols.slice(0, 1), symbols.slice(1, 3), symbols.slice(3)] }),
  );
  await read("with a palette of its own", gif({ ...base, own, shared: upTo(6) }));
  await read("with no palette", gif({ ...base, shared: undefined }));
  await read("with a palette of grays", gif({ ...base, shared: [0, 0, 0, 1, 1, 1] }));
  await read("on a larger canvas", gif({ ...base, canvas: [5, 4], frame: [1, 2, 3, 2] }));
  await read("that reaches out of the canvas", gif({ ...base, canvas: [2, 2], frame: [1, 1, 3, 2] }));
  const control = (flags: number, ground: number) => [0x21, 0xf9, 4, flags, 0, 0, ground, 0];
  await read("with a transparent entry", gif({ ...base, canvas: [4, 3], before: control(1, 6) }));
  await read(
    "with an entry that is not transparent",
    gif({ ...base, canvas: [4, 3], before: control(4, 6) }),
  );
  await read("with a comment", gif({ ...base, before: [0x21, 0xfe, 2, 65, 66, 1, 67, 0] }));
  await read("with other bytes between", gif({ ...base, before: [0, 7] }));
  const rows = codes(4, [8, 0, 1, 8, 2, 3, 8, 4, 5, 8, 6, 7, 8, 0, 0, 9]);
  await read(
    "interlaced",
    gif({ ...base, canvas: [1, 10], frame: [0, 0, 1, 10], interlaced: true, blocks: [rows] }),
  );
  await read(
    "of one row, interlaced",
    gif({ ...base, canvas: [2, 1], frame: [0, 0, 2, 1], interlaced: true }),
  );
  await read("ends early", gif({ ...base, blocks: [codes(4, [8, 0, 1, 9])] }));
  await read("with a damaged code", gif({ ...base, blocks: [codes(4, [8, 0, 15])] }));
  for (const codeBits of [0, 1, 11, 12, 255])
    await read(`codes of ${codeBits} bits`, gif({ ...base, codeBits }));
  await read("as large as allowed", gif(base), 6);
  await read("larger than allowed", gif(base), 5);
  await read("of no width", gif({ ...base, canvas: [0, 2], frame: [0, 0, 0, 2] }));
  await read("of no width on a canvas", gif({ ...base, frame: [0, 0, 0, 2] }));
  const file = gif(base);
  await read("no image", Buffer.concat([file.subarray(0, 13 + 24), latin1(";")]));
  for (const length of [6, 10, 11, 13, 20, 37, 38, 46, 47, 48, 50, file.length - 2, file.length - 1])
    await read(`its first ${length} bytes of ${file.length}`, file.subarray(0, length));
  calls.approve("data/reading/GIF");
});

test("PBM, PGM and PPM files", async () => {
  const calls = new Calls();
  const read = (text: string, gray16: "clip" | "high-byte" = "clip", most = 100) =>
    calls.of(decodePnm, latin1(text), most, gray16);
  await read("P1\n5 2\n10110\n0 1 0 0 1\n");
  await read("P1 5 2 1011001001 more");
  await read("P1\n2 1\n1");
  await read("P1\n2 1\n12");
  await read("P1\n2 1\n1 #0\n");
  await read("P1\n2 1\n1 #0\n0");
  await read("P4\n9 2\n\xb2\x80\x4d\x00");
  await read("P4\n9 2\n\xb2\x80\x4d");
  await read("P4\n8 1\n\x0f");
  await read("P2\n3 2\n255\n0 1 2\n128 254 255");
  await read("P2\r\n3 2\r\n255\r\n0 1 2\r\n128 254 255\r\n");
  await read("P2 # a comment\r3 #4\n2\n#\n255\n0 1 2 128 254 2#5\n55");
  await read("P2 3 1 7 0 3 7");
  await read("P2 3 1 2 0 1 2");
  await read("P2 3 1 1 0 1 1");
  await read("P2 3 1 7 0 3 8");
  await read("P2 3 1 7 0 3 -1");
  await read("P2 3 1 7 0 3 a");
  await read("P2 3 1 7 0 3.5 1");
  await read("P2 3 1 7 0 3");
  await read("P2 3 1 7 0");
  for (const gray16 of ["clip", "high-byte"] as const) {
    await read("P2 4 1 65535 0 255 256 65535", gray16);
    await read("P2 4 1 1023 0 1 4 1023", gray16);
    await read("P5 3 1 65535\n\x00\xff\x01\x00\xfe\xdc", gray16);
    await read("P5 3 1 256\n\x00\x01\x00\x80\x01\x00", gray16);
    await read("P5 3 1 255\n\x00\x80\xff", gray16);
  }
  await read("P5 3 1 255\n\x00\x80");
  await read("P5 3 1 254\n\x00\x7f\xfe");
  await read("P5 3 1 100\n\x00\x32\xff");
  await read("P5 2 1 65535\n\x00\x80\x01");
  await read("P3 2 1 255 1 2 3 4 5 6");
  await read("P3 1 2 15 1 2 3 4 5 15");
  await read("P3 1 1 65535 0 32768 65535");
  await read("P6 2 1 255\n\x01\x02\x03\x04\x05\x06");
  await read("P6 1 2 31\n\x01\x02\x03\x04\x05\x1f");
  await read("P6 1 1 1000\n\x00\x00\x01\xf4\x03\xe8");
  await read("P6 2 1 255\n\x01\x02\x03\x04\x05");
  await read("P6 10 10 255\n", "clip", 99);
  await read("P5 10 10 255\n", "clip", 100);
  for (const header of ["P5", "P5 ", "P5 3", "P5 3 ", "P5 3 2 ", "P5 x 2 255 ", "P5 3 y 255 ", "P5 3 2 z "])
    await read(header);
  for (const header of [
    "P5 0 2 255 ",
    "P5 3 0 255 ",
    "P5 -3 2 255 ",
    "P5 1.5 2 255 ",
    "P5 12345678901 1 255 ",
    "P5 1 1 0 ",
    "P5 1 1 65536 ",
    "P5 1 1 65535 ",
  ])
    await read(header);
  calls.approve("data/reading/PNM");
});

test("what files are and what their samples become", async () => {
  const calls = new Calls();
  for (const beginning of [
    "\xff\xd8\xff",
    "\xff\xd8",
    "\x89PNG\r\n\x1a\n",
    "\x89PNG\r\n\x1a",
    "RIFF\x01\x02\x03\x04WEBP",
    "RIFF\x01\x02\x03\x04WAVE",
    "II*\0",
    "MM\0*",
    "II+\0",
    "MM\0+",
    "II\0*",
    "GIF87a",
    "GIF89a",
    "GIF90a",
    "BM",
    "B",
    "bm",
    "P1 ",
    "P6\n",
    "P7\n",
    "P0 ",
    "P5#",
    "P5a",
    "\0\0\0\x1cftypavif",
    "\0\0\0\x1cftypavis",
    "\0\0\0\x1cftypheic",
    "\0\0\0\x1cftypmif1",
    "\0\0\0\x1cftypmp42",
    "\0\0\0\x0cjP  ",
    "\xff\x4f\xff\x51",
    "\0\0\0\x0cJXL ",
    "\xff\x0a",
    "8BPS",
    "\0\0\x01\0",
    "%PDF-",
    "%!PS",
    "PK\x03\x04",
    "\x1f\x8b",
    "PF\n",
    "Pf\n",
    "",
    "\0",
    "\0\0\0",
    "text\r\n\tmore",
    "caf\xc3\xa9",
    "\xef\xbb\xbftext",
    "<svg width='1'>",
    "<SVG>",
    "<svgs>",
    `<?xml version="1.0"?>${" ".repeat(900)}<svg>`,
    `<?xml version="1.0"?>${" ".repeat(990)}<svg>`,
    "  <!DOCTYPE html>",
    "\n<html>",
    "<?xml ?>",
    "<head>",
    "<body>",
    "<div>",
    '{"a": 1}',
    `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 12345\n`,
    "version https://git-lfs.github.com/spec/v1\n",
  ]) {
    await calls.does(JSON.stringify(beginning.slice(0, 30)), () => [
      formatOf(latin1(beginning)),
      kindOf(latin1(beginning)),
    ]);
  }
  for (const [width, height] of [
    [3, 4],
    [4, 4],
    [0, 5],
    [5, 0],
    [1, 1],
    [-1, 5],
    [12, 1],
    [13, 1],
  ])
    await calls.of(expectSize, width, height, 12);
  await calls.of(paletteToRgb, Uint8Array.of(2, 0, 1, 2, 3, 0), Uint8Array.from(upTo(12, 50)), 3, 2);
  await calls.of(grayPalette);
  await calls.of(replicate, Uint8Array.of(0, 7, 255));
  await calls.of(replicate, []);
  await calls.of(
    inksToRgb,
    Uint8Array.of(
      0,
      0,
      0,
      0,
      255,
      0,
      0,
      0,
      0,
      255,
      0,
      0,
      10,
      200,
      77,
      100,
      255,
      255,
      255,
      255,
      1,
      2,
      3,
      254,
      128,
      127,
      129,
      128,
    ),
  );
  for (const gray16 of ["clip", "high-byte"] as const)
    await calls.of(gray16ToBytes, Uint16Array.of(0, 1, 254, 255, 256, 511, 512, 32767, 65535), gray16);
  calls.approve("data/reading/files and samples");
});
