import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { PixelMemory } from "../../../../src/data/pixels";
import { decodeImage, maxImagePixels } from "../../../../src/data/reading/decode";
import { tiffReading } from "../../../../src/data/reading/formats/tiff";
import type { TiffLayout } from "../../../../src/data/reading/formats/tiffDirectory";
import { hereReader, readingInto } from "../../../../src/data/reading/imageReader";
import { PixelCache } from "../../../../src/data/reading/pixelCache";
import { decodePart, decodeWhole, readPart } from "../../../../src/data/reading/readPart";
import * as transforms from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../support";
import { painted } from "./support";

test("decoding by options, names and what is wrong", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const png = await painted(3, 2, 3).png().toBuffer();
  const turned = await painted(3, 2, 3).withMetadata({ orientation: 6 }).png().toBuffer();
  const clear = await painted(3, 2, 4).png().toBuffer();
  const gray = await painted(3, 2, 1).png().toBuffer();
  const palette = await painted(3, 2, 3).png({ palette: true, colors: 4, dither: 0 }).toBuffer();
  const inks = await sharp(Uint8Array.of(10, 200, 77, 100), { raw: { width: 1, height: 1, channels: 4 } })
    .toColorspace("cmyk")
    .tiff()
    .toBuffer();
  const deep = Buffer.from("P5 3 1 65535\n\x00\xff\x01\x00\xfe\xdc", "latin1");
  const path = join(folder, "bild é.png");
  writeFileSync(path, png);
  await calls.does("bytes", () => decodeImage(png));
  await calls.does("a file", () => decodeImage(path));
  await calls.does("a part of other bytes", () =>
    decodeImage(Buffer.concat([Buffer.of(1), png]).subarray(1)),
  );
  await calls.does("with alpha", () => decodeImage(clear));
  await calls.does("gray", () => decodeImage(gray));
  await calls.does("size of a palette", async () => (await decodeImage(palette)).data.length);
  await calls.does("inks", async () => (await decodeImage(inks)).width);
  for (const exif of ["honor", "ignore", undefined] as const)
    await calls.does(`turned, ${exif}`, () => decodeImage(turned, { exif }));
  for (const gray16 of ["clip", "high-byte", undefined] as const)
    await calls.does(`deep, ${gray16}`, () => decodeImage(deep, { gray16 }));
  for (const maxPixels of [6, 5, 1]) {
    await calls.does(`at most ${maxPixels}`, () => decodeImage(png, { maxPixels }));
    await calls.does(`deep, at most ${maxPixels / 2}`, () =>
      decodeImage(deep, { maxPixels: Math.ceil(maxPixels / 2) }),
    );
  }
  for (const options of [
    { exif: "turn" },
    { gray16: 8 },
    { maxPixels: 0 },
    { maxPixels: 1.5 },
    { maxPixels: Number.NaN },
    { size: 3 },
    7,
    null,
  ])
    await calls.does(JSON.stringify(options), () => decodeImage(png, options as never));
  for (const source of [7, null, ["a"], {}])
    await calls.does(JSON.stringify(source), () => decodeImage(source as never));
  await calls.does("nothing", () => decodeImage(new Uint8Array()));
  await calls.does("text", () => decodeImage(Buffer.from("text\n")));
  await calls.does("text of a name", () => decodeImage(Buffer.from("text\n"), {}, "row 3\n"));
  await calls.does("no file", () => decodeImage(join(folder, "none.png")));
  await calls.does("no file of a name", () => decodeImage(join(folder, "none.png"), {}, "row 4"));
  await calls.does("a folder", () => decodeImage(folder));
  await calls.does("cut off", async () => {
    const error = await decodeImage(png.subarray(0, 50)).catch((problem) => problem);
    return [error.code, error.message.slice(0, 40), error.cause instanceof Error];
  });
  for (const code of ["EMFILE", "ENFILE", "ENOMEM", "EACCES"])
    await calls.does(`${code} while it is read`, () => {
      const bytes = Buffer.from("BM");
      const failing = new Proxy(bytes, {
        get: (target, key) => {
          if (key === "byteOffset")
            throw Object.assign(new Error(`${code}: too bad`), { code, syscall: "read" });
          return Reflect.get(target, key, target);
        },
      });
      return decodeImage(failing, {}, "a.bmp");
    });
  calls.note("most pixels", maxImagePixels);
  calls.approve("data/reading/decode");
});

