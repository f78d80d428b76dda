import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LuvitError } from "../../../../../src/core/errors";
import { packageRoot } from "../../../../../src/core/packageRoot";
import { decodeImage } from "../../../../../src/data/reading/decode";
import { formatOf } from "../../../../../src/data/reading/formats/identify";
import { tiffReading } from "../../../../../src/data/reading/formats/tiff";
import { seededRng } from "../../../../support/seededRng";

/** A file and what Pillow 12.3 makes of it by `convert("RGB")`, both in base64. */
interface PillowFile {
  readonly format: "BMP" | "PNM" | "GIF" | "TIFF";
  readonly what: string;
  readonly width: number;
  readonly height: number;
  readonly file: string;
  readonly rgb: string;
}

const place = join(packageRoot(), "tests", "unit", "data", "reading", "formats", "pillow.json");
const files = JSON.parse(readFileSync(place, "utf8")) as PillowFile[];
const bytesOf = (text: string) => Buffer.from(text, "base64");

async function reason(bytes: Uint8Array): Promise<string> {
  const error = await decodeImage(bytes).then(
    () => assert.fail("expected an error"),
    (problem: unknown) => problem,
  );
  assert.ok(error instanceof LuvitError && error.code === "bad-image", String(error));
  return error.message;
}

for (const format of ["BMP", "PNM", "GIF", "TIFF"] as const) {
  describe(`${format} files are read as Pillow reads them`, () => {
    for (const { what, file, rgb, width, height } of files.filter((one) => one.format === format)) {
      it(what, async () => {
        const bytes = bytesOf(file);
        assert.equal(formatOf(bytes), format);
        const image = await decodeImage(bytes, { exif: "ignore" });
        assert.deepEqual([image.width, image.height], [width, height]);
        assert.deepEqual(Buffer.from(image.data), bytesOf(rgb));
      });
    }
  });
}

