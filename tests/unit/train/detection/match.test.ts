import assert from "node:assert/strict";
import { test } from "node:test";
import {
  areaRanges,
  countTruths,
  ignoredTruths,
  iouThresholds,
  matchGroup,
  verdictOf,
} from "../../../../src/train/detection/match";

/** Results of these areas, best score first, with their overlaps with each truth. */
function group(truths: { crowd?: boolean; area?: number }[], ious: number[][], areas?: number[]) {
  return {
    label: 0,
    truths: truths.map(({ crowd = false, area = 100 }) => ({ crowd, area })),
    results: ious.map(() => ({})),
    areas: Float64Array.from(areas ?? ious.map(() => 100)),
    ious: Float64Array.from(ious.flat()),
  } as never;
}
const at = (given: never, threshold = 0.5, range: readonly [number, number] = areaRanges.all) =>
  matchGroup(given, range, [threshold])[0];
const verdicts = (given: never, threshold?: number, range?: readonly [number, number]) => {
  const match = at(given, threshold, range);
  return Array.from(match.taken, (_, place) => verdictOf(match, place));
};
/** Of a result that is right, one that is wrong, and one that does not count. */
const [right, wrong, ignored] = [
  verdictOf({ taken: Int32Array.of(0), ignored: Uint8Array.of(0) }, 0),
  verdictOf({ taken: Int32Array.of(-1), ignored: Uint8Array.of(0) }, 0),
  verdictOf({ taken: Int32Array.of(0), ignored: Uint8Array.of(1) }, 0),
];

test("right, wrong and what does not count are told apart", () =>
  assert.equal(new Set([right, wrong, ignored]).size, 3));

test("thresholds are COCO's ten", () => {
  assert.equal(iouThresholds.length, 10);
  assert.deepEqual(
    iouThresholds.map((value) => value.toFixed(2)),
    ["0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90", "0.95"],
  );
});

test("a result takes the free truth that it overlaps most, by the threshold or more, and each truth is taken once", () => {
  const two = group(
    [{}, {}],
    [
      [0.6, 0.8],
      [0.9, 0.7],
      [0.9, 0.9],
    ],
  );
  assert.deepEqual([...at(two).taken], [1, 0, -1]);
  assert.deepEqual(verdicts(two), [right, right, wrong]);
  const one = group([{}], [[0.5]]);
  assert.deepEqual([...at(one, 0.5).taken], [0], "as much as the threshold is enough");
  assert.deepEqual([...at(one, 0.51).taken], [-1]);
  assert.deepEqual([...at(group([{}], [[1]]), 1).taken], [0], "all of it is enough for every threshold");
  assert.deepEqual([...at(group([{}, {}], [[0.7, 0.7]])).taken], [1], "of two alike the later one");
});

test("a crowd is taken again and again and counts as nothing, and an object before it is preferred", () => {
  const crowd = group(
    [{ crowd: true }, {}],
    [
      [0.9, 0.6],
      [0.9, 0.6],
      [0.8, 0.1],
    ],
  );
  assert.deepEqual([...at(crowd).taken], [1, 0, 0]);
  assert.deepEqual(verdicts(crowd), [right, ignored, ignored]);
  assert.equal(countTruths(crowd, areaRanges.all), 1);
});

test("objects of other sizes count neither as found nor as missed, with both ends of a size in it", () => {
  const sizes = group([{ area: 1023 }, { area: 1024 }, { area: 1025 }, { area: 9216 }, { area: 9217 }], []);
  assert.deepEqual(ignoredTruths(sizes, areaRanges.small), [false, false, true, true, true]);
  assert.deepEqual(ignoredTruths(sizes, areaRanges.medium), [true, false, false, false, true]);
  assert.deepEqual(ignoredTruths(sizes, areaRanges.large), [true, true, true, false, false]);
  assert.equal(countTruths(sizes, areaRanges.all), 5);
  const results = group([{ area: 100 }], [[0.1], [0.1], [0.1]], [1024, 1025, 9217]);
  assert.deepEqual(verdicts(results, 0.5, areaRanges.small), [wrong, ignored, ignored]);
  assert.deepEqual(verdicts(results, 0.5, areaRanges.medium), [wrong, wrong, ignored]);
  assert.deepEqual(verdicts(results, 0.5, areaRanges.large), [ignored, ignored, wrong]);
});

test("what takes an object of a size is right whatever its own size, and what takes one of another size is nothing", () => {
  const one = (area: number, resultArea: number, crowd = false) =>
    verdicts(group([{ area, crowd }], [[0.9]], [resultArea]), 0.5, areaRanges.small)[0];
  assert.equal(one(1000, 1100), right, "the object is small, the result is not");
  assert.equal(one(1000, 1000), right);
  assert.equal(one(1100, 1000), ignored, "the result is small, the object is not");
  assert.equal(one(1100, 1100), ignored);
  assert.equal(one(1000, 1000, true), ignored, "a crowd");
  const missed = (resultArea: number) =>
    verdicts(group([{ area: 1000 }], [[0.1]], [resultArea]), 0.5, areaRanges.small)[0];
  assert.deepEqual(
    [missed(1000), missed(1100)],
    [wrong, ignored],
    "of those that take nothing the size counts",
  );
});

test("of those that do not count the one that is overlapped most is taken, and each but a crowd once", () => {
  const range = [0, 1024] as const;
  const large = [{ area: 2000 }, { area: 2000 }];
  const two = group(large, [
    [0.6, 0.8],
    [0.7, 0.9],
    [0.9, 0.9],
  ]);
  assert.deepEqual([...at(two, 0.5, range).taken], [1, 0, -1]);
  assert.deepEqual(verdicts(two, 0.5, range), [ignored, ignored, wrong]);
  const crowds = group(
    [{ crowd: true }, { crowd: true }, {}],
    [
      [0.6, 0.8, 0.5],
      [0.6, 0.8, 0.9],
      [0.9, 0.8, 0.4],
    ],
  );
  assert.deepEqual([...at(crowds).taken], [2, 1, 0]);
});