test("how samples of TIFF files are read", async () => {
  const calls = new Calls();
  const base: TiffLayout = {
    photometric: 2,
    bits: [8, 8, 8],
    sampleFormat: 1,
    extra: [],
    compression: 1,
    isPlanar: false,
  };
  const of = (photometric: number, depth: number, count: number, more: Partial<TiffLayout> = {}) =>
    calls.of(tiffReading, { ...base, photometric, bits: Array(count).fill(depth), ...more });
  for (const photometric of [0, 1])
    for (const sampleFormat of [0, 1, 2, 3, 4])
      for (const depth of [1, 2, 4, 8, 12, 16, 32, 64]) await of(photometric, depth, 1, { sampleFormat });
  for (const photometric of [0, 1]) {
    await of(photometric, 8, 2, { extra: [2] });
    await of(photometric, 8, 2, { extra: [1] });
    await of(photometric, 8, 2, { extra: [0] });
    await of(photometric, 16, 2, { extra: [2] });
    await of(photometric, 8, 2, { extra: [2], sampleFormat: 2 });
  }
  for (const depth of [4, 8, 16, 32]) for (const count of [2, 3, 4, 5, 6]) await of(2, depth, count);
  for (const count of [3, 4, 5])
    for (const extra of [[0], [1], [2], [0, 1]]) await of(2, 8, count, { extra });
  await of(2, 16, 4, { extra: [1] });
  await of(2, 8, 3, { sampleFormat: 2 });
  await of(2, 8, 3, { bits: [8, 8, 16], sampleFormat: 0 });
  for (const depth of [1, 2, 4, 8, 16]) await of(3, depth, 1);
  for (const isPlanar of [false, true])
    for (const extra of [[], [0], [1], [2]]) await of(3, 8, 2, { extra, isPlanar });
  await of(3, 8, 1, { sampleFormat: 2 });
  for (const depth of [8, 16]) for (const count of [3, 4, 5, 6]) await of(5, depth, count);
  for (const extra of [[0], [1], [0, 2]]) await of(5, 8, 5, { extra });
  await of(5, 8, 4, { sampleFormat: 2, isPlanar: true });
  for (const compression of [1, 6, 7, 8]) await of(6, 8, 3, { compression });
  await of(6, 8, 4, { compression: 7 });
  for (const photometric of [4, 7, 8, 9, 10, 32803, 32844, 32845, 34892]) await of(photometric, 8, 3);
  for (const compression of [5, 34925, 50000, 50001, 50002, 50003]) await of(2, 8, 3, { compression });
  calls.approve("data/reading/TIFF readings");
});

test("reading here and by parts", async () => {
  const calls = new Calls();
  const png = await painted(9, 7, 3).png().toBuffer();
  const jpeg = await sharp({
    create: { width: 40, height: 24, channels: 3, background: { r: 200, g: 30, b: 90 } },
  })
    .jpeg()
    .toBuffer();
  const cache = () => new PixelCache(1000);
  const job = (more = {}) => ({
    ...{
      path: "row 3",
      stored: async () => png,
      cache: cache(),
      transform: transforms.none(7),
      rng: new Rng(3),
    },
    ...more,
  });
  const transform = transforms.evaluation(7, { cropRatio: 1 });
  await calls.does("an image of another size", () => hereReader.read(job()));
  await calls.does("an image, its length", async () => (await hereReader.read(job({ transform }))).length);
  await calls.does("into a place", async () => {
    const into = new Float32Array(147);
    const found = await hereReader.read(job({ transform, into }));
    return [found === into, into.some((value) => value !== 0)];
  });
  await calls.does("bytes into a place", async () => {
    const into = new Uint8Array(147);
    const found: unknown = await hereReader.read(job({ transform, into }));
    return [found === into, into.some((value) => value !== 0)];
  });
  for (const when of ["before", "while it is read", "after"])
    await calls.does(`aborted ${when}`, async () => {
      const stop = new AbortController();
      const one = job({
        transform,
        signal: stop.signal,
        stored: async () => {
          if (when === "while it is read") stop.abort();
          return png;
        },
      });
      if (when === "before") stop.abort();
      const found = await hereReader.read(one);
      stop.abort();
      return found.length;
    });
  const read = readingInto(
    { read: async (one) => one.into as Float32Array },
    new Float32Array([1, 2]),
    AbortSignal.abort(),
  );
  await calls.does("readingInto", () => read.read(job()));
  const source = { name: "row 5", content: new Uint8Array(jpeg) };
  await calls.does("a part", () => decodePart(jpeg, { left: 3, top: 2, width: 2, height: 3 }));
  await calls.does("a part of another file", () => decodePart(png, { left: 0, top: 0, width: 1, height: 1 }));
  await calls.does("a part of broken bytes", () =>
    decodePart(jpeg.subarray(0, 40), { left: 0, top: 0, width: 1, height: 1 }),
  );
  await calls.does("whole", () => decodeWhole(source, {}));
  await calls.does("whole, too large", () => decodeWhole(source, { maxPixels: 959 }));
  await calls.does(
    "whole, just allowed",
    async () => (await decodeWhole(source, { maxPixels: 960 })).data.length,
  );
  await calls.does("whole, no image", () => decodeWhole({ ...source, content: Buffer.from("text") }, {}));
  const turned = new Uint8Array(await sharp(jpeg).withMetadata({ orientation: 6 }).jpeg().toBuffer());
  for (const exif of ["honor", "ignore", undefined] as const)
    await calls.does(`turned, ${exif}`, async () => {
      const { width, height } = await decodeWhole({ ...source, content: turned }, { exif });
      return [width, height];
    });
  for (const isBytes of [false, true])
    await calls.does(`readPart of ${isBytes ? "bytes" : "numbers"}`, async () => {
      const memory = new PixelMemory(4 * 48 * 2);
      const place = { memory, address: 64, length: 48, isBytes };
      await readPart(source, {}, transforms.evaluation(4).steps, 3, place);
      return isBytes ? memory.bytes(64, 48) : memory.floats(64, 48);
    });
  calls.approve("data/reading/reading");
});
