import { test } from "node:test";
import { PixelMemory } from "../../../../../src/data/pixels";
import { decodeJpeg } from "../../../../../src/data/pixels/jpeg/decodeJpeg";
import { naturalOrder, readJpegHeader } from "../../../../../src/data/pixels/jpeg/header";
import { huffmanTable } from "../../../../../src/data/pixels/jpeg/huffman";
import { isCmykJpeg } from "../../../../../src/data/pixels/jpeg/isCmyk";
import { placeBytes } from "../../../../../src/data/pixels/jpeg/placedFile";
import { extendEdges, takePlane } from "../../../../../src/data/pixels/jpeg/planes";
import { Calls } from "../../../../support/calls";

const two = (value: number) => [value >> 8, value & 255];
const segment = (marker: number, body: readonly number[]) => [0xff, marker, ...two(body.length + 2), ...body];
const text = (value: string) => [...Buffer.from(value, "latin1")];

/** Codes of lengths 1 and 2, then those of `more`. */
const lengths = (...more: readonly number[]) => [...more, ...Array(16 - more.length).fill(0)];
const steps = (slot: number, first = 1) => [slot, ...Array.from({ length: 64 }, (_, i) => first + i)];
const wideSteps = (slot: number) => [
  0x10 | slot,
  ...Array.from({ length: 64 }, (_, i) => two(300 + i)).flat(),
];
/** DC: symbols 0 … 2 by codes 0, 10, 110. AC: an end of block, and one of size 1. */
const dc = (slot: number) => [slot, ...lengths(1, 1, 1), 0, 1, 2];
const ac = (slot: number) => [0x10 | slot, ...lengths(1, 1), 0x00, 0x01];
const frame = (width: number, height: number, parts: readonly (readonly number[])[], precision = 8) => [
  ...[precision, ...two(height), ...two(width), parts.length],
  ...parts.flat(),
];
const scan = (parts: readonly (readonly number[])[], end: readonly number[] = [0, 63, 0]) => [
  parts.length,
  ...parts.flat(),
  ...end,
];

const gray = [[1, 0x11, 0]];
const color = (factors = 0x22) => [
  [1, factors, 0],
  [2, 0x11, 1],
  [3, 0x11, 1],
];
const colorScan = [
  [1, 0x00],
  [2, 0x11],
  [3, 0x11],
];
const tables = [
  ...segment(0xdb, [...steps(0), ...steps(1, 3)]),
  ...segment(0xc4, [...dc(0), ...ac(0), ...dc(1), ...ac(1)]),
];

interface Parts {
  readonly before?: readonly number[];
  readonly tables?: readonly number[];
  readonly marker?: number;
  readonly frame?: readonly number[];
  readonly between?: readonly number[];
  readonly scan?: readonly number[];
  readonly data?: readonly number[];
}

const jpeg = (parts: Parts = {}) =>
  Buffer.from([
    ...[0xff, 0xd8],
    ...(parts.before ?? []),
    ...(parts.tables ?? tables),
    ...segment(parts.marker ?? 0xc0, parts.frame ?? frame(17, 9, color())),
    ...(parts.between ?? []),
    ...segment(0xda, parts.scan ?? scan(colorScan)),
    ...(parts.data ?? [0, 0, 0xff, 0xd9]),
  ]);

const exif = (little: boolean, orientation: number, more: readonly number[] = []) => {
  const short = (value: number) => (little ? two(value).reverse() : two(value));
  const entry = (tag: number, value: number) => [
    ...short(tag),
    ...short(3),
    ...(little ? [1, 0, 0, 0] : [0, 0, 0, 1]),
    ...short(value),
    0,
    0,
  ];
  return segment(0xe1, [
    ...text("Exif\0\0"),
    ...(little ? [...text("II*\0"), 8, 0, 0, 0] : [...text("MM\0*"), 0, 0, 0, 8]),
    ...[...short(2), ...entry(0x0100, 7), ...entry(0x0112, orientation), ...more],
  ]);
};

