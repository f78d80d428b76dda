import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatOf, kindOf } from "../../../../../src/data/reading/formats/identify";
import { inflateLzw } from "../../../../../src/data/reading/formats/lzw";
import { decodePnm } from "../../../../../src/data/reading/formats/pnm";
import {
  expectSize,
  gray16ToBytes,
  grayPalette,
  inksToRgb,
} from "../../../../../src/data/reading/formats/raster";
import { seededRng } from "../../../../support/seededRng";
import { isLuvitError } from "../../support";

describe("what a file is", () => {
  const latin1 = (text: string) => Buffer.from(text, "latin1");

  it("is told by what it begins with, whole", () => {
    const beginnings: [string, string][] = [
      ["JPEG", "\xff\xd8\xff"],
      ["PNG", "\x89PNG\r\n\x1a\n"],
      ["WebP", "RIFF\x01\x02\x03\x04WEBP"],
      ["TIFF", "II*\0"],
      ["TIFF", "MM\0*"],
      ["TIFF", "II+\0"],
      ["TIFF", "MM\0+"],
      ["GIF", "GIF87a"],
      ["GIF", "GIF89a"],
      ["BMP", "BM"],
      ...[1, 2, 3, 4, 5, 6].flatMap((kind): [string, string][] =>
        [" ", "\n", "\t", "\r", "#"].map((next) => ["PNM", `P${kind}${next}`]),
      ),
    ];
    for (const [format, beginning] of beginnings) {
      assert.equal(formatOf(latin1(beginning)), format, JSON.stringify(beginning));
      assert.equal(formatOf(latin1(`${beginning}and more`)), format);
      assert.equal(
        formatOf(latin1(beginning.slice(0, -1))),
        undefined,
        `a part of ${JSON.stringify(beginning)}`,
      );
      assert.notEqual(formatOf(latin1(` ${beginning}`)), format, "not at its very beginning");
    }
    for (const other of ["P0 ", "P7 ", "P1x", "p1 ", "RIFF\x01\x02\x03\x04WAVE", "GIF88a", ""])
      assert.equal(formatOf(latin1(other)), undefined, other);
    const within = latin1("xxGIF89a");
    assert.equal(formatOf(within.subarray(2)), "GIF", "in the middle of other bytes");
  });

  it("is said in words where it is not read", () => {
    const kinds: [string, string][] = [
      ["AVIF", "\0\0\0\x1cftypavif"],
      ["AVIF", "\0\0\0\x1cftypavis"],
      ["HEIF", "\0\0\0\x1cftypheic"],
      ["HEIF", "\0\0\0\x1cftypmif1"],
      ["a film (MP4 or QuickTime)", "\0\0\0\x1cftypisom"],
      ["JPEG 2000", "\0\0\0\x0cjP  \r\n"],
      ["JPEG 2000", "\xff\x4f\xff\x51\0"],
      ["JPEG XL", "\0\0\0\x0cJXL \r\n"],
      ["JPEG XL", "\xff\x0a\xfa"],
      ["Photoshop's PSD", "8BPS\0\x01"],
      ["an icon (ICO)", "\0\0\x01\0\x01"],
      ["PDF", "%PDF-1.7"],
      ["PostScript", "%!PS-Adobe"],
      ["a zip archive", "PK\x03\x04\x14"],
      ["gzip", "\x1f\x8b\x08"],
      ["PAM", "P7\nWIDTH"],
      ["PFM", "PF\n1 1"],
      ["PFM", "Pf\n1 1"],
      ["SVG", "<svg>"],
      ["SVG", '<?xml version="1.0"?><!-- x --><SVG width="1">'],
      ["a web page or XML", "<!doctype html>"],
      ["a web page or XML", " \n<HTML>"],
      ["a web page or XML", "<?xml version='1.0'?><a/>"],
      ["a web page or XML", "<head>"],
      ["a web page or XML", "<body>"],
      ["nothing but zeros", "\0"],
      ["text", "a,b\r\n\t1,2\n"],
      ["of an unknown format", "a\x01"],
      ["of an unknown format", "caf\xe9"],
      ["of an unknown format", "\0\0\x02"],
      ["text", "<svgx>"],
      ["text", `${"x".repeat(1000)}<svg>\x01`],
      ["an empty file", ""],
    ];
    for (const [kind, beginning] of kinds)
      assert.equal(kindOf(latin1(beginning)), kind, JSON.stringify(beginning).slice(0, 40));
  });
});

/** GIF's LZW as its specification has it, beginning anew at `most` codes, or never. */
function deflateLzw(symbols: Uint8Array, codeBits: number, most = Number.POSITIVE_INFINITY): Uint8Array {
  const [clear, end] = [2 ** codeBits, 2 ** codeBits + 1];
  const bytes: number[] = [];
  let [held, bits] = [0n, 0];
  let width = codeBits + 1;
  const put = (code: number) => {
    held |= BigInt(code) << BigInt(bits);
    for (bits += width; bits >= 8; bits -= 8, held >>= 8n) bytes.push(Number(held & 255n));
  };
  let codes = new Map<string, number>();
  let next = 0;
  const begin = () => {
    codes = new Map(Array.from({ length: clear }, (_, i) => [String(i), i]));
    [next, width] = [end + 1, codeBits + 1];
  };
  begin();
  put(clear);
  let known = "";
  for (const symbol of symbols) {
    const longer = known === "" ? String(symbol) : `${known},${symbol}`;
    if (codes.has(longer)) {
      known = longer;
      continue;
    }
    put(codes.get(known)!);
    if (next < 4096) {
      if (next === 2 ** width) width++;
      codes.set(longer, next++);
    }
    if (next >= most) {
      put(clear);
      begin();
    }
    known = String(symbol);
  }
  if (known !== "") put(codes.get(known)!);
  put(end);
  return Uint8Array.from([...bytes, Number(held & 255n)]);
}

