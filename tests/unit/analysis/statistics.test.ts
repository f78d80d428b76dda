import assert from "node:assert/strict";
import { test } from "node:test";
import { meanWithInterval, seedStatistics, studentQuantile } from "../../../src/analysis/statistics";
import { assertThrows } from "../train/support";

test("Student's quantiles are those of the printed tables", () => {
  const printed: [confidence: number, degrees: number, t: number][] = [
    [0.99, 1, 63.657],
    [0.99, 2, 9.925],
    [0.99, 9, 3.25],
    [0.99, 30, 2.75],
    [0.95, 4, 2.776],
    [0.9, 120, 1.658],
  ];
  for (const [confidence, degrees, t] of printed) {
    assert.ok(Math.abs(studentQuantile(confidence, degrees) - t) < 6e-4, `${confidence}, ${degrees}`);
  }
});

test("ten seeds give mean, standard error, the paper's standard error and a 99 % interval", () => {
  const values = [83.1, 83.4, 83.2, 83.3, 83.0, 83.5, 83.2, 83.1, 83.3, 83.4];
  const { n, mean, std, standardError, paperStandardError, halfWidth, interval } = seedStatistics(values);
  assert.equal(n, 10);
  assert.ok(Math.abs(mean - 83.25) < 1e-12);
  assert.ok(Math.abs(std - Math.sqrt(0.225 / 9)) < 1e-12);
  assert.ok(Math.abs(standardError - std / Math.sqrt(10)) < 1e-15);
  assert.ok(Math.abs(paperStandardError - std / 10) < 1e-15);
  assert.ok(Math.abs(halfWidth - 3.2498 * standardError) < 1e-5);
  assert.deepEqual(interval, [mean - halfWidth, mean + halfWidth]);
  assert.ok(seedStatistics(values, 0.95).halfWidth < halfWidth);
});

test("one seed has no spread, none and broken ones are refused", () => {
  const { mean, std, halfWidth } = seedStatistics([5]);
  assert.deepEqual([mean, std, halfWidth], [5, Number.NaN, Number.NaN]);
  assertThrows(() => seedStatistics([]), "bad-argument", "expected numbers");
  assertThrows(() => seedStatistics([1, Number.NaN]), "bad-argument", "NaN");
  assertThrows(() => seedStatistics([1, 2], 1), "bad-argument", "confidence is 1");
});

test("rows of tables have the 95 % interval, and null where values are too few", () => {
  const { mean, low, high } = meanWithInterval([1, 3]);
  const half = 12.7062; // Student's t of one degree, times a standard error of 1
  assert.equal(mean, 2);
  assert.ok(Math.abs(low! - (2 - half)) < 1e-4 && Math.abs(high! - (2 + half)) < 1e-4, `${low} to ${high}`);
  assert.deepEqual(meanWithInterval([7]), { mean: 7, low: null, high: null });
  assert.deepEqual(meanWithInterval([]), { mean: null, low: null, high: null });
});