test("headers of JPEG files, segment by segment", async () => {
  const calls = new Calls();
  const read = (what: string, parts: Parts) =>
    calls.does(what, () => {
      const header = readJpegHeader(jpeg(parts));
      return (
        header && {
          ...header,
          components: header.components.map(({ quantization, ...one }) => ({
            ...one,
            steps: quantization.subarray(0, 12),
          })),
        }
      );
    });
  const grayFile = { frame: frame(17, 9, gray), scan: scan([[1, 0x00]]) };
  await read("color", {});
  await read("gray", grayFile);
  await read("gray of other factors", { ...grayFile, frame: frame(17, 9, [[1, 0x21, 0]]) });
  await read("gray by another name", { frame: frame(3, 2, [[9, 0x11, 1]]), scan: scan([[9, 0x11]]) });
  for (const factors of [0x11, 0x21, 0x22, 0x12, 0x41, 0x44])
    await read(`factors ${factors.toString(16)}`, { frame: frame(17, 9, color(factors)) });
  for (const width of [1, 4, 5])
    for (const factors of [0x11, 0x22])
      await read(`${width} wide, factors ${factors.toString(16)}`, {
        frame: frame(width, 9, color(factors)),
      });
  await read("no width", { frame: frame(0, 9, color()) });
  await read("no height", { frame: frame(9, 0, color()) });
  await read("12 bits", { frame: frame(9, 9, color(), 12) });
  await read("two components", { frame: frame(9, 9, color().slice(1)), scan: scan(colorScan.slice(1)) });
  await read("four components", {
    frame: frame(9, 9, [...color(), [4, 0x11, 0]]),
    scan: scan([...colorScan, [4, 0]]),
  });
  await read("chroma of other factors", {
    frame: frame(9, 9, [
      [1, 0x22, 0],
      [2, 0x21, 1],
      [3, 0x11, 1],
    ]),
  });
  for (const marker of [0xc1, 0xc2, 0xc3, 0xc9]) await read(`frame ${marker.toString(16)}`, { marker });
  await read("a frame cut short", { frame: frame(9, 9, color()).slice(0, -1) });
  await read("two frames", { between: segment(0xc0, frame(9, 9, color())) });
  await read("steps of 16 bits", {
    tables: [...segment(0xdb, [...wideSteps(0), ...steps(1)]), ...tables.slice(134)],
  });
  await read("no steps", { tables: tables.slice(134) });
  await read("steps in slot 4", { before: segment(0xdb, steps(4)) });
  await read("steps of a third precision", { before: segment(0xdb, steps(0x20)) });
  await read("steps cut short", { before: segment(0xdb, steps(0).slice(0, -1)) });
  await read("no codes", { tables: segment(0xdb, [...steps(0), ...steps(1)]) });
  await read("codes in slot 4", { before: segment(0xc4, dc(4)) });
  await read("codes of a third kind", { before: segment(0xc4, dc(0x20)) });
  await read("codes cut short", { before: segment(0xc4, dc(0).slice(0, -1)) });
  await read("restarts", { between: segment(0xdd, two(300)) });
  await read("restarts of one byte", { between: segment(0xdd, [1]) });
  await read("restarts of three bytes", { between: segment(0xdd, [1, 2, 3]) });
  const names = (first: number) => ({
    frame: frame(9, 9, [
      [first, 0x11, 0],
      [2, 0x11, 1],
      [3, 0x11, 1],
    ]),
    scan: scan([[first, 0], ...colorScan.slice(1)]),
  });
  await read("names of no colors", names(7));
  await read("names of no colors in JFIF", { ...names(7), before: segment(0xe0, text("JFIF\0\x01\x01")) });
  for (const transform of [0, 1, 2]) {
    const adobe = segment(0xee, [...text("Adobe"), 0, 100, 0, 0, 0, 0, transform]);
    await read(`Adobe ${transform}`, { before: adobe });
    await read(`JFIF and Adobe ${transform}`, {
      before: [...segment(0xe0, text("JFIF\0\x01\x01")), ...adobe],
    });
  }
  await read("a comment and others", {
    before: [...segment(0xfe, text("hi")), ...segment(0xef, [1]), ...segment(0xe2, [])],
  });
  await read("an unknown segment", { before: segment(0xf0, [1]) });
  await read("filled up", { before: [0xff, 0xff, 0xff] });
  await read("something between", { before: [0x00] });
  for (const little of [true, false])
    for (const orientation of [1, 6, 8])
      await read(`turned ${orientation}, ${little}`, { before: exif(little, orientation) });
  await read("Exif cut short", { before: exif(true, 6).slice(0, 20) });
  await read("Exif of nothing", { before: segment(0xe1, text("Exif\0\0II*\0")) });
  await read("Exif of another name", { before: segment(0xe1, text("http://ns.adobe.com/xap/1.0/\0")) });
  await read("a scan of one", { scan: scan([[1, 0]]) });
  await read("a scan of other names", {
    scan: scan([
      [1, 0],
      [3, 0x11],
      [2, 0x11],
    ]),
  });
  await read("a scan of missing codes", {
    scan: scan([
      [1, 0x02],
      [2, 0x11],
      [3, 0x11],
    ]),
  });
  for (const end of [
    [1, 63, 0],
    [0, 62, 0],
    [0, 63, 1],
  ])
    await read(`a scan of ${end}`, { scan: scan(colorScan, end) });
  await read("a scan cut short", { scan: scan(colorScan).slice(0, -1) });
  const whole = jpeg();
  for (const length of [0, 2, 3, 4, 20, whole.length - 5, whole.length - 4])
    await calls.does(
      `${length - whole.length} bytes`,
      () => readJpegHeader(whole.subarray(0, length))?.dataStart,
    );
  await calls.does("another beginning", () => readJpegHeader(Buffer.concat([Buffer.of(0), whole])));
  calls.note("order", naturalOrder);
  for (const components of [1, 3, 4])
    for (const marker of [0xc0, 0xc2, 0xc4, 0xc8, 0xcc, 0xcf, 0xbf])
      await calls.does(`isCmykJpeg of ${components} in ${marker.toString(16)}`, () =>
        isCmykJpeg(
          jpeg({
            marker,
            tables: [],
            before: exif(true, 1),
            frame: frame(9, 9, [...color(), [4, 0x11, 0]].slice(0, components)),
          }),
        ),
      );
  await calls.does("isCmykJpeg filled up", () =>
    isCmykJpeg(jpeg({ before: [0xff, 0xff], tables: [], frame: frame(9, 9, [...color(), [4, 0x11, 0]]) })),
  );
  await calls.does("isCmykJpeg behind a scan", () =>
    isCmykJpeg(
      Buffer.from([
        0xff,
        0xd8,
        ...segment(0xda, [1, 2]),
        ...segment(0xc0, frame(9, 9, [...color(), [4, 0x11, 0]])),
      ]),
    ),
  );
  for (const bytes of [[], [0xff, 0xd8], [0xff, 0xd8, 0xff], [1, 2, 3, 4, 5]])
    await calls.of(isCmykJpeg, Uint8Array.from(bytes));
  calls.approve("data/pixels/JPEG headers");
});

