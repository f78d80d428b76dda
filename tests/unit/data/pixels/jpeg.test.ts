import assert from "node:assert/strict";
import { describe, it } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { naturalOrder, readJpegHeader } from "../../../../src/data/pixels/jpeg/header";
import { cropBox } from "../../../../src/data/pixels/resample";
import { decodePart } from "../../../../src/data/reading/readPart";
import { paintedImage } from "../support";

const rng = new Rng(0);
const photograph = paintedImage(151, 117, (x, y) => [
  (90 + 60 * Math.sin(x / 9) + rng.integer(40)) & 255,
  (x + y) & 255,
  (y * 2 + rng.integer(30)) & 255,
]);
const raw = { raw: { width: 151, height: 117, channels: 3 } } as const;
const whole = { left: 0, top: 0, width: 151, height: 117 };

type Options = Parameters<ReturnType<typeof sharp>["jpeg"]>[0];
const jpegOf = (options: Options) => sharp(photograph.data, raw).jpeg(options).toBuffer();
const bySharp = async (file: Buffer) => ({ ...whole, data: await sharp(file).raw().toBuffer() });

/** A file in which the numbers 0 and 1 of some tables are exchanged. */
function renumbered(file: Buffer, { dc, ac, quantization }: Record<"dc" | "ac" | "quantization", number>) {
  const other = Buffer.from(file);
  for (let at = 2; ; at += 2 + other.readUInt16BE(at + 2)) {
    const [marker, body, end] = [other[at + 1], at + 4, at + 2 + other.readUInt16BE(at + 2)];
    if (marker === 0xdb) for (let i = body; i < end; i += 65) other[i] ^= quantization;
    if (marker === 0xc0) for (let i = 0; i < other[body + 5]; i++) other[body + 8 + 3 * i] ^= quantization;
    if (marker === 0xc4) {
      for (let i = body; i < end; ) {
        const symbols = other.subarray(i + 1, i + 17).reduce((sum, count) => sum + count, 0);
        other[i] ^= other[i] >> 4 === 0 ? dc : ac;
        i += 17 + symbols;
      }
    }
    if (marker !== 0xda) continue;
    for (let i = 0; i < other[body]; i++) other[body + 2 + 2 * i] ^= (dc << 4) | ac;
    return other;
  }
}

const kinds: Options[] = [
  { quality: 92, chromaSubsampling: "4:2:0" },
  { quality: 75, chromaSubsampling: "4:4:4" },
  { quality: 30, chromaSubsampling: "4:2:0", optimizeCoding: false },
  { quality: 100, chromaSubsampling: "4:4:4", optimizeCoding: false },
  { quality: 3, chromaSubsampling: "4:2:0" },
];

describe("the decoder for baseline JPEG files", () => {
  it("gives sharp's pixels, whole and in every part", async () => {
    for (const options of kinds) {
      const file = await jpegOf(options);
      const expected = await bySharp(file);
      assert.deepEqual(Buffer.from(decodePart(file, whole)!.data), expected.data, JSON.stringify(options));
      for (let i = 0; i < 40; i++) {
        const [left, top] = [rng.integer(151), rng.integer(117)];
        const box = { left, top, width: 1 + rng.integer(151 - left), height: 1 + rng.integer(117 - top) };
        const part = decodePart(file, box)!;
        assert.deepEqual(
          Buffer.from(part.data),
          Buffer.from(cropBox(expected, box).data),
          JSON.stringify(box),
        );
      }
    }
  });

  it("finds each component's tables by their numbers, whichever those are", async () => {
    const file = await jpegOf({ quality: 60, optimizeCoding: true });
    for (const [dc, ac, quantization] of [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]) {
      const other = renumbered(file, { dc, ac, quantization });
      const expected = await bySharp(other);
      assert.deepEqual(expected.data, (await bySharp(file)).data, "it is the same image");
      assert.deepEqual(Buffer.from(decodePart(other, whole)!.data), expected.data);
    }
  });

  it("passes over bytes that fill up before a marker, as many as there are", async () => {
    const file = await jpegOf({ quality: 60 });
    for (const count of [1, 2, 20]) {
      const filled = Buffer.concat([file.subarray(0, -2), Buffer.alloc(count, 255), file.subarray(-2)]);
      const expected = await bySharp(filled);
      assert.deepEqual(Buffer.from(decodePart(filled, whole)!.data), expected.data);
    }
  });

  it("reads gray images", async () => {
    const file = await sharp(photograph.data, raw).grayscale().jpeg().toBuffer();
    const expected = await sharp(file).toColorspace("srgb").raw().toBuffer();
    assert.deepEqual(Buffer.from(decodePart(file, whole)!.data), expected);
  });

  it("leaves other files to others: progressive ones, four colors, other formats", async () => {
    const { data } = photograph;
    const others = await Promise.all([
      jpegOf({ progressive: true }),
      sharp(data, raw).toColorspace("cmyk").jpeg().toBuffer(),
      sharp(data, raw).png().toBuffer(),
    ]);
    for (const file of [...others, Buffer.alloc(0), Buffer.from([0xff, 0xd8])]) {
      assert.equal(decodePart(file, whole), undefined);
    }
  });

  it("leaves truncated files to others, wherever they end, also when the part lies before the end", async () => {
    const file = await jpegOf({ quality: 80 });
    const corner = { left: 0, top: 0, width: 8, height: 8 };
    for (let length = 0; length < file.length; length += 97) {
      assert.equal(decodePart(file.subarray(0, length), whole), undefined, `${length} bytes`);
      assert.equal(decodePart(file.subarray(0, length), corner), undefined, `${length} bytes`);
    }
  });

  it("survives files with any bytes changed, and claims of size that the data do not bear out", async () => {
    const file = await jpegOf({ quality: 60 });
    for (let i = 0; i < 3000; i++) {
      const broken = Buffer.from(file);
      for (let k = 0; k <= i % 3; k++) broken[rng.integer(i % 2 ? 700 : file.length)] = rng.integer(256);
      const header = readJpegHeader(broken);
      if (!header) continue;
      const { width, height } = header;
      const part = decodePart(broken, { left: 0, top: 0, width, height });
      if (part) assert.equal(part.data.length, 3 * width * height);
    }
    const frame = file.indexOf(Buffer.from([0xff, 0xc0]));
    const huge = Buffer.from(file);
    huge.writeUInt32BE(0xffffffff, frame + 5);
    assert.equal(decodePart(huge, { left: 0, top: 0, width: 65535, height: 65535 }), undefined);
  });

  it("knows the zigzag", () => {
    assert.deepEqual(naturalOrder.slice(0, 10), [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]);
    assert.deepEqual(naturalOrder.slice(-3), [55, 62, 63]);
  });
});
