import assert from "node:assert/strict";
import { test } from "node:test";
import { differences } from "../../../src/core/differences";

test("two values that say the same have no differences, in whatever order they say it", () => {
  const value = { encoder: { heads: 2, fusion: null }, names: ["a"], rate: 1e-6 };
  assert.deepEqual(
    differences(value, { rate: 0.000001, names: ["a"], encoder: { fusion: null, heads: 2 } }),
    [],
  );
  assert.deepEqual(differences({ a: undefined }, {}), []);
});

test("every difference is named by its path, with both values; what is not there is said", () => {
  const was = {
    encoder: { heads: 2, fusion: { after: 1 } },
    names: ["a", "b"],
    old: true,
    mix: { alpha: 1 },
  };
  const now = { encoder: { heads: 4, fusion: null }, names: ["b", "a"], fresh: "x", mix: { alpha: 1 } };
  assert.deepEqual(differences(was, now), [
    "encoder.heads: was 2, now 4",
    'encoder.fusion: was {"after":1}, now null',
    'names: was ["a","b"], now ["b","a"]',
    "old: was true, now not given",
    'fresh: was not given, now "x"',
  ]);
});
