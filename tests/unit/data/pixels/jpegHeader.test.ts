import assert from "node:assert/strict";
import { describe, it } from "node:test";
import sharp, { type JpegOptions } from "sharp";
import { readJpegHeader } from "../../../../src/data/pixels/jpeg/header";
import { huffmanTable } from "../../../../src/data/pixels/jpeg/huffman";
import { isCmykJpeg } from "../../../../src/data/pixels/jpeg/isCmyk";
import { decodePart } from "../../../../src/data/reading/readPart";
import { paintedImage } from "../support";

const segment = (marker: number, ...body: number[]) =>
  Buffer.from([0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body]);

function jpegOf(width: number, height: number, options: JpegOptions = {}): Promise<Buffer> {
  const { data } = paintedImage(width, height, (x, y) => [(40 * x) % 256, (30 * y) % 256, (x * y) % 256]);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90, chromaSubsampling: "4:2:0", ...options })
    .toBuffer();
}

/** A directory of Exif with these entries of one number each, in either order of bytes. */
function exif(little: boolean, entries: readonly (readonly [tag: number, value: number])[], gap = 0): Buffer {
  const tiff = Buffer.alloc(8 + gap + 2 + 12 * entries.length + 4);
  const short = (value: number, at: number) =>
    little ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at);
  const long = (value: number, at: number) =>
    little ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at);
  tiff.write(little ? "II" : "MM");
  short(42, 2);
  long(8 + gap, 4);
  short(entries.length, 8 + gap);
  for (const [i, [tag, value]] of entries.entries()) {
    const at = 10 + gap + 12 * i;
    short(tag, at);
    short(3, at + 2);
    long(1, at + 4);
    short(value, at + 8);
  }
  return segment(0xe1, ...Buffer.from("Exif\0\0"), ...tiff);
}

/** With segments before all others. */
const beginning = (file: Buffer, ...segments: Buffer[]) =>
  Buffer.concat([file.subarray(0, 2), ...segments, file.subarray(2)]);