/** Bits, filled up with ones, with a zero behind each 255. */
function coded(bits: string): number[] {
  const full = bits.padEnd(8 * Math.ceil(bits.length / 8), "1");
  const bytes = Array.from({ length: full.length / 8 }, (_, i) =>
    Number.parseInt(full.slice(8 * i, 8 * i + 8), 2),
  );
  return bytes.flatMap((byte) => (byte === 255 ? [255, 0] : [byte]));
}

test("codes and pixels of JPEG files", async () => {
  const calls = new Calls();
  const table = (what: string, kind: "dc" | "ac", counts: readonly number[], symbols: readonly number[]) =>
    calls.does(`${kind}: ${what}`, () => {
      const made = huffmanTable(Uint8Array.from([...lengths(...counts), ...symbols]), kind);
      return (
        made && [
          made.length,
          made.subarray(0, 1024).slice(),
          made.subarray(1024, 2048).slice(),
          made.subarray(2048).slice(),
        ]
      );
    });
  for (const kind of ["dc", "ac"] as const) {
    await table("none", kind, [], []);
    await table("one code", kind, [1], [3]);
    await table("three codes", kind, [1, 1, 1], [0, 1, 2]);
    await table("as many as there can be", kind, [2], [0, 1]);
    await table("too many", kind, [3], [0, 1, 2]);
    await table("too many longer ones", kind, [1, 3], [0, 1, 2, 3]);
    await table(
      "runs",
      kind,
      [0, 2, 3],
      [0x00, 0xf0, 0x11, 0x21, 0x35].map((symbol) => (kind === "dc" ? symbol & 15 : symbol)),
    );
    await table("large values", kind, [1, 1, 1], [0, 10, 15]);
    await table(
      "codes of 11 and 16 bits",
      kind,
      [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3],
      [0, 1, 2, 3, 4, 5, 6],
    );
  }
  await table("symbols above 15", "dc", [1, 1], [15, 16]);
  const decode = (
    what: string,
    file: Buffer,
    box: { left: number; top: number; width: number; height: number },
  ) =>
    calls.does(what, () =>
      PixelMemory.use((memory) => {
        const part = decodeJpeg(memory, placeBytes(memory, file), readJpegHeader(file)!, box);
        if (!part) return undefined;
        return Array.from({ length: part.height }, (_, y) =>
          memory.bytes(part.address + y * part.line, 3 * part.width).slice(),
        );
      }),
    );
  // Blocks of gray: a difference of 3 (size 2), or of -1 (size 1), or none, and one wave of the first column.
  const blocks = ["110110", "1000", "00", "11001110", "0100", "1010"];
  const grayOf = (data: readonly number[], more: Parts = {}) =>
    jpeg({
      tables: [...segment(0xdb, steps(0, 16)), ...segment(0xc4, [...dc(0), ...ac(0)])],
      frame: frame(20, 13, gray),
      scan: scan([[1, 0]]),
      data: [...data, 0xff, 0xd9],
      ...more,
    });
  const whole = { left: 0, top: 0, width: 20, height: 13 };
  // Codes: DC 0, 10 + 1 bit, 110 + 2 bits; AC 0 ends, 10 + 1 bit is a wave.
  const good = ["110110", "1000", "00", "110111010", "00", "1010"].join("");
  await decode("gray", grayOf(coded(good)), whole);
  await decode("a part of gray", grayOf(coded(good)), { left: 15, top: 7, width: 5, height: 6 });
  await decode("gray without its last block", grayOf(coded(good.slice(0, -12))), whole);
  await decode("gray without its end", grayOf(coded(good), { data: coded(good) }), whole);
  await decode("gray and bytes behind", grayOf([...coded(good), 0xff, 0xd9, 1, 2]), whole);
  const restarts = segment(0xdd, two(2));
  const stretches = [blocks.slice(0, 2), ["00", "00"], ["00", "1010"]].map((some) => coded(some.join("")));
  const restarted = (markers: readonly number[]) =>
    stretches.flatMap((some, i) => (i === 0 ? some : [0xff, markers[i - 1], ...some]));
  await decode("gray with restarts", grayOf(restarted([0xd0, 0xd1]), { between: restarts }), whole);
  await decode(
    "gray with restarts in another order",
    grayOf(restarted([0xd1, 0xd0]), { between: restarts }),
    whole,
  );
  await decode("gray with a restart missing", grayOf(stretches[0], { between: restarts }), whole);
  // One MCU of 4:2:0: four blocks of luma, one of each chroma.
  const colors = ["110110", "00", "00", "1000", "110110", "110000"].join("");
  await decode(
    "color",
    jpeg({
      tables: [...segment(0xdb, [...steps(0, 40), ...steps(1, 60)]), ...tables.slice(134)],
      frame: frame(13, 11, color()),
      data: [...coded(colors), 0xff, 0xd9],
    }),
    { left: 0, top: 0, width: 13, height: 11 },
  );
  for (const factors of [0x11, 0x21]) {
    const mcu = factors === 0x11 ? ["110110", "1010", "110000"] : ["110110", "1000", "1010", "110000"];
    const size = { left: 0, top: 0, width: factors === 0x11 ? 7 : 14, height: 5 };
    await decode(
      `color of factors ${factors.toString(16)}`,
      jpeg({
        tables: [...segment(0xdb, [...steps(0, 40), ...steps(1, 60)]), ...tables.slice(134)],
        frame: frame(size.width, 5, color(factors)),
        data: [...coded(mcu.join("")), 0xff, 0xd9],
      }),
      size,
    );
  }
  await decode(
    "a size that the bytes do not bear out",
    grayOf(coded(good), { frame: frame(2000, 2000, gray) }),
    { left: 0, top: 0, width: 1, height: 1 },
  );
  await calls.does("planes and their edges", () => {
    const memory = new PixelMemory();
    const header = readJpegHeader(jpeg())!;
    const range = { left: 0, right: 1, top: 0, bottom: 0 };
    return header.components.map((component) => {
      const plane = takePlane(memory, component, range);
      const samples = memory.bytes(plane.address - 1, plane.stride * 8);
      samples.set(Array.from({ length: samples.length }, (_, i) => i % 251));
      extendEdges(memory, plane, header, range);
      return [plane.stride, samples.slice()];
    });
  });
  calls.approve("data/pixels/JPEG codes");
});
