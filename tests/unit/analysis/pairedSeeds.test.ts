import assert from "node:assert/strict";
import { test } from "node:test";
import { pairedDifference, type Verdict, verdictOfAll } from "../../../src/analysis";
import { studentQuantile } from "../../../src/analysis/statistics";

const seeds = (...values: number[]) => new Map(values.map((value, seed) => [seed, value]));
const plain = seeds(80, 84, 82, 78, 81);
const better = seeds(82.1, 85.9, 84.2, 80, 82.9);
const mixed = seeds(82, 82, 85, 77, 80);

test("a difference whose whole interval has the claimed sign is support, with the other sign it is against", () => {
  assert.equal(pairedDifference(better, plain, "higher").verdict, "supported");
  assert.equal(pairedDifference(better, plain, "lower").verdict, "against");
  assert.equal(pairedDifference(plain, better, "lower").verdict, "supported");
});

test("an interval that holds 0, or a single pair, shows nothing", () => {
  assert.equal(pairedDifference(mixed, plain, "higher").verdict, "not seen");
  assert.equal(pairedDifference(seeds(99), plain, "higher").verdict, "not seen");
  assert.match(String(pairedDifference(seeds(99), plain, "higher")), /fewer than two seeds pair/);
});

test("the interval is that of the mean of differences, 99 % by Student's t", () => {
  const { statistics } = pairedDifference(better, plain, "higher");
  const differences = [2.1, 1.9, 2.2, 2, 1.9];
  const mean = differences.reduce((a, b) => a + b) / 5;
  const std = Math.sqrt(differences.reduce((a, b) => a + (b - mean) ** 2, 0) / 4);
  assert.ok(Math.abs(statistics!.mean - mean) < 1e-9);
  assert.ok(Math.abs(statistics!.halfWidth - (studentQuantile(0.99, 4) * std) / Math.sqrt(5)) < 1e-9);
  assert.equal(studentQuantile(0.99, 4).toFixed(4), "4.6041");
});

test("seeds that only one of the two has are left out", () => {
  const two = new Map([
    [1, 86],
    [4, 83.1],
    [9, 0],
  ]);
  assert.equal(pairedDifference(two, plain, "higher").statistics!.n, 2);
});

test("a claim of several parts needs all of them, and one is enough against it", () => {
  const of = (...words: Verdict[]) => verdictOfAll(words);
  assert.equal(of("supported", "supported"), "supported");
  assert.equal(of("supported", "not seen"), "not seen");
  assert.equal(of("supported", "not seen", "against"), "against");
});

test("a difference is told in one line, with its sign, and a line at zero is no support", () => {
  assert.match(
    String(pairedDifference(better, plain, "higher")),
    /^\+2\.02 ± 0\.27 over 5 seeds: supported$/,
  );
  assert.match(String(pairedDifference(plain, better, "higher")), /^-2\.02 ± 0\.27 over 5 seeds: against$/);
  const same = pairedDifference(plain, plain, "higher");
  assert.deepEqual([same.statistics!.interval, same.verdict], [[0, 0], "not seen"]);
  assert.equal(pairedDifference(plain, plain, "lower").verdict, "not seen");
});
