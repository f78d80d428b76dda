import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassMapping, parseRanges, sliceMapping } from "../../../src/data/classMapping";
import { assertThrows } from "../train/support";

test("the first of equal scores decides, among those that compete", () => {
  const labels = Int32Array.of(-1, 1, 0, 1);
  const mapped = new ClassMapping("some", labels, "mapped");
  assert.deepEqual([...mapped.mappedClasses], [2, 1, 3], "by label, then by class");
  assert.equal(mapped.predict([9, 3, 3, 1]), 1);
  assert.equal(mapped.predict([9, 1, 3, 3]), 0);
  const all = new ClassMapping("all", labels, "all");
  assert.equal(all.predict([9, 1, 3, 3]), -1);
  assert.equal(all.predict([0, 1, 3, 3]), 0);
  assertThrows(() => mapped.predict([1, 2]), "shape-mismatch", "some: expected 4 scores, got 2");
});

test("a slice of classes has labels in their order, and ranges include both ends", () => {
  assert.deepEqual(parseRanges(" 3-5 9\n11-11 "), [3, 4, 5, 9, 11]);
  const slice = sliceMapping("slice", [7, 2], 9);
  assert.deepEqual([...slice.labels], [-1, -1, 0, -1, -1, -1, -1, 1, -1]);
  assert.equal(slice.competing, "mapped");
  assert.equal(sliceMapping("slice", [7, 2]).modelClasses, 1000);
});
