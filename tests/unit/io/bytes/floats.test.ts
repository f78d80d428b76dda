import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredDtype } from "../../../../src/core/hostTensor";
import { Rng } from "../../../../src/core/rng";
import {
  bfloatBits,
  bytesPerElement,
  halfBits,
  narrowFromFloat32,
  widenToFloat32,
} from "../../../../src/io/bytes/floats";
import { isLuvitError } from "../../nn/support";

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

test("known bfloat16 values: halves go to the even one, and what is beyond the largest to infinity", () => {
  const known: [float32: number, bfloat16: number][] = [
    [0x3f807fff, 0x3f80],
    [0x3f808000, 0x3f80],
    [0x3f808001, 0x3f81],
    [0x3f817fff, 0x3f81],
    [0x3f818000, 0x3f82],
    [0xbf808000, 0xbf80],
    [0xbf818000, 0xbf82],
    [0x00008000, 0x0000],
    [0x00018000, 0x0002],
    [0x7f7f7fff, 0x7f7f],
    [0x7f7f8000, 0x7f80],
    [0xff7fffff, 0xff80],
    [0x7f800000, 0x7f80],
    [0x80000000, 0x8000],
  ];
  for (const [bits, expected] of known) assert.equal(bfloatBits(bits), expected, bits.toString(16));
  for (const nan of [0x7f800001, 0xffffffff, 0x7fc00000]) {
    const bits = bfloatBits(nan);
    assert.ok((bits & 0x7f80) === 0x7f80 && (bits & 0x7f) !== 0, nan.toString(16));
  }
});

test("of every two neighbours of 16 bits what lies in the middle goes to the even one", () => {
  for (const [dtype, convert, infinity] of [
    ["F16", halfBits, 0x7c00],
    ["BF16", bfloatBits, 0x7f80],
  ] as const) {
    const all = widenToFloat32(bytesOf(Uint16Array.from({ length: infinity }, (_, i) => i)), dtype);
    for (let i = 0; i + 1 < infinity; i++) {
      const even = i % 2 === 0 ? i : i + 1;
      const middle = (all[i] + all[i + 1]) / 2;
      // Of bfloat16 below float32's own normals the middle is a float32 as well.
      assert.equal(convert(bitsOf(middle)), even, `${dtype} between ${i} and ${i + 1}`);
      if (i % 97 === 0) assert.equal(convert(bitsOf(-middle)), even | 0x8000, `${dtype} of -${middle}`);
    }
  }
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

test("bytes that start anywhere are widened, of every type, and numbers are narrowed from where they begin", () => {
  const two: [StoredDtype, ArrayBufferView][] = [
    ["F32", Float32Array.of(1.5, -2.5)],
    ["F64", Float64Array.of(1.5, -2.5)],
    ["F16", Uint16Array.of(0x3e00, 0xc100)],
    ["BF16", Uint16Array.of(0x3fc0, 0xc020)],
    ["I64", BigInt64Array.of(3n, -5n)],
    ["I32", Int32Array.of(3, -5)],
    ["I16", Int16Array.of(3, -5)],
    ["I8", Int8Array.of(3, -5)],
    ["U8", Uint8Array.of(3, 5)],
    ["BOOL", Uint8Array.of(1, 0)],
  ];
  for (const [dtype, values] of two) {
    const own = bytesOf(values);
    const expected = widenToFloat32(own, dtype);
    assert.equal(expected.length, 2);
    for (const before of [1, 3, 4, 8]) {
      const bytes = new Uint8Array(before + own.length + 5).fill(0x55);
      bytes.set(own, before);
      const view = bytes.subarray(before, before + own.length);
      const wide = widenToFloat32(view, dtype);
      assert.deepEqual(wide, expected, `${dtype} from byte ${before}`);
      wide.fill(9);
      assert.deepEqual(view, own, `${dtype}: the numbers are its own`);
    }
    if (bytesPerElement[dtype] > 1)
      assert.throws(() => widenToFloat32(own.subarray(1), dtype), isLuvitError("bad-file", dtype));
  }
  const some = Float32Array.of(9, 1.5, -2.5, 9).subarray(1, 3);
  for (const dtype of ["F32", "F16", "BF16"] as const)
    assert.deepEqual([...widenToFloat32(narrowFromFloat32(some, dtype), dtype)], [1.5, -2.5], dtype);
});
