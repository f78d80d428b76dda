import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tiffReading } from "../../../../../src/data/reading/formats/tiff";
import { readTiffLayout } from "../../../../../src/data/reading/formats/tiffDirectory";
import { isLuvitError } from "../../support";

/** A TIFF directory of whole numbers, by tag and type (1 byte, 2 text, 3 short, 4 long, 16 of 8 bytes). */
function directory(
  entries: readonly (readonly [tag: number, type: number, ...values: number[]])[],
  { little, isBig }: { little: boolean; isBig: boolean },
): Buffer {
  const file = Buffer.alloc(1000);
  const sizes: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4, 16: 8 };
  const write = (value: number, at: number, bytes: number) => {
    if (bytes === 8) file[little ? "writeBigUInt64LE" : "writeBigUInt64BE"](BigInt(value), at);
    else file[little ? "writeUIntLE" : "writeUIntBE"](value, at, bytes);
  };
  const [wide, start] = isBig ? [8, 24] : [4, 12];
  file.write(little ? "II" : "MM");
  write(isBig ? 43 : 42, 2, 2);
  if (isBig) write(8, 4, 2);
  write(start, isBig ? 8 : 4, wide);
  write(entries.length, start, isBig ? 8 : 2);
  let free = 600;
  for (const [i, [tag, type, ...values]] of entries.entries()) {
    const at = start + (isBig ? 8 : 2) + i * (isBig ? 20 : 12);
    write(tag, at, 2);
    write(type, at + 2, 2);
    write(values.length, at + 4, wide);
    const inPlace = values.length * sizes[type] <= wide;
    const to = inPlace ? at + 4 + wide : free;
    if (!inPlace) {
      write(free, at + 4 + wide, wide);
      free += values.length * sizes[type];
    }
    for (const [k, value] of values.entries()) write(value, to + k * sizes[type], sizes[type]);
  }
  return file;
}

describe("the directory of a TIFF file", () => {
  const orders = [true, false].flatMap((little) => [true, false].map((isBig) => ({ little, isBig })));

  it("says the same in either order of bytes, small or big, of any whole type, in its place or elsewhere", () => {
    for (const order of orders)
      for (const type of [3, 4, 16]) {
        const file = directory(
          [
            [256, type, 9],
            [258, type, 8, 8, 8, 8],
            [259, type, 5],
            [262, type, 2],
            [277, type, 4],
            [284, type, 2],
            [338, type, 1],
            [339, type, 1, 1, 1, 1],
          ],
          order,
        );
        const { extraPlace, ...layout } = readTiffLayout(file);
        const what = `${JSON.stringify(order)} ${type}`;
        assert.deepEqual(
          layout,
          {
            photometric: 2,
            bits: [8, 8, 8, 8],
            sampleFormat: 1,
            extra: [1],
            compression: 5,
            isPlanar: true,
          },
          what,
        );
        assert.equal(file[extraPlace!], 1, what);
        file[extraPlace!] = 2;
        assert.deepEqual(readTiffLayout(file).extra, [2], `${what}: its less significant byte`);
      }
  });

  it("has bits for every sample, formats that differ are none, and what is missing is what the standard says", () => {
    for (const order of orders) {
      const none = readTiffLayout(directory([], order));
      assert.deepEqual(none, {
        photometric: 0,
        bits: [1],
        sampleFormat: 1,
        extra: [],
        compression: 1,
        isPlanar: false,
        extraPlace: undefined,
      });
      const bitsOf = (...entries: Parameters<typeof directory>[0]) =>
        readTiffLayout(directory(entries, order)).bits;
      assert.deepEqual(bitsOf([258, 3, 16], [277, 3, 3]), [16, 16, 16]);
      assert.deepEqual(bitsOf([258, 3, 8, 8, 8], [277, 3, 2]), [8, 8]);
      assert.deepEqual(bitsOf([258, 3, 8]), [8]);
      assert.deepEqual(bitsOf([258, 3, 8], [277, 3, 60000]), [8], "more samples than any image has");
      const format = readTiffLayout(directory([[339, 3, 1, 1, 2]], order)).sampleFormat;
      assert.equal(format, 0);
      assert.equal(readTiffLayout(directory([[339, 3, 3, 3]], order)).sampleFormat, 3);
      assert.equal(readTiffLayout(directory([[284, 3, 1]], order)).isPlanar, false);
      assert.equal(readTiffLayout(directory([[262, 2, 3]], order)).photometric, 0, "text is no number");
    }
    assert.throws(
      () => readTiffLayout(Buffer.from("II*\0\x08\0\0\0")),
      isLuvitError("bad-image", "is cut off"),
    );
  });
});

