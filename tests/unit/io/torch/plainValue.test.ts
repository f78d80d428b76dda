import assert from "node:assert/strict";
import { test } from "node:test";
import { toPlainValue } from "../../../../src/io/torch/plainValue";

/** A value below so many lists. */
const below = (levels: number, value: unknown): unknown =>
  levels === 0 ? value : [below(levels - 1, value)];

test("settings become what JSON has, kinds it has not their names", () => {
  const given = new Map<unknown, unknown>([
    ["text", "a"],
    ["number", 0.5],
    ["nothing", null],
    ["large", 2n ** 70n],
    ["set", new Set([1, 2])],
    [3, new Map([["inner", [true, undefined]]])],
    ["bytes", Uint8Array.of(1)],
    [{}, "under a key that is no name"],
  ]);
  assert.deepEqual(toPlainValue(given), {
    ...{ text: "a", number: 0.5, nothing: null, large: "1180591620717411303424", set: [1, 2] },
    ...{ 3: { inner: [true, undefined] }, bytes: "Uint8Array" },
  });
});

test("eight levels are kept, what lies deeper is cut", () => {
  assert.deepEqual(toPlainValue(below(8, "kept")), below(8, "kept"));
  assert.deepEqual(toPlainValue(below(9, "cut")), below(9, "…"));
});

test("ten thousand values are kept, however they lie", () => {
  const flat = toPlainValue(Array.from({ length: 20_000 }, (_, i) => i)) as unknown[];
  // The list itself is one of them.
  assert.equal(flat.length, 9_999);
  assert.equal(flat.at(-1), 9_998);
  const nested = toPlainValue(Array.from({ length: 200 }, () => Array.from({ length: 200 }, () => 1)));
  const kept = (nested as unknown[]).flat().filter((value) => value === 1).length;
  assert.ok(kept > 9_900 && kept < 10_000, `${kept}`);
});

test("names that JavaScript gives a meaning are entries like others", () => {
  const found = toPlainValue(new Map([["__proto__", new Map([["depth", 1]])]])) as object;
  assert.equal((found as { depth?: number }).depth, undefined);
  assert.deepEqual(Object.keys(found), ["__proto__"]);
});
