import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { bfloatBits, halfBits, narrowFromFloat32, widenToFloat32 } from "../../../../src/io/bytes/floats";

const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0];
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

test("every half-precision number survives widening and narrowing", () => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const wide = widenToFloat32(bytesOf(patterns), "F16");
  const narrow = new Uint16Array(narrowFromFloat32(wide, "F16").buffer);
  for (let i = 0; i < 65536; i++) {
    if (Number.isNaN(wide[i])) assert.ok((narrow[i] & 0x7c00) === 0x7c00 && (narrow[i] & 0x3ff) !== 0);
    else assert.equal(narrow[i], i);
  }
});

test("every bfloat16 number survives widening and narrowing", () => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const wide = widenToFloat32(bytesOf(patterns), "BF16");
  const narrow = new Uint16Array(narrowFromFloat32(wide, "BF16").buffer);
  for (let i = 0; i < 65536; i++) if (!Number.isNaN(wide[i])) assert.equal(narrow[i], i);
});

test("known half-precision values", () => {
  const known: [number, number][] = [
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.01, 0x0001],
    [2 ** -14, 0x0400],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [Number.NEGATIVE_INFINITY, 0xfc00],
  ];
  for (const [value, bits] of known) assert.equal(halfBits(bitsOf(value)), bits, String(value));
});

test("narrowing picks the nearest number, the even one on ties", () => {
  const rng = new Rng(7);
  for (const [dtype, convert] of [
    ["F16", halfBits],
    ["BF16", bfloatBits],
  ] as const) {
    const widened = (pattern: number) => widenToFloat32(bytesOf(Uint16Array.of(pattern)), dtype)[0];
    for (let i = 0; i < 3000; i++) {
      const value = Math.fround(rng.normal() * 2 ** (rng.integer(40) - 30));
      const chosen = convert(bitsOf(value));
      const error = Math.abs(widened(chosen) - value);
      for (const neighbor of [chosen - 1, chosen + 1]) {
        const other = Math.abs(widened(neighbor & 0xffff) - value);
        assert.ok(
          Number.isNaN(other) || error < other || (error === other && chosen % 2 === 0),
          `${dtype} ${value}`,
        );
      }
    }
  }
});

test("integers, booleans and doubles become float32", () => {
  assert.deepEqual(
    [...widenToFloat32(bytesOf(BigInt64Array.of(1n, -2n, 1n << 40n, -(1n << 62n))), "I64")],
    [1, -2, 2 ** 40, -(2 ** 62)],
  );
  assert.deepEqual([...widenToFloat32(bytesOf(Int32Array.of(7, -7)), "I32")], [7, -7]);
  assert.deepEqual([...widenToFloat32(bytesOf(Int16Array.of(-300, 300)), "I16")], [-300, 300]);
  assert.deepEqual([...widenToFloat32(bytesOf(Int8Array.of(-128, 127)), "I8")], [-128, 127]);
  assert.deepEqual([...widenToFloat32(Uint8Array.of(0, 255), "U8")], [0, 255]);
  assert.deepEqual([...widenToFloat32(Uint8Array.of(0, 1, 2), "BOOL")], [0, 1, 1]);
  assert.deepEqual(
    [...widenToFloat32(bytesOf(Float64Array.of(0.1, 1e300)), "F64")],
    [Math.fround(0.1), Infinity],
  );
});

test("bytes that start anywhere are widened", () => {
  const bytes = new Uint8Array(13);
  bytes.set(bytesOf(Float32Array.of(1.5, -2.5)), 3);
  assert.deepEqual([...widenToFloat32(bytes.subarray(3, 11), "F32")], [1.5, -2.5]);
});
