import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { createMemory } from "../../../../src/core/wasm/binary";
import type { BuiltInTransform } from "../../../../src/data/imageTransform";
import { applyStepsInto, PixelMemory, placedNumbers } from "../../../../src/data/pixels";
import { type DecodeOptions, decodeImage } from "../../../../src/data/reading/decode";
import { readPart } from "../../../../src/data/reading/readPart";
import * as transforms from "../../../../src/data/transforms";
import { isLuvitError, paintedImage } from "../support";

const [width, height] = [6, 4];
const painted = paintedImage(width, height, (x, y) => [40 * x, 60 * y, 255 - 20 * x]);
const image = sharp(painted.data, { raw: { width, height, channels: 3 } });
const turnedBy = (orientation: number) => image.clone().withMetadata({ orientation });

/** 24 bits per pixel from the lowest row up, blue first; rows filled up to four bytes. */
function bmp(): Buffer {
  const [stride, start] = [20, 54];
  const file = Buffer.alloc(start + stride * height);
  file.write("BM", "latin1");
  for (const [at, value] of [
    [10, start],
    [14, 40],
    [18, width],
    [22, height],
    [28, 24],
  ])
    file.writeUInt32LE(value, at);
  for (let y = 0; y < height; y++)
    for (let i = 0; i < 3 * width; i++)
      file[start + (height - 1 - y) * stride + i] =
        painted.data[3 * (y * width + Math.floor(i / 3)) + 2 - (i % 3)];
  return file;
}

const filesOf = async () => ({
  JPEG: await image.clone().jpeg().toBuffer(),
  "progressive JPEG": await image.clone().jpeg({ progressive: true }).toBuffer(),
  PNG: await image.clone().png().toBuffer(),
  WebP: await image.clone().webp({ lossless: true }).toBuffer(),
  TIFF: await image.clone().tiff({ compression: "lzw" }).toBuffer(),
  GIF: await image.clone().gif().toBuffer(),
  BMP: bmp(),
  PPM: Buffer.concat([Buffer.from(`P6 ${width} ${height} 255\n`), painted.data]),
});

describe("an image of any format", () => {
  it("is read up to the count of pixels that is allowed, and refused by one less", async () => {
    for (const [name, file] of Object.entries(await filesOf())) {
      const found = await decodeImage(file, { maxPixels: 24 });
      assert.deepEqual([found.width, found.height, found.data.length], [6, 4, 72], name);
      if (["PNG", "WebP", "TIFF", "BMP", "PPM"].includes(name))
        assert.deepEqual(Buffer.from(found.data), Buffer.from(painted.data), name);
      await assert.rejects(
        decodeImage(file, { maxPixels: 23 }),
        isLuvitError("bad-image", "limit of 23; give a larger maxPixels to read it"),
        name,
      );
    }
  });

  it("is turned by what its camera wrote unless that is to be ignored; TIFF files always are", async () => {
    const files = {
      JPEG: await turnedBy(6).jpeg().toBuffer(),
      PNG: await turnedBy(6).png().toBuffer(),
      WebP: await turnedBy(6).webp({ lossless: true }).toBuffer(),
      TIFF: await turnedBy(6).tiff({ compression: "lzw" }).toBuffer(),
    };
    for (const [name, file] of Object.entries(files)) {
      const sizes = await Promise.all(
        [{}, { exif: "honor" } as const, { exif: "ignore" } as const].map(async (options) => {
          const found = await decodeImage(file, options);
          if (name !== "JPEG") {
            // The upper left corner goes to the upper right one.
            const at = found.width === 4 ? 3 * 3 : 0;
            assert.deepEqual([...found.data.subarray(at, at + 3)], [0, 0, 255], name);
          }
          return [found.width, found.height];
        }),
      );
      const upright = [4, 6];
      assert.deepEqual(sizes, [upright, upright, name === "TIFF" ? upright : [6, 4]], name);
    }
  });
});

test("what a decoder says again and again stands once in the message, on one line", async () => {
  const file = await image.clone().jpeg().toBuffer();
  for (const length of [40, 60, 100]) {
    const { message } = (await decodeImage(file.subarray(0, length)).catch((error: Error) => error)) as Error;
    const [, reason] = /^\d+ bytes in memory: cannot be decoded \((.+)\)$/.exec(message) ?? [];
    const sentences = reason.split("; ");
    assert.equal(new Set(sentences).size, sentences.length, message);
  }
});

/** Markers before the end that belong to no restart: libjpeg passes over them, the decoder of parts leaves the file to it. */
const leftToOthers = (file: Buffer) =>
  Buffer.concat([file.subarray(0, -2), Buffer.of(0xff, 0xd0), file.subarray(-2)]);

describe("an image read for a transform in a thread", () => {
  const [wide, high] = [90, 70];
  const photograph = paintedImage(wide, high, (x, y) => [(3 * x + y) & 255, (x * y) & 255, (5 * y) & 255]);
  const large = sharp(photograph.data, { raw: { width: wide, height: high, channels: 3 } });

  async function expectSame(name: string, file: Buffer, transform: BuiltInTransform, isBytes: boolean) {
    const length = 3 * transform.size ** 2;
    const options: DecodeOptions = { exif: "ignore" };
    const decoded = await decodeImage(file, options);
    const expected = isBytes ? new Uint8Array(length) : new Float32Array(length);
    applyStepsInto(expected, transform.steps, decoded, new Rng(11));
    const room = { memory: createMemory(2 ** 20, true), start: 4 * length, end: 4 * length + 40_000 };
    for (const memory of [new PixelMemory(4 * length), new PixelMemory(0, room)]) {
      const place = { memory, address: 0, length, isBytes };
      await readPart({ name, content: new Uint8Array(file) }, options, transform.steps, 11, place);
      assert.deepEqual(placedNumbers(place).slice(), expected, `${name} for ${transform.name}`);
    }
  }

  it("draws the same crop from its seed whichever way its file is read, with room to work or without", async () => {
    const baseline = await large.clone().jpeg({ quality: 90 }).toBuffer();
    const files = {
      baseline,
      "left to others behind its crop": leftToOthers(baseline),
      progressive: await large.clone().jpeg({ progressive: true }).toBuffer(),
      png: await large.clone().png().toBuffer(),
    };
    for (const [name, file] of Object.entries(files)) {
      for (const transform of [transforms.mae(16), transforms.finetune(16), transforms.segment(16)])
        await expectSame(name, file, transform, false);
      await expectSame(name, file, transforms.mae(16), true);
    }
  });
});
