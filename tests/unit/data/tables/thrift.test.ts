import assert from "node:assert/strict";
import { test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { readThrift, type ThriftValue } from "../../../../src/data/tables/thrift";
import { seededRng } from "../../../support/seededRng";

/*
 * A writer of Thrift's compact protocol, from its definition: a field is (delta of its id << 4 | type), or the type and the
 * id as a zigzag varint; numbers are zigzag varints, lists (count << 4 | type of elements).
 */

type Typed = { type: number; bytes: number[]; value: ThriftValue };

function varint(value: bigint): number[] {
  const low = Number(value & 127n);
  return value < 128n ? [low] : [low | 128, ...varint(value >> 7n)];
}
const zigzag = (value: number) => varint(value >= 0 ? 2n * BigInt(value) : -2n * BigInt(value) - 1n);
const whole = (value: number, type = 6): Typed => ({ type, bytes: zigzag(value), value });
const flag = (value: boolean): Typed => ({ type: value ? 1 : 2, bytes: [], value });
const byte = (value: number): Typed => ({ type: 3, bytes: [value], value });
const text = (value: string): Typed => {
  const bytes = Buffer.from(value);
  return { type: 8, bytes: [...varint(BigInt(bytes.length)), ...bytes], value: Uint8Array.from(bytes) };
};
const double = (value: number): Typed => {
  const bytes = new Uint8Array(Float64Array.of(value).buffer);
  return { type: 7, bytes: [...bytes], value: bytes };
};
const list = (type: number, items: Typed[]): Typed => ({
  type: 9,
  bytes: [
    ...(items.length < 15 ? [(items.length << 4) | type] : [0xf0 | type, ...varint(BigInt(items.length))]),
    ...items.flatMap(({ bytes }) => bytes),
  ],
  value: items.map(({ value }) => value),
});
const truths = (values: boolean[], type: 1 | 2): Typed => ({
  type: 9,
  bytes: [(values.length << 4) | type, ...values.map((value) => (value ? 1 : 2))],
  value: values,
});

function struct(fields: [id: number, value: Typed][]): Typed {
  let last = 0;
  const bytes = fields.flatMap(([id, { type, bytes: own }]) => {
    const delta = id - last;
    last = id;
    return delta > 0 && delta < 16 ? [(delta << 4) | type, ...own] : [type, ...zigzag(id), ...own];
  });
  return { type: 12, bytes: [...bytes, 0], value: new Map(fields.map(([id, { value }]) => [id, value])) };
}

const plain = (value: ThriftValue): unknown =>
  value instanceof Uint8Array
    ? [...value]
    : Array.isArray(value)
      ? value.map(plain)
      : value instanceof Map
        ? [...value].map(([id, one]) => [id, plain(one)])
        : value;
const read = (bytes: number[], start = 0) => readThrift(Uint8Array.from(bytes), start, "x");

test("every kind of value is read as it was written, wherever in the bytes", () => {
  const made = struct([
    [1, whole(0)],
    [2, whole(-1, 4)],
    [3, whole(2 ** 40, 5)],
    [4, flag(true)],
    [5, flag(false)],
    [40, byte(200)],
    [41, text("häuser")],
    [42, double(-0.5)],
    [57, list(6, [whole(1), whole(-300), whole(63), whole(64)])],
    [
      58,
      list(
        8,
        Array.from({ length: 17 }, (_, i) => text("x".repeat(i))),
      ),
    ],
    // Both numbers of the type mean the same: writers differ.
    [59, truths([true, false, true], 1)],
    [61, truths([false, true, true, false], 2)],
    [62, whole(5)],
    [63, list(12, [struct([[1, whole(7)]]), struct([])])],
    [3, struct([[2, struct([[1, list(9, [list(3, [byte(1)])])]])]])],
  ]);
  const { value, end } = read([9, 9, ...made.bytes, 5, 5], 2);
  assert.deepEqual(plain(value), plain(made.value));
  assert.equal(end, 2 + made.bytes.length);
});

test("whatever is drawn is read back", () => {
  const rng = seededRng(3);
  const draw = (depth: number): Typed => {
    const kind = rng.integer(depth > 3 ? 5 : 7);
    if (kind === 0)
      return whole(
        rng.integer(2 ** 31) * (rng.uniform() < 0.5 ? -1 : 1) * (rng.uniform() < 0.3 ? 2 ** 20 : 1),
      );
    if (kind === 1) return flag(rng.uniform() < 0.5);
    if (kind === 2) return byte(rng.integer(256));
    if (kind === 3) return text("a".repeat(rng.integer(200)));
    if (kind === 4) return double(rng.uniform());
    if (kind === 5)
      return list(
        8,
        Array.from({ length: rng.integer(30) }, () => text("b".repeat(rng.integer(9)))),
      );
    const ids = Array.from({ length: rng.integer(6) }, (_, i) => 31 * i + 1 + rng.integer(31));
    return struct(ids.map((id) => [id, draw(depth + 1)]));
  };
  for (let round = 0; round < 200; round++) {
    const made = struct([
      [1, draw(0)],
      [2, draw(0)],
    ]);
    assert.deepEqual(plain(read(made.bytes).value), plain(made.value));
  }
});

test("what cannot be is refused with the byte", () => {
  const refused = (bytes: number[], message: string) =>
    assert.throws(
      () => read(bytes),
      (error: unknown) =>
        error instanceof LuvitError && error.code === "bad-file" && error.message === `x: ${message}`,
    );
  refused([], "ends too early at byte 0");
  refused([0x16], "ends too early at byte 1");
  refused([0x16, ...Array(10).fill(0x80), 1, 0], "a number of more than 10 bytes at byte 11");
  refused([0x18, 4, 1, 2, 3], "a length of 4 where 3 bytes are left at byte 2");
  refused([0x19, 0x53, 1, 2, 3, 4], "a list of 5 where 4 bytes are left at byte 2");
  refused([0x1a, 0], "an element of unknown type 10 at byte 1");
  refused([0x17, 1, 2, 3, 4, 5, 6, 7], "ends too early at byte 1");
  const nested = (depth: number) => [...Array(depth).fill(0x1c), ...Array(depth).fill(0), 0];
  assert.equal(read(nested(24)).end, 49);
  refused(nested(25), "structs nested too deeply at byte 25");
});
