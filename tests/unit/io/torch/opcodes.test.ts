import assert from "node:assert/strict";
import { test } from "node:test";
import { unpickle } from "../../../../src/io/torch/pickle";
import { PickleInput } from "../../../../src/io/torch/pickleInput";
import { isLuvitError } from "../../nn/support";

/** Bytes of a pickle: numbers as they are, texts as UTF-8, numbers of 4 and 8 bytes from the low end. */
const u32 = (value: number) => [0, 8, 16, 24].map((bit) => (value >>> bit) & 255);
const u64 = (value: number) => [...u32(value), 0, 0, 0, 0];
const pickle = (...parts: (number | string | readonly number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part)] : part)));

const globals = new Map([
  [
    "m sum",
    {
      name: "m sum",
      construct: (args: readonly unknown[]) => (args as number[]).reduce((a, b) => a + b, 0),
    },
  ],
]);

function read(...parts: Parameters<typeof pickle>): unknown {
  const bytes = pickle(0x80, 4, ...parts, ".");
  const input = new PickleInput("a.pkl", bytes);
  return unpickle(input, { source: "a.pkl", globals, persistentLoad: (id) => ({ id }) });
}

/* Codes and meanings by CPython's Lib/pickletools.py. */

test("numbers of every length are read from the low end, floats from the high end", () => {
  assert.equal(read("N"), null);
  assert.deepEqual([read([0x88]), read([0x89])], [true, false]);
  assert.equal(read("K", 200), 200);
  assert.equal(read("M", [0x34, 0x12]), 0x1234);
  assert.equal(read("J", u32(-3)), -3);
  assert.equal(Number(read([0x8a], 2, [0xff, 0xff])), -1);
  assert.equal(Number(read([0x8a], 2, [0x00, 0x80])), -32768);
  assert.equal(Number(read([0x8a], 0)), 0);
  assert.equal(read([0x8a], 9, [0, 0, 0, 0, 0, 0, 0, 0, 1]), 2n ** 64n);
  assert.equal(Number(read([0x8b], u32(3), [0, 0, 1])), 65536);
  assert.equal(read("G", [0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), 1.5);
});

test("texts and bytes have their length before them, in one, four or eight bytes", () => {
  const long = "é".repeat(200);
  const bytes = Buffer.byteLength(long);
  assert.equal(read("U", 3, "abc"), "abc");
  assert.equal(read("T", u32(bytes), long), long);
  assert.equal(read("X", u32(bytes), long), long);
  assert.equal(read([0x8c], 4, "éé"), "éé");
  assert.equal(read([0x8d], u64(bytes), long), long);
  const same = (value: unknown) => Array.from(value as Uint8Array);
  assert.deepEqual(same(read("C", 2, [7, 8])), [7, 8]);
  assert.deepEqual(same(read("B", u32(3), [7, 8, 9])), [7, 8, 9]);
  assert.deepEqual(same(read([0x8e], u64(1), 9)), [9]);
  assert.deepEqual(same(read([0x96], u64(2), [1, 2])), [1, 2]);
});

test("lists, tuples, dicts and sets are filled at once, one by one or from a mark", () => {
  assert.deepEqual(read("]"), []);
  assert.deepEqual(read("]", "K", 1, "a", "K", 2, "a"), [1, 2]);
  assert.deepEqual(read("]", "(", "K", 1, "K", 2, "e"), [1, 2]);
  assert.deepEqual(read("(", "K", 1, "K", 2, "l"), [1, 2]);
  assert.deepEqual(read(")"), []);
  assert.deepEqual(read("(", "K", 1, "K", 2, "K", 3, "K", 4, "t"), [1, 2, 3, 4]);
  for (const [code, length] of [
    [0x85, 1],
    [0x86, 2],
    [0x87, 3],
  ])
    assert.deepEqual(read("]", "K", 1, "K", 2, "K", 3, [code]), [1, 2, 3].slice(-length));
  assert.deepEqual(read("}"), new Map());
  assert.deepEqual(
    read("}", "K", 1, "K", 2, "s", "K", 3, "K", 4, "s"),
    new Map([
      [1, 2],
      [3, 4],
    ]),
  );
  assert.deepEqual(
    read("}", "(", "K", 1, "K", 2, "K", 3, "K", 4, "u"),
    new Map([
      [1, 2],
      [3, 4],
    ]),
  );
  assert.deepEqual(read("(", "K", 1, "K", 2, "d"), new Map([[1, 2]]));
  assert.deepEqual(read([0x8f], "(", "K", 1, "K", 1, "K", 2, [0x90]), new Set([1, 2]));
  assert.deepEqual(read("(", "K", 1, "K", 2, [0x91]), new Set([1, 2]));
  assert.throws(
    () => read("]", "(", "K", 1, [0x90]),
    isLuvitError("bad-file", "adds to something that is no set"),
  );
});

test("what is on the stack is dropped, doubled, and remembered under a number", () => {
  assert.equal(read("K", 1, "K", 2, "0"), 1);
  assert.equal(read("K", 1, "(", "K", 2, "K", 3, "1"), 1);
  assert.deepEqual(read("]", "K", 5, "2", [0x86], "a"), [[5, 5]]);
  assert.deepEqual(read("]", "q", 9, "h", 9, [0x86]), [[], []]);
  assert.deepEqual(read("K", 4, "r", u32(300), "0", "j", u32(300)), 4);
  assert.deepEqual(read("K", 4, [0x94], "K", 5, [0x94], "0", "0", "h", 0, "h", 1, [0x86]), [4, 5]);
  assert.throws(() => read("h", 3), isLuvitError("bad-file"));
});

test("names are called only where they are allowed; ids outside the pickle are asked for", () => {
  assert.equal(read("cm\nsum\n", "K", 1, "K", 2, [0x86], "R"), 3);
  assert.equal(read([0x8c], 1, "m", [0x8c], 3, "sum", [0x93], "K", 1, "K", 2, [0x86], [0x81]), 3);
  assert.deepEqual(read("K", 7, "Q"), { id: 7 });
  assert.throws(() => read("cos\nsystem\n", ")", "R"), isLuvitError("refused-file", "os", "system"));
  for (const code of [0x69, 0x6f, 0x82, 0x92]) // INST, OBJ, EXT1, NEWOBJ_EX
    assert.throws(() => read("(", [code], 0, 0), isLuvitError("refused-file"));
});