describe("4-bit runs in BMP files", () => {
  it("keep every pixel of odd literal runs, and rows filled up to an even address", async () => {
    const head = Buffer.alloc(54 + 64);
    head.write("BM");
    head.writeUInt32LE(head.length, 10);
    head.writeUInt32LE(40, 14);
    head.writeInt32LE(7, 18);
    head.writeInt32LE(2, 22);
    head.writeUInt16LE(4, 28);
    head.writeUInt32LE(2, 30);
    for (let i = 0; i < 16; i++) head[54 + 4 * i + 2] = i; // entry i is red of i
    const literals = [0, 5, 0x12, 0x34, 0x50, 0, 2, 0x67, 0, 0];
    const runs = [0, 3, 0x89, 0xa0, 3, 0xbc, 1, 0xd0, 0, 1];
    const { data } = await decodeImage(Buffer.concat([head, Buffer.from([...literals, ...runs])]));
    const reds = [...data].filter((_, i) => i % 3 === 0);
    assert.deepEqual(reds, [8, 9, 10, 11, 12, 11, 13, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe("damaged files", () => {
  it("that were cut off anywhere are refused in words, or hold every pixel", async () => {
    for (const { format, what, file, rgb } of files.filter(({ format }) => format !== "TIFF")) {
      const whole = bytesOf(file);
      for (let length = 3; length < whole.length; length += 1 + (whole.length >> 5)) {
        const cut = whole.subarray(0, length);
        if (formatOf(cut) !== format) continue;
        const image = await decodeImage(cut).catch((error: unknown) => error);
        if (image instanceof LuvitError) assert.equal(image.code, "bad-image", `${what}: ${image.message}`);
        else assert.equal((image as { data: Uint8Array }).data.length, bytesOf(rgb).length, what);
      }
    }
  });

  it("never end in anything but an image or a refusal", async () => {
    const rng = seededRng(7);
    for (const { what, file } of files) {
      for (let round = 0; round < 12; round++) {
        const bytes = Buffer.from(bytesOf(file));
        for (let i = 0; i < 3; i++) bytes[2 + rng.integer(bytes.length - 2)] = rng.integer(256);
        const image = await decodeImage(bytes, { maxPixels: 1e5 }).catch((error: unknown) => error);
        if (image instanceof Error) {
          assert.ok(image instanceof LuvitError && image.code === "bad-image", `${what}: ${image}`);
          assert.doesNotMatch(
            image.message,
            /undefined|is not a function|out of range|Invalid (typed )?array/,
            what,
          );
        }
      }
    }
  });
});

describe("what is not read", () => {
  it("is refused by what it is, not by its name", async () => {
    const started = (text: string) => Buffer.from(text.padEnd(64, "\0"), "latin1");
    const kinds: [RegExp, Buffer][] = [
      [/AVIF/, started("\0\0\0\x1cftypavif\0\0\0\0mif1")],
      [/HEIF/, started("\0\0\0\x18ftypheic")],
      [
        /SVG/,
        Buffer.from('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      ],
      [/PDF/, started("%PDF-1.7")],
      [/JPEG 2000/, started("\0\0\0\x0cjP  \r\n\x87\n")],
      [/Photoshop/, started("8BPS\0\x01")],
      [/web page/, Buffer.from("<!DOCTYPE html><html><body>404</body></html>")],
      [
        /Git LFS pointer in place of the file, for one of 7 bytes; fetch it with `git lfs pull`/,
        Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n"),
      ],
      [/zip archive/, started("PK\x03\x04")],
      [/nothing but zeros/, Buffer.alloc(500)],
      [/an empty file/, Buffer.alloc(0)],
      [/text/, Buffer.from("not an image")],
      [/PAM/, started("P7\nWIDTH 4\n")],
    ];
    for (const [kind, bytes] of kinds) assert.match(await reason(bytes), kind);
  });

  it("are TIFF files whose pixels would come out otherwise than Pillow's", async () => {
    const gray = bytesOf(files.find(({ what }) => what === "gray of 8 bits, deflated")!.file);
    const directory = gray.readUInt32LE(4);
    const withTag = (tag: number, value: number) => {
      const changed = Buffer.from(gray);
      for (let at = directory + 2; at < changed.length; at += 12) {
        if (changed.readUInt16LE(at) !== tag) continue;
        changed.writeUInt16LE(value, at + 8);
        return changed;
      }
      return assert.fail(`no tag ${tag}`);
    };
    assert.match(await reason(withTag(262, 8)), /TIFF: CIE L\*a\*b\* in 1 samples of 8 bits cannot be read/);
    assert.match(await reason(withTag(258, 12)), /gray in 1 samples of 12 bits/);
    assert.match(await reason(withTag(259, 50000)), /compressed with Zstandard, which is not read/);
  });

  it("are TIFF palettes whose alpha lies in a plane of its own, which libvips takes for entries", () => {
    const layout = { photometric: 3, bits: [8, 8], sampleFormat: 1, extra: [2], compression: 1 };
    assert.equal(tiffReading({ ...layout, isPlanar: false }), "colors");
    assert.equal(tiffReading({ ...layout, photometric: 2, bits: [8, 8, 8, 8], isPlanar: true }), "colors");
    assert.throws(
      () => tiffReading({ ...layout, isPlanar: true }),
      /a palette in 2 samples of 8 bits with extra samples of kind 2 in separate planes cannot be read/,
    );
  });

  it("are more pixels than a limit, before memory is taken for them", async () => {
    const bomb = (head: string) => Buffer.concat([Buffer.from(head), Buffer.alloc(64)]);
    assert.match(
      await reason(bomb("P5\n20000 20000\n255\n")),
      /20000 x 20000 pixels are more than the limit/,
    );
    const bmp = bytesOf(files.find(({ what }) => what === "runs of 8 bits")!.file);
    bmp.writeInt32LE(60000, 18);
    bmp.writeInt32LE(60000, 22);
    assert.match(await reason(bmp), /60000 x 60000 pixels are more than the limit of 178956970/);
    const tiff = bytesOf(files.find(({ what }) => what === "RGB, deflated")!.file);
    await assert.rejects(
      decodeImage(tiff, { maxPixels: 50 }),
      /more pixels than the limit of 50; give a larger/,
    );
    assert.equal((await decodeImage(tiff, { maxPixels: 13 * 7 })).width, 13);
  });
});

describe("gray of 16 bits", () => {
  it("is clipped as Pillow does, or keeps its high byte", async () => {
    const values = [0, 1, 255, 256, 4095, 0x1234, 65535];
    const file = Buffer.concat([
      Buffer.from("P5 7 1 65535\n"),
      Buffer.from(values.flatMap((value) => [value >> 8, value & 255])),
    ]);
    const reds = async (gray16?: "clip" | "high-byte") =>
      [...(await decodeImage(file, { gray16 })).data].filter((_, i) => i % 3 === 0);
    assert.deepEqual(await reds(), [0, 1, 255, 255, 255, 255, 255]);
    assert.deepEqual(await reds("clip"), await reds());
    assert.deepEqual(await reds("high-byte"), [0, 0, 0, 1, 15, 0x12, 255]);
  });
});