describe("GIF's LZW", () => {
  it("is undone for symbols of any size, up to the full table and on with it, begun anew or not", () => {
    const rng = seededRng(5);
    for (const codeBits of [2, 3, 5, 8])
      for (const [length, most] of [
        [1, undefined],
        [700, undefined],
        [700, 40 + 2 ** codeBits],
        [9000, undefined],
        [9000, 4096],
      ] as const) {
        const range = 2 ** codeBits;
        const symbols = Uint8Array.from({ length }, (_, i) =>
          i % 50 < 25 ? Math.floor(i / 7) % range : rng.integer(range),
        );
        const packed = deflateLzw(symbols, codeBits, most);
        const found = new Uint8Array(length);
        assert.equal(inflateLzw(packed, codeBits, found), length, `${codeBits} bits, ${length}, ${most}`);
        assert.deepEqual(found, symbols, `${codeBits} bits, ${length} symbols, ${most}`);
        const more = new Uint8Array(length + 5);
        assert.equal(inflateLzw(packed, codeBits, more), length, "it ends by its own code");
        assert.deepEqual(more.subarray(length), new Uint8Array(5));
        const fewer = new Uint8Array(Math.ceil(length / 2));
        assert.equal(inflateLzw(packed, codeBits, fewer), fewer.length);
        assert.deepEqual(fewer, symbols.subarray(0, fewer.length));
      }
  });

  it("with a string of its own first symbol behind it, and with codes that cannot be", () => {
    const codes = (width: number, ...values: number[]) => {
      const bits = values.reduce((sum, value, i) => sum | (BigInt(value) << BigInt(width * i)), 0n);
      return Uint8Array.from({ length: Math.ceil((values.length * width) / 8) }, (_, i) =>
        Number((bits >> BigInt(8 * i)) & 255n),
      );
    };
    const symbols = new Uint8Array(6);
    // Clear, 1, then the code that is just being made: 1 1, then again: 1 1 1.
    assert.equal(inflateLzw(codes(3, 4, 1, 6, 7), 2, symbols), 6);
    assert.deepEqual([...symbols], [1, 1, 1, 1, 1, 1]);
    assert.equal(inflateLzw(codes(3, 4, 1, 7), 2, symbols), -1, "a code further on");
    assert.equal(inflateLzw(codes(3, 4, 6), 2, symbols), -1, "nothing stands before it");
    assert.equal(inflateLzw(codes(3, 1, 2, 5), 2, symbols), 2, "no code that begins anew is needed first");
    assert.equal(inflateLzw(new Uint8Array(0), 2, symbols), 0);
  });
});

describe("parts of rasters", () => {
  it("every ink takes its share of what black leaves, rounded as Pillow rounds", () => {
    const product = (a: number, b: number) => {
      const sum = a * b + 128;
      return ((sum >> 8) + sum) >> 8; // a b / 255, rounded
    };
    const inks = new Uint8Array(4 * 65536);
    for (let i = 0; i < 65536; i++) inks.set([i & 255, (i + 85) & 255, 255 - (i & 255), i >> 8], 4 * i);
    const rgb = inksToRgb(inks);
    for (let i = 0; i < 65536; i++) {
      const light = 255 - inks[4 * i + 3];
      for (const c of [0, 1, 2])
        if (rgb[3 * i + c] !== light - product(inks[4 * i + c], light))
          assert.fail(`inks ${inks.subarray(4 * i, 4 * i + 4)}`);
    }
    assert.equal(rgb.length, 3 * 65536);
  });

  it("gray of 16 bits is cut off at 255 or halved in its bytes, a palette of grays is 0 to 255", () => {
    assert.deepEqual([...gray16ToBytes([0, 255, 256, 511, 65535], "clip")], [0, 255, 255, 255, 255]);
    assert.deepEqual([...gray16ToBytes([0, 255, 256, 511, 65535], "high-byte")], [0, 0, 1, 1, 255]);
    assert.deepEqual(
      [...grayPalette().subarray(0, 6), ...grayPalette().subarray(-3)],
      [0, 0, 0, 1, 1, 1, 255, 255, 255],
    );
  });

  it("sizes have a pixel at least and as many at most as are allowed", () => {
    expectSize(1, 1, 1);
    expectSize(4, 3, 12);
    assert.throws(
      () => expectSize(4, 3, 11),
      isLuvitError("bad-image", "4 x 3 pixels are more than the limit of 11"),
    );
    for (const [width, height] of [
      [0, 3],
      [3, 0],
      [-2, -3],
    ])
      assert.throws(
        () => expectSize(width, height, 100),
        isLuvitError("bad-image", `its size is ${width} x ${height}`),
      );
  });

  it("numbers of PNM are scaled from their largest one, halves to the even byte", () => {
    const levels = (most: number, values: number[]) => {
      const { data } = decodePnm(
        Buffer.from(`P2 ${values.length} 1 ${most} ${values.join(" ")}`),
        1e6,
        "clip",
      );
      return [...data].filter((_, i) => i % 3 === 0);
    };
    for (const most of [1, 2, 3, 10, 17, 34, 102, 170, 254, 255]) {
      const values = Array.from({ length: most + 1 }, (_, i) => i);
      const expected = values.map((value) => {
        const [down, rest] = [Math.floor((255 * value) / most), (255 * value) % most]; // in whole numbers
        if (2 * rest === most) return down + (down % 2);
        return 2 * rest > most ? down + 1 : down;
      });
      assert.deepEqual(levels(most, values), expected, `up to ${most}`);
    }
    assert.deepEqual(levels(2, [0, 1, 2]), [0, 128, 255]);
  });
});
