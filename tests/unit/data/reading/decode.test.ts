import assert from "node:assert/strict";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { describe, it } from "node:test";
import sharp from "sharp";
import { LuvitError } from "../../../../src/core/errors";
import { imageFolder } from "../../../../src/data/imageFolder";
import { type Batch, batches } from "../../../../src/data/loader";
import { decodeImage } from "../../../../src/data/reading/decode";
import { hereReader } from "../../../../src/data/reading/imageReader";
import { readerWith } from "../../../../src/data/reading/pool";
import * as transforms from "../../../../src/data/transforms";
import { flatPng, put, temporaryFolder } from "../support";

const raw = (width: number, height: number, channels: 1 | 2 | 3 | 4) => ({
  raw: { width, height, channels },
});

const noFileTable = existsSync("/proc/self/fd") ? false : "this system does not tell which files are open";

describe("decodeImage", () => {
  it("repeats gray in all three channels", async () => {
    const png = await sharp(Buffer.from([0, 100, 200, 255]), raw(2, 2, 1))
      .toColorspace("b-w")
      .png()
      .toBuffer();
    assert.equal((await sharp(png).metadata()).channels, 1);
    const image = await decodeImage(png);
    assert.deepEqual([...image.data], [0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255]);
  });

  it("drops alpha without blending", async () => {
    const png = await sharp(Buffer.from([10, 20, 30, 0, 40, 50, 60, 128]), raw(2, 1, 4))
      .png()
      .toBuffer();
    assert.deepEqual([...(await decodeImage(png)).data], [10, 20, 30, 40, 50, 60]);
  });

  it("drops the alpha of gray images", async () => {
    const png = await sharp(Buffer.from([9, 0, 90, 255]), raw(2, 1, 2))
      .toColorspace("b-w")
      .png()
      .toBuffer();
    assert.deepEqual([...(await decodeImage(png)).data], [9, 9, 9, 90, 90, 90]);
  });

  it("expands palettes", async () => {
    const png = await sharp(Buffer.from([255, 0, 0, 0, 0, 255]), raw(2, 1, 3))
      .png({ palette: true })
      .toBuffer();
    assert.equal((await sharp(png).metadata()).isPalette, true);
    assert.deepEqual([...(await decodeImage(png)).data], [255, 0, 0, 0, 0, 255]);
  });

  it("keeps the high byte of 16-bit channels, of gray alone only where asked", async () => {
    const values = Uint16Array.from([0x12ff, 0x8000, 0xff01, 0x0080, 0x7fff, 0xffff]);
    const rgb = await sharp(values, raw(2, 1, 3))
      .toColorspace("rgb16")
      .png()
      .toBuffer();
    assert.equal((await sharp(rgb).metadata()).depth, "ushort");
    assert.deepEqual([...(await decodeImage(rgb)).data], [0x12, 0x80, 0xff, 0x00, 0x7f, 0xff]);
    const gray = await sharp(values, raw(6, 1, 1))
      .toColorspace("grey16")
      .png()
      .toBuffer();
    assert.equal((await sharp(gray).metadata()).depth, "ushort");
    const high = await decodeImage(gray, { gray16: "high-byte" });
    const reds = ({ data }: { data: Uint8Array }) => [...data].filter((_, i) => i % 3 === 0);
    assert.deepEqual(reds(high), [0x12, 0x80, 0xff, 0x00, 0x7f, 0xff]);
    assert.deepEqual(reds(await decodeImage(gray)), [255, 255, 255, 0x80, 255, 255]);
  });

  it("lets each ink of a CMYK image take its share of the light that black leaves", async () => {
    const colors = Buffer.from([
      255, 255, 255, 250, 10, 10, 0, 160, 30, 20, 20, 20, 40, 60, 220, 240, 200, 0,
    ]);
    const jpeg = await sharp(colors, raw(6, 1, 3))
      .resize(48, 8, { kernel: "nearest" })
      .toColorspace("cmyk")
      .jpeg({ quality: 100 })
      .toBuffer();
    assert.equal((await sharp(jpeg).metadata()).space, "cmyk");
    const inks = await sharp(jpeg).pipelineColorspace("cmyk").toColorspace("cmyk").raw().toBuffer();
    const light = (ink: number, black: number) => ((255 - ink) * (255 - black)) / 255;
    const { data } = await decodeImage(jpeg);
    const errors = Array.from(data, (value, i) => {
      const pixel = 4 * Math.floor(i / 3);
      return Math.abs(value - light(inks[pixel + (i % 3)], inks[pixel + 3]));
    });
    assert.equal(data.length, 3 * 48 * 8);
    assert.ok(Math.max(...errors) <= 0.5, `up to ${Math.max(...errors)} off`);
  });

  it("turns images by their EXIF orientation unless told not to", async () => {
    const wide = sharp(await flatPng(6, 4, [1, 2, 3]));
    const jpeg = await wide.withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const upright = await decodeImage(jpeg);
    assert.deepEqual([upright.width, upright.height], [4, 6]);
    const stored = await decodeImage(jpeg, { exif: "ignore" });
    assert.deepEqual([stored.width, stored.height], [6, 4]);
  });

  it("names the file and the reason when an image is cut off, empty or something else", async () => {
    const folder = temporaryFolder();
    const noise = Buffer.from(Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251));
    const jpeg = await sharp(noise, raw(64, 64, 3))
      .jpeg()
      .toBuffer();
    const png = await sharp(noise, raw(64, 64, 3))
      .png()
      .toBuffer();
    const bad: [string, string | Uint8Array][] = [
      ["half.jpg", jpeg.subarray(0, jpeg.length >> 1)],
      ["half.png", png.subarray(0, png.length >> 1)],
      ["empty.png", ""],
      ["text.jpg", "not an image"],
    ];
    for (const [name, content] of bad) {
      const path = await put(folder, name, content);
      await assert.rejects(decodeImage(path), (error: unknown) => {
        assert.ok(error instanceof LuvitError && error.code === "bad-image");
        assert.ok(error.message.startsWith(`${path}: cannot be decoded (`), error.message);
        return true;
      });
    }
    await assert.rejects(decodeImage(`${folder}/none.png`), /none\.png: cannot be read \(.*no such file/);
  });

  it("refuses more pixels than are allowed, also in threads that read parts of JPEG files", async () => {
    const [folder, jpeg] = [
      temporaryFolder(),
      await sharp(await flatPng(40, 30, [9, 9, 9]))
        .jpeg()
        .toBuffer(),
    ];
    await put(folder, "a/b.jpg", jpeg);
    await assert.rejects(decodeImage(jpeg, { maxPixels: 1199 }), /more pixels than the limit of 1199/);
    assert.equal((await decodeImage(jpeg, { maxPixels: 1200 })).width, 40);
    for (const [maxPixels, workers] of [
      [1199, 0],
      [1199, 1],
    ]) {
      const set = await imageFolder(folder, { transform: transforms.evaluation(8), maxPixels, cache: false });
      await assert.rejects(
        batches(set, { batchSize: 1, workers }).next(),
        /more pixels than the limit of 1199/,
      );
    }
  });

  it("takes a GIF's ground from its transparent color where it says that it has one", async () => {
    const gif = (flags: number) =>
      Buffer.concat([
        Buffer.from("GIF89a\x02\0\x01\0\x80\0\0", "latin1"),
        Buffer.from([10, 20, 30, 200, 210, 220]),
        Buffer.from([0x21, 0xf9, 4, flags, 0, 0, 1, 0]),
        Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b]),
      ]);
    assert.deepEqual([...(await decodeImage(gif(0))).data], [10, 20, 30, 10, 20, 30]);
    assert.deepEqual([...(await decodeImage(gif(1))).data], [10, 20, 30, 200, 210, 220]);
  });

  it("reads gray of 16 bits as its set says, here and in threads, kept in memory or not", async () => {
    const folder = temporaryFolder();
    const rows = Buffer.from(new Array(8).fill([0x40, 0x20]).flat());
    for (let i = 0; i < 2; i++)
      await put(folder, `a/${i}.pgm`, Buffer.concat([Buffer.from("P5 4 2 65535\n"), rows]));
    const levels: number[] = [];
    for (const gray16 of [undefined, "clip", "high-byte"] as const) {
      for (const [cache, workers] of [
        [1e6, 0],
        [false, 0],
        [false, 1],
      ] as const) {
        const set = await imageFolder(folder, { transform: transforms.evaluation(8), gray16, cache });
        const { value } = await batches(set, { batchSize: 2, workers }).next();
        levels.push((value as Batch).images[0]);
      }
    }
    const [white, dark] = [255, 0x40].map((level) => Math.fround((level / 255 - 0.485) / 0.229));
    const off = levels.map((level, i) => Math.abs(level - (i < 6 ? white : dark)));
    assert.ok(
      off.every((error) => error < 1e-5),
      `${levels}`,
    );
  });

  it("leaves no file open, whatever was in it and wherever it was read", { skip: noFileTable }, async () => {
    const folder = temporaryFolder();
    const jpeg = await sharp(await flatPng(40, 30, [9, 99, 200]))
      .jpeg()
      .toBuffer();
    await put(folder, "a/whole.jpg", jpeg);
    await put(folder, "a/cut.jpg", jpeg.subarray(0, -9));
    await put(folder, "a/turned.png", await flatPng(40, 30, [1, 2, 3]));
    await put(folder, "a/plain.pgm", "P2 1 1 255 7");
    await put(folder, "a/none.bmp", "BM");
    for (const workers of [0, 1]) {
      const set = await imageFolder(folder, { transform: transforms.evaluation(8), cache: false });
      for await (const { images } of batches(set, { batchSize: 1, workers }))
        assert.equal(images.length, 192);
      const open = readdirSync("/proc/self/fd").map((name) => {
        try {
          return readlinkSync(`/proc/self/fd/${name}`);
        } catch {
          return ""; // the one of this very list
        }
      });
      assert.deepEqual(
        open.filter((path) => path.startsWith(folder)),
        [],
      );
    }
  });

  it("leaves no loader of libvips that nobody asked for", async () => {
    const avif = await sharp(await flatPng(8, 8, [1, 2, 3]))
      .avif()
      .toBuffer();
    await assert.rejects(decodeImage(avif), /it is AVIF, not an image that can be read/);
    await assert.rejects(sharp(avif).raw().toBuffer());
  });

  it("notices that a file was replaced", async () => {
    const folder = temporaryFolder();
    const path = await put(folder, "a.png", await flatPng(1, 1, [1, 2, 3]));
    await decodeImage(path);
    await put(folder, "a.png", await flatPng(1, 1, [4, 5, 6]));
    assert.deepEqual([...(await decodeImage(path)).data], [4, 5, 6]);
  });
});

describe("threads that read", () => {
  it("are started once for each number of them", () => {
    assert.equal(readerWith(2), readerWith(2));
    assert.notEqual(readerWith(2), readerWith(1));
    assert.equal(readerWith(0), hereReader);
  });
});
