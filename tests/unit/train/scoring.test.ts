import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassMapping, sliceMapping } from "../../../src/data/classMapping";
import { judge, mappingFor } from "../../../src/train/scoring";
import { assertThrows } from "./support";

const logs = (probabilities: readonly number[]) => Float32Array.from(probabilities, Math.log);
const close = (a: number | null, b: number) => assert.ok(Math.abs(a! - b) < 1e-6, `${a}, not ${b}`);

test("plain scores: the best class answers, five are ranked, the loss is the label's", () => {
  const scores = logs([0.05, 0.1, 0.3, 0.2, 0.15, 0.12, 0.08]);
  const first = judge(scores, 2);
  assert.deepEqual([first.prediction, first.inTop5], [2, true]);
  close(first.loss, -Math.log(0.3));
  assert.deepEqual(
    [judge(scores, 1).inTop5, judge(scores, 6).inTop5, judge(scores, 0).inTop5],
    [true, false, false],
  );
});

test("of equal scores the first is the better one", () => {
  const even = new Float32Array(7).fill(-1);
  assert.deepEqual(
    [0, 4, 5].map((label) => judge(even, label)).map(({ prediction, inTop5 }) => [prediction, inTop5]),
    [
      [0, true],
      [0, true],
      [0, false],
    ],
  );
});

test("a slice of classes competes alone, and its loss is of the slice", () => {
  const scores = logs([0.5, 0.1, 0.05, 0.3, 0.05]);
  const mapping = sliceMapping("slice", [1, 3], 5);
  const { prediction, inTop5, loss } = judge(scores, 0, mapping);
  assert.deepEqual([prediction, inTop5], [1, true]);
  close(loss, -Math.log(0.1 / 0.4));
});

test("a slice's classes are in the model's order, whatever order they are named in", () => {
  const labels = (classes: readonly number[]) => [...sliceMapping("slice", classes, 6).labels];
  assert.deepEqual(labels([5, 1, 3]), [-1, 0, -1, 1, -1, 2]);
  assert.deepEqual(labels([5, 1, 3]), labels([1, 3, 5]));
});

test("where all classes compete the best decides, and one without a label is wrong", () => {
  const mapping = new ClassMapping("nine", Int32Array.of(0, -1, 1), "all");
  assert.deepEqual(judge(logs([0.1, 0.7, 0.2]), 0, mapping), { prediction: -1, inTop5: null, loss: null });
  assert.equal(judge(logs([0.1, 0.2, 0.7]), 1, mapping).prediction, 1);
});

test("scores that are not numbers are right nowhere", () => {
  const broken = Float32Array.of(Number.NaN, 0, 0);
  for (const mapping of [
    undefined,
    sliceMapping("s", [0, 1], 3),
    new ClassMapping("n", Int32Array.of(0, 1, 1), "all"),
  ]) {
    assert.equal(judge(broken, 0, mapping).prediction, -1);
  }
});

test("a set is answered class by class, or through its mapping, or not at all", () => {
  const mapping = sliceMapping("slice", [1, 3], 5);
  const two = { classes: ["a", "b"], mapping };
  assert.equal(mappingFor(two, 5, "here"), mapping);
  assert.equal(mappingFor(two, 2, "here"), undefined);
  assert.equal(mappingFor({ classes: ["a", "b"] }, 5, "here"), undefined);
  assertThrows(() => mappingFor(two, 4, "here"), "bad-argument", "2 classes", "head has 4", "or 5 (slice)");
  assertThrows(
    () => mappingFor({ classes: ["a", "b"] }, 1, "here"),
    "bad-argument",
    "2 classes, the model's head has 1",
  );
});
