import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodePart } from "../../../../../src/data/reading/readPart";

const two = (value: number) => [value >> 8, value & 255];
const segment = (marker: number, body: readonly number[]) => [0xff, marker, ...two(body.length + 2), ...body];

/** A number's bits behind the code of its size: itself, or from below 0 on one less than all ones of that size. */
const bitsOf = (value: number, size: number) =>
  size === 0 ? "" : (value > 0 ? value : value + 2 ** size - 1).toString(2).padStart(size, "0");
const sizeOf = (value: number) => (value === 0 ? 0 : Math.floor(Math.log2(Math.abs(value))) + 1);

/** The sizes 0 … 11 of first coefficients by four bits each; of others an end by 0, and size 10 by 10. */
const codes = segment(0xc4, [
  ...[0, 0, 0, 0, 12, ...Array<number>(12).fill(0), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  ...[0x10, 1, 1, ...Array<number>(14).fill(0), 0x00, 0x0a],
]);

/** A gray image of one row of blocks: the first coefficient of each, and the one of the first wave along its rows. */
function grayRow(blocks: readonly (readonly [first: number, wave: number])[], step: number): Buffer {
  let [bits, before] = ["", 0];
  for (const [first, wave] of blocks) {
    const size = sizeOf(first - before);
    bits += size.toString(2).padStart(4, "0") + bitsOf(first - before, size);
    if (wave !== 0) bits += `10${bitsOf(wave, 10)}`;
    bits += "0";
    before = first;
  }
  const bytes = (bits + "1".repeat(7)).match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2));
  return Buffer.from([
    ...[0xff, 0xd8],
    ...segment(0xdb, [0, ...Array<number>(64).fill(step)]),
    ...codes,
    ...segment(0xc0, [8, ...two(8), ...two(8 * blocks.length), 1, 1, 0x11, 0]),
    ...segment(0xda, [1, 1, 0, 0, 63, 0]),
    ...bytes.flatMap((byte) => (byte === 255 ? [255, 0] : [byte])),
    ...[0xff, 0xd9],
  ]);
}

/** Red, green and blue of all pixels of each block. */
function decodedBlocks(file: Buffer, count: number): number[][] {
  const { data } = decodePart(file, { left: 0, top: 0, width: 8 * count, height: 8 })!;
  return Array.from({ length: count }, (_, block) =>
    Array.from({ length: 8 }, (_, y) => [
      ...data.subarray(24 * (count * y + block), 24 * (count * y + block + 1)),
    ]).flat(),
  );
}

const clipped = (value: number) => Math.min(255, Math.max(0, value));

describe("a block of a JPEG file", () => {
  it("without waves is an eighth of its first coefficient above 128, rounded, and cut off at black and white", () => {
    for (const step of [1, 3, 16, 21, 99, 255]) {
      const most = Math.min(1020, Math.ceil(2300 / step));
      const by = Math.max(1, Math.floor(most / 60));
      const firsts: number[] = [];
      for (let first = -most; first <= most; first += by) firsts.push(first);
      firsts.push(-most, 0, most);
      const found = decodedBlocks(
        grayRow(
          firsts.map((first) => [first, 0]),
          step,
        ),
        firsts.length,
      );
      for (const [i, first] of firsts.entries()) {
        const level = clipped(128 + Math.floor((first * step + 4) / 8));
        assert.deepEqual(found[i], Array(192).fill(level), `${first} times ${step}`);
      }
    }
  });

  it("with a wave is the cosine series, and cut off at black and white", () => {
    const waves = [512, -512, 600, -600, 777, -777, 1023, -1023];
    const blocks = [-1010, -400, 0, 400, 1010].flatMap((first) =>
      waves.map((wave) => [first, wave] as const),
    );
    for (const step of [1, 3]) {
      const found = decodedBlocks(grayRow(blocks, step), blocks.length);
      for (const [i, [first, wave]] of blocks.entries()) {
        for (const [at, level] of found[i].entries()) {
          const x = Math.floor(at / 3) % 8;
          const cosine = Math.cos(((2 * x + 1) * Math.PI) / 16);
          const expected = clipped(128 + step * (first / 8 + (wave * cosine) / (4 * Math.SQRT2)));
          assert.ok(
            Math.abs(level - expected) < 0.6,
            `${first}, ${wave} times ${step}: ${level} for ${expected} at ${at}`,
          );
        }
      }
    }
  });
});