it("TIFF files are read by what their samples are", () => {
  const plain = { sampleFormat: 1, extra: [] as number[], compression: 1, isPlanar: false };
  const reading = (photometric: number, bits: number[], more: Partial<typeof plain> = {}) => {
    try {
      return tiffReading({ ...plain, photometric, bits, ...more });
    } catch (error) {
      assert.ok(isLuvitError("bad-image", "cannot be read; save it as 8-bit RGB")(error));
      return "refused";
    }
  };
  const eight = (count: number) => Array<number>(count).fill(8);
  const deep = (count: number) => Array<number>(count).fill(16);
  for (const [photometric, short] of [
    [0, "inverted-gray16"],
    [1, "gray16"],
  ] as const) {
    for (const depth of [1, 2, 4, 8, 32]) assert.equal(reading(photometric, [depth]), "colors", `${depth}`);
    for (const depth of [3, 12, 24, 64]) assert.equal(reading(photometric, [depth]), "refused", `${depth}`);
    for (const sampleFormat of [1, 2]) assert.equal(reading(photometric, [16], { sampleFormat }), short);
    assert.equal(reading(photometric, [8], { sampleFormat: 2 }), "signed-bytes");
    for (const sampleFormat of [2, 3]) assert.equal(reading(photometric, [32], { sampleFormat }), "colors");
    for (const [depth, sampleFormat] of [
      [16, 3],
      [8, 3],
      [4, 2],
      [32, 4],
      [16, 0],
    ])
      assert.equal(reading(photometric, [depth], { sampleFormat }), "refused", `${depth} ${sampleFormat}`);
  }
  assert.equal(reading(1, eight(2), { extra: [2] }), "colors");
  assert.equal(reading(0, eight(2), { extra: [2] }), "refused");
  for (const extra of [[0], [1], [2, 2], []])
    assert.equal(reading(1, eight(2), { extra }), "refused", `${extra}`);
  assert.equal(reading(1, eight(2), { extra: [2], sampleFormat: 2 }), "refused");
  for (const bits of [eight(3), eight(4), eight(5), deep(3), deep(4)]) {
    assert.equal(reading(2, bits), "colors", `${bits}`);
    assert.equal(reading(2, bits, { sampleFormat: 2 }), "refused");
  }
  for (const bits of [eight(1), eight(2), eight(6), deep(2), deep(5), [8, 8, 16], [5, 6, 5]])
    assert.equal(reading(2, bits), "refused", `${bits}`);
  assert.equal(reading(2, eight(4), { extra: [1] }), "multiplied");
  assert.equal(reading(2, eight(4), { extra: [2] }), "colors");
  for (const bits of [eight(3), eight(5), deep(4)])
    assert.equal(reading(2, bits, { extra: [1] }), "refused", `${bits}`);
  for (const depth of [1, 2, 4, 8]) assert.equal(reading(3, [depth]), "colors", `${depth}`);
  assert.equal(reading(3, [16]), "refused");
  assert.equal(reading(3, [8], { sampleFormat: 2 }), "refused");
  assert.equal(reading(3, eight(2), { extra: [2] }), "colors");
  assert.equal(reading(3, eight(2), { extra: [1] }), "refused");
  assert.equal(reading(5, eight(4)), "inks");
  assert.equal(reading(5, eight(5), { extra: [0] }), "inks");
  assert.equal(reading(5, deep(4)), "deep-inks");
  for (const bits of [eight(3), eight(6), deep(5)]) assert.equal(reading(5, bits), "refused", `${bits}`);
  for (const extra of [[1], [2], [0, 2]])
    assert.equal(reading(5, eight(5), { extra }), "refused", `${extra}`);
  assert.equal(reading(5, eight(4), { sampleFormat: 2 }), "refused");
  for (const compression of [6, 7]) {
    assert.equal(reading(6, eight(3), { compression }), "colors");
    assert.equal(reading(6, eight(4), { compression }), "refused");
  }
  assert.equal(reading(6, eight(3), { compression: 5 }), "refused");
  for (const [compression, name] of [
    [34925, "LZMA"],
    [50000, "Zstandard"],
    [50001, "WebP"],
    [50002, "JPEG XL"],
  ] as const)
    assert.throws(
      () => tiffReading({ ...plain, photometric: 2, bits: eight(3), compression }),
      isLuvitError("bad-image", `TIFF: compressed with ${name}, which is not read`),
    );
  const words = (photometric: number, bits: number[], more: Partial<typeof plain> = {}) => {
    try {
      return tiffReading({ ...plain, photometric, bits, ...more });
    } catch (error) {
      return (error as Error).message.replace(/^TIFF: | cannot be read.*$/g, "");
    }
  };
  for (const [photometric, name] of [
    [4, "a transparency mask"],
    [6, "YCbCr"],
    [8, "CIE L*a*b*"],
    [9, "ICC L*a*b*"],
    [10, "ITU L*a*b*"],
    [32803, "a color filter array"],
    [32844, "LogL"],
    [32845, "LogLuv"],
    [34892, "linear raw"],
    [77, "colors of kind 77"],
  ] as const)
    assert.equal(words(photometric, eight(2)), `${name} in 2 samples of 8 bits`);
  assert.equal(words(0, [12]), "gray in 1 samples of 12 bits");
  assert.equal(words(2, [5, 6, 5]), "RGB in 3 samples of 5 or 6 bits");
  assert.equal(words(3, [8], { sampleFormat: 2 }), "a palette in 1 signed samples of 8 bits");
  assert.equal(words(1, [16], { sampleFormat: 3 }), "gray in 1 floating-point samples of 16 bits");
  assert.equal(words(1, [16], { sampleFormat: 0 }), "gray in 1 mixed samples of 16 bits");
  assert.equal(
    words(5, eight(5), { extra: [1, 2], isPlanar: true }),
    "CMYK in 5 samples of 8 bits with extra samples of kind 1, 2 in separate planes",
  );
});
