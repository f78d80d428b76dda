import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { unpackHadoopLz4, unpackLz4Block, unpackLz4Frame } from "../../../../src/data/tables/lz4Frame";
import { decompressors } from "../../../../src/data/tables/parquetModule";
import { unpackZstdFrame } from "../../../../src/data/tables/zstdFrame";

const magic = [0x04, 0x22, 0x4d, 0x18];
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const letters = (word: string) => [...Buffer.from(word, "latin1")];
const block = (bytes: readonly number[], stored = false) => [bytes.length, 0, 0, stored ? 0x80 : 0, ...bytes];
const frame = (flags: number, ...parts: number[][]) =>
  Uint8Array.from([...magic, 0x40 | flags, 0x40, 0, ...parts.flat(), 0, 0, 0, 0]);

describe("LZ4 frames", () => {
  it("are unpacked across blocks: what is stored, what repeats itself, what lies in an earlier block", () => {
    const first = block(letters("abcdefgh"), true);
    // Two letters, then six from eight back: over the edge of the blocks.
    const second = block([0x22, ...letters("XY"), 8, 0, 0x10, ...letters("!")]);
    // One letter, then nineteen and a few more from one back.
    const third = block([0x1f, ...letters("z"), 1, 0, 2, 0x10, ...letters(".")]);
    const expected = `abcdefghXYcdefgh!${"z".repeat(22)}.`;
    const packed = frame(0, first, second, third);
    assert.equal(text(unpackLz4Frame(packed, expected.length)), expected);
    for (const length of [expected.length - 1, expected.length + 1]) {
      assert.throws(() => unpackLz4Frame(packed, length), /LZ4/);
    }
  });

  it("may carry checksums and their length", () => {
    const first = [...block([0x30, ...letters("abc")]), 1, 2, 3, 4];
    const packed = Uint8Array.from([
      ...magic,
      0x40 | 0x10 | 0x08,
      0x40,
      3,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      9,
      ...first,
      0,
      0,
      0,
      0,
    ]);
    assert.equal(text(unpackLz4Frame(packed, 3)), "abc");
  });

  it("that are damaged are refused in words", () => {
    const refused = (bytes: Uint8Array, reason: RegExp) =>
      assert.throws(() => unpackLz4Frame(bytes, 8), reason);
    refused(Uint8Array.from(letters("no frame at all")), /no LZ4 frame/);
    refused(frame(1, block([])), /unknown kind/);
    refused(frame(0, [99, 0, 0, 0, 0x10]), /block that is cut off/);
    refused(frame(0, block([0x50, ...letters("abc")])), /literals that are cut off/);
    refused(frame(0, block([0xf0, 255])), /length that is cut off/);
    refused(frame(0, block([0x14, ...letters("a"), 9, 0])), /match of nothing/);
    refused(frame(0, block([0x1f, ...letters("a"), 1, 0, 200])), /beyond the 8 bytes/);
  });
});

describe("LZ4 blocks", () => {
  const abc = [0x30, ...letters("abc")];
  const long = (n: number) => [0, 0, 0, n];

  it("alone are of the length that was announced, or are refused", () => {
    assert.equal(text(unpackLz4Block(Uint8Array.from(abc), 3)), "abc");
    assert.throws(() => unpackLz4Block(Uint8Array.from(abc), 4), /an LZ4 block of 3 bytes, expected 4/);
    assert.throws(() => unpackLz4Block(Uint8Array.from(abc), 2), /beyond the 2 bytes/);
  });

  it("as Hadoop frames them follow one another; where the lengths do not fit, it is one block", () => {
    const part = (bytes: number) => [...long(bytes), ...long(abc.length), ...abc];
    const unpacked = (parts: number[], length: number) =>
      text(unpackHadoopLz4(Uint8Array.from(parts), length));
    assert.equal(unpacked([...part(3), ...part(3)], 6), "abcabc");
    assert.equal(unpacked(abc, 3), "abc");
    for (const [parts, length] of [
      [[...part(3), ...part(3)], 5],
      [[...part(3), ...part(3)], 7],
      [part(4), 4],
      [[...part(3), 9], 3],
    ] as const)
      assert.throws(() => unpacked([...parts], length), /LZ4/);
  });
});

describe("Zstandard frames", () => {
  const head = [0x28, 0xb5, 0x2f, 0xfd];
  it("are unpacked", async () => {
    const raw = [0x20, 5, 5 * 8 + 1, 0, 0, ...letters("hello")];
    assert.equal(text(await unpackZstdFrame(Uint8Array.from([...head, ...raw]), 5)), "hello");
  });

  it("that announce another length, or too large a window, are refused beforehand", async () => {
    const refused = (bytes: number[], reason: RegExp) =>
      assert.rejects(unpackZstdFrame(Uint8Array.from([...head, ...bytes]), 5), reason);
    await refused([0x20, 6, 0, 0, 0], /frame of 6 bytes, expected 5/);
    await refused([0xa0, 0, 0, 0, 0x7f, 0], /frame of 2130706432 bytes/);
    await refused([0x00, 0xa0, 0, 0, 0], /window of 1073741824 bytes/);
    await assert.rejects(unpackZstdFrame(Uint8Array.from(letters("no frame")), 5), /no Zstandard frame/);
  });
});

describe("what unpacks the pages of Parquet files", () => {
  const abc = [0x30, ...letters("abc")];
  const framed = [0, 0, 0, 3, 0, 0, 0, 4, ...abc];
  const zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 3 * 8 + 1, 0, 0, ...letters("abc")];
  const packed = {
    GZIP: [...gzipSync("abc")],
    BROTLI: [...brotliCompressSync("abc")],
    ZSTD: zstd,
    LZ4: framed,
    LZ4_RAW: abc,
  };

  it("takes each compression by its name: LZ4 with Hadoop's lengths or without, LZ4_RAW without alone", async () => {
    const unpackers = await decompressors();
    for (const [name, bytes] of Object.entries(packed))
      assert.equal(text(unpackers[name]!(Uint8Array.from(bytes), 3)), "abc", name);
    assert.deepEqual(Object.keys(unpackers).sort(), Object.keys(packed).sort());
    assert.equal(text(unpackers.LZ4!(Uint8Array.from([...framed, ...framed]), 6)), "abcabc");
    assert.equal(text(unpackers.LZ4!(Uint8Array.from(abc), 3)), "abc");
    assert.throws(() => unpackers.LZ4_RAW!(Uint8Array.from(framed), 3), /LZ4/);
  });

  it("makes no more than the length that was announced", async () => {
    const unpackers = await decompressors();
    for (const name of ["GZIP", "BROTLI", "LZ4", "LZ4_RAW"] as const)
      assert.throws(() => unpackers[name]!(Uint8Array.from(packed[name]), 2), name);
    for (const [name, none] of [
      ["GZIP", gzipSync("")],
      ["BROTLI", brotliCompressSync("")],
    ] as const)
      assert.equal(unpackers[name]!(none, 0).length, 0, name);
  });
});