describe("the header of a JPEG file", () => {
  it("has its orientation from the first directory of Exif, in either order of bytes, wherever it lies", async () => {
    const file = await jpegOf(24, 16);
    const orientation = (...segments: Buffer[]) => readJpegHeader(beginning(file, ...segments))!.orientation;
    assert.equal(orientation(), 1);
    for (const little of [true, false])
      for (const value of [1, 3, 6, 8]) {
        assert.equal(orientation(exif(little, [[0x112, value]])), value);
        const more = [
          [0x10f, 9],
          [0x112, value],
          [0x128, 2],
        ] as const;
        assert.equal(orientation(exif(little, more, 6)), value);
        assert.equal(orientation(exif(little, [[0x113, value]])), 1, "another tag");
      }
    const cut = exif(true, [[0x112, 6]]);
    cut.writeUInt32LE(1000, 4 + 6 + 4);
    assert.equal(orientation(cut), 1, "a directory beyond the segment");
    const other = exif(true, [[0x112, 6]]);
    other.write("Exif\0\x01", 4);
    assert.equal(orientation(other), 1, "something else of that marker");
    const six = exif(true, [[0x112, 6]]);
    assert.equal(orientation(six, other), 6, "XMP behind it");
    assert.equal(orientation(other, six), 6, "XMP before it");
    assert.equal(orientation(six, exif(true, [[0x112, 3]])), 6, "the first of two");
  });

  it("may have quantization steps of 16 bits, several tables in a segment, and bytes that fill up", async () => {
    const file = await jpegOf(33, 21);
    const tables: number[][] = [];
    let rest = file.subarray(2);
    const others: Buffer[] = [];
    while (rest[1] !== 0xda) {
      const length = 2 + rest.readUInt16BE(2);
      if (rest[1] === 0xdb)
        for (let at = 4; at < length; at += 65) tables.push([...rest.subarray(at, at + 65)]);
      else others.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    assert.equal(tables.length, 2);
    const wide = tables.flatMap(([slot, ...steps]) => [0x10 | slot, ...steps.flatMap((step) => [0, step])]);
    const expected = await sharp(file).raw().toBuffer();
    const box = { left: 0, top: 0, width: 33, height: 21 };
    for (const [body, what] of [
      [tables.flat(), "8 bits"],
      [wide, "16 bits"],
    ] as const) {
      const changed = Buffer.concat([
        file.subarray(0, 2),
        segment(0xdb, ...body),
        Buffer.from([255, 255]),
        ...others,
        segment(0xfe, 1, 2, 3),
        rest,
      ]);
      assert.deepEqual(Buffer.from(decodePart(changed, box)!.data), expected, what);
    }
    const [huge] = [Buffer.concat([file.subarray(0, 2), segment(0xdb, 0x20, ...tables[0].slice(1)), rest])];
    assert.equal(readJpegHeader(huge), undefined);
    const slot = Buffer.concat([
      file.subarray(0, 2),
      segment(0xdb, 4, ...tables[0].slice(1)),
      ...others,
      rest,
    ]);
    assert.equal(readJpegHeader(slot), undefined, "there are four slots");
  });

  it("says the restart interval and where the coded data begin, and is read of extended files too", async () => {
    const file = await jpegOf(24, 16);
    const scan = file.indexOf(Buffer.of(0xff, 0xda));
    const header = readJpegHeader(file)!;
    assert.deepEqual(
      [header.width, header.height, header.restartInterval, header.dataStart],
      [24, 16, 0, scan + 2 + file.readUInt16BE(scan + 2)],
    );
    assert.deepEqual(
      header.components.map(({ h, v }) => [h, v]),
      [
        [2, 2],
        [1, 1],
        [1, 1],
      ],
    );
    assert.equal(readJpegHeader(beginning(file, segment(0xdd, 1, 2)))!.restartInterval, 258);
    assert.equal(readJpegHeader(beginning(file, segment(0xdd, 1))), undefined);
    const frame = file.indexOf(Buffer.of(0xff, 0xc0));
    const extended = Buffer.from(file);
    extended[frame + 1] = 0xc1;
    assert.equal(readJpegHeader(extended)!.width, 24);
    const deep = Buffer.from(file);
    deep[frame + 4] = 12;
    assert.equal(readJpegHeader(deep), undefined, "of 12 bits");
    assert.equal(readJpegHeader(beginning(file, segment(0xcc, 0, 0))), undefined, "arithmetic coding");
    for (const at of [frame + 5, frame + 7]) {
      const empty = Buffer.from(file);
      empty.writeUInt16BE(0, at);
      assert.equal(readJpegHeader(empty), undefined, "no pixels");
    }
  });

  it("leaves images to others that are too narrow for triangular chroma, and reads the next wider ones", async () => {
    for (let width = 1; width <= 9; width++) {
      const file = await jpegOf(width, 7);
      const part = decodePart(file, { left: 0, top: 0, width, height: 7 });
      assert.equal(part !== undefined, width > 4, `${width} wide`);
      if (part) assert.deepEqual(Buffer.from(part.data), await sharp(file).raw().toBuffer(), `${width} wide`);
      const full = await jpegOf(width, 7, { chromaSubsampling: "4:4:4" });
      assert.deepEqual(
        Buffer.from(decodePart(full, { left: 0, top: 0, width, height: 7 })!.data),
        await sharp(full).raw().toBuffer(),
      );
    }
  });
});

it("tables of the same definition for constant parts and for waves are not taken for each other", () => {
  const definition = Uint8Array.from([2, ...Array<number>(15).fill(0), 0, 4]);
  const [dc, ac] = [huffmanTable(definition, "dc")!, huffmanTable(definition, "ac")!];
  assert.notDeepEqual(dc, ac);
  assert.equal(huffmanTable(definition.slice(), "dc"), dc);
  assert.equal(huffmanTable(definition.slice(), "ac"), ac);
  const other = huffmanTable(Uint8Array.from([2, ...Array<number>(15).fill(0), 0, 5]), "ac");
  assert.notDeepEqual(other, ac);
});

describe("a JPEG file of four inks", () => {
  const frame = (marker: number, components: number) =>
    segment(marker, 8, 0, 1, 0, 1, components, ...Array<number>(3 * components).fill(0));
  const start = Buffer.from([0xff, 0xd8]);

  it("is known by the number of components of its frame, of whichever kind", () => {
    for (let marker = 0xc0; marker <= 0xcf; marker++) {
      const isFrame = ![0xc4, 0xc8, 0xcc].includes(marker);
      for (const components of [1, 3, 4])
        assert.equal(
          isCmykJpeg(Buffer.concat([start, segment(0xe0, 1, 2), frame(marker, components)])),
          isFrame && components === 4,
          `${marker.toString(16)} ${components}`,
        );
      if (!isFrame)
        assert.ok(isCmykJpeg(Buffer.concat([start, frame(marker, 3), frame(0xc0, 4)])), "it is passed over");
    }
  });

  it("is read behind filled-up markers, not behind the scan, and also in the middle of other bytes", () => {
    const filled = Buffer.concat([start, Buffer.from([255, 255, 255]), frame(0xc2, 4)]);
    assert.ok(isCmykJpeg(filled));
    const within = new Uint8Array(filled.length + 9).fill(7);
    within.set(filled, 5);
    assert.ok(isCmykJpeg(within.subarray(5, 5 + filled.length)));
    assert.ok(!isCmykJpeg(Buffer.concat([start, segment(0xda, 0), frame(0xc0, 4)])));
    assert.ok(!isCmykJpeg(Buffer.concat([Buffer.from([0xff, 0xd9]), frame(0xc0, 4)])));
    for (const length of [0, 3, 4, 9])
      assert.ok(!isCmykJpeg(Buffer.concat([start, frame(0xc0, 4)]).subarray(0, length)), `${length} bytes`);
  });
});
