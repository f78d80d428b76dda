import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { anchorsOf, anchorsPerPlace, cellAnchors } from "../../../../src/models/detection/anchors";
import { decodeBoxes, encodeBoxes } from "../../../../src/models/detection/codec";
import { findDetections, rescaleBoxes } from "../../../../src/models/detection/detections";
import { BACKGROUND, IGNORED, matchBoxes, OBJECT } from "../../../../src/models/detection/matching";
import { poolBoxes } from "../../../../src/models/detection/pool";
import { findProposals } from "../../../../src/models/detection/proposals";
import { randomPermutations, sampleBoxes } from "../../../../src/models/detection/sampling";
import { bestOf, byScore, suppress } from "../../../../src/models/detection/suppress";

const boxes = (...rows: number[][]) => Float32Array.from(rows.flat());
const rounded = (values: ArrayLike<number>) => Array.from(values, (x) => Number(x.toFixed(4)));

test("a score that is not a number counts as the greatest, and of equal scores the first comes first", () => {
  const scores = Float32Array.of(1, Number.NaN, 3, 3, -1);
  assert.deepEqual([...byScore(scores, [0, 1, 2, 3, 4])], [1, 2, 3, 0, 4]);
  assert.deepEqual([...byScore(scores, [4, 3, 2])], [2, 3, 4]);
  assert.deepEqual([...bestOf(scores, 0, 5, 2)], [1, 2]);
  assert.deepEqual([...bestOf(scores, 2, 5, 2)], [2, 3]);
});

test("no more boxes are kept than asked for, and those that touch nothing are kept", () => {
  const three = boxes([0, 0, 4, 4], [0, 0, 4, 4], [9, 9, 12, 12]);
  assert.deepEqual([...suppress(three, [2, 0, 1], 0.5)], [2, 0]);
  assert.deepEqual([...suppress(three, [2, 0, 1], 0.5, 1)], [2]);
  assert.deepEqual([...suppress(three, [2, 0, 1], 1)], [2, 0, 1]);
});

test("every place is as likely as any other to be drawn first, second and third", () => {
  const permute = randomPermutations(new Rng(11));
  const counts = Array.from({ length: 3 }, () => new Int32Array(4));
  for (let i = 0; i < 4000; i++) {
    const drawn = permute(4, 3);
    assert.equal(new Set(Array.from(drawn)).size, 3);
    for (let turn = 0; turn < 3; turn++) counts[turn][drawn[turn]]++;
  }
  for (const turn of counts) for (const count of turn) assert.ok(Math.abs(count - 1000) < 150, `${count}`);
});

test("of an odd number of samples the objects have the smaller half; what objects leave, background fills", () => {
  const inOrder = (_: number, count: number) => Int32Array.from({ length: count }, (_, i) => i);
  const labels = Int32Array.of(OBJECT, OBJECT, OBJECT, 0, 0, 0, 0, 0, 0, IGNORED);
  const odd = sampleBoxes(labels, { perImage: 5, objectShare: 0.5 }, inOrder);
  assert.deepEqual(
    [[...odd.objects], [...odd.background]],
    [
      [0, 1],
      [3, 4, 5],
    ],
  );
  const few = sampleBoxes(labels, { perImage: 8, objectShare: 0.75 }, inOrder);
  assert.deepEqual([few.objects.length, few.background.length], [3, 5]);
});

test("an anchor's ratio is its height over its width, at the area of its size, centered in its place", () => {
  assert.deepEqual(rounded(cellAnchors([8], [4, 0.25])), [-2, -8, 2, 8, -8, -2, 8, 2]);
  const settings = { strides: [4, 8], sizes: [[2], [4]], ratios: [1, 1], offset: 0.5 };
  assert.equal(anchorsPerPlace(settings), 2);
  const [first, second] = anchorsOf(settings, [
    { height: 1, width: 2 },
    { height: 2, width: 1 },
  ]);
  assert.deepEqual([...first.subarray(0, 4), ...first.subarray(8, 12)], [1, 1, 3, 3, 5, 1, 7, 3]);
  assert.deepEqual([...second.subarray(0, 4), ...second.subarray(8, 12)], [2, 2, 6, 6, 2, 10, 6, 14]);
});

test("deltas that lead from one box to another lead back; each has its own weight", () => {
  const [from, to] = [boxes([2, 3, 10, 7], [0, 0, 5, 20]), boxes([4, 1, 8, 9], [1, 2, 11, 12])];
  const weights = [10, 5, 2, 3] as const;
  const deltas = encodeBoxes(from, to, weights);
  assert.deepEqual(rounded(decodeBoxes(from, deltas, weights)), [...to]);
  assert.deepEqual(
    rounded(deltas.subarray(0, 4)),
    [0, 0, 2 * Math.log(4 / 8), 3 * Math.log(8 / 4)].map((x) => Number(x.toFixed(4))),
  );
  assert.deepEqual(rounded(encodeBoxes(boxes([0, 0, 4, 2]), boxes([1, 1, 5, 3]), weights)), [2.5, 2.5, 0, 0]);
});

test("a box grows to 62.5 times its size at most, along each axis, and shrinks as it likes", () => {
  const grown = decodeBoxes(boxes([0, 0, 2, 4]), Float32Array.of(0, 0, 9, 9), [1, 1, 1, 1]);
  assert.deepEqual(rounded(grown), [1 - 62.5, 2 - 125, 1 + 62.5, 2 + 125]);
  const limited = decodeBoxes(boxes([0, 0, 2, 2]), Float32Array.of(0, 0, 9, -9), [1, 1, 1, 1], Math.log(3));
  const half = Math.exp(-9);
  assert.deepEqual(rounded(limited), rounded([-2, 1 - half, 4, 1 + half]));
});

test("deltas are divided by their weights before growth is limited, each by its own", () => {
  const decode = (...deltas: number[]) =>
    rounded(decodeBoxes(boxes([0, 0, 2, 4]), Float32Array.from(deltas), [10, 20, 5, 4]));
  const [wide, high] = [Math.E ** (10 / 5), Math.E ** (10 / 4)];
  assert.deepEqual(decode(0, 0, 10, 10), rounded([1 - wide, 2 - 2 * high, 1 + wide, 2 + 2 * high]));
  assert.deepEqual(decode(0, 0, 99, 99), rounded([1 - 62.5, 2 - 125, 1 + 62.5, 2 + 125]));
  assert.deepEqual(decode(10, 10, 0, 0), rounded([2, 2, 4, 6]), "a whole width, half a height");
  assert.deepEqual(decode(99, 0, 0, 0), rounded([19.8, 0, 21.8, 4]), "shifts have no limit");
});

test("an overlap of exactly the upper threshold makes an object, one of the lower is ignored, the first of equal objects is had", () => {
  const objects = boxes([0, 0, 4, 4], [0, 0, 4, 4]);
  const anchors = boxes([0, 0, 4, 4], [0, 0, 4, 2], [0, 0, 4, 1], [0, 0, 2, 1], [20, 20, 24, 24]);
  const { labels, matched, overlaps, bestOfObject } = matchBoxes(objects, anchors, {
    thresholds: [0.25, 0.5],
    lowQuality: false,
  });
  assert.deepEqual([...labels], [OBJECT, OBJECT, IGNORED, BACKGROUND, BACKGROUND]);
  assert.deepEqual([...matched], [0, 0, 0, 0, 0]);
  assert.deepEqual([...overlaps], [1, 0.5, 0.25, 0.125, 0]);
  assert.deepEqual([...bestOfObject], [1, 1]);
  const single = matchBoxes(objects, anchors, { thresholds: [0.25], lowQuality: false });
  assert.deepEqual([...single.labels], [OBJECT, OBJECT, OBJECT, BACKGROUND, BACKGROUND]);
});

test("pooling sees the map under a box, channel by channel, and nothing under one without size", () => {
  const map = { level: 2, stride: 4, height: 4, width: 4, data: new Float32Array(32) };
  for (let i = 0; i < 16; i++) map.data.set([i % 4, Math.floor(i / 4)], 2 * i);
  const pooled = poolBoxes([map], boxes([4, 0, 12, 16], [6, 6, 6, 6]), Int32Array.of(2, 2), 2, 3);
  assert.equal(pooled.length, 3 * 2 * 2 * 2);
  // Cells are half a place to the left: from place 0.5 to 2.5, and from -0.5 to 3.5, where the border's values go on.
  assert.deepEqual(rounded(pooled.subarray(0, 8)), [1, 0.5, 2, 0.5, 1, 2.5, 2, 2.5]);
  assert.ok(pooled.subarray(8).every((x) => x === 0));
});

test("of all classes together the best detections are kept, with the proposals they come from", () => {
  const size = { height: 100, width: 100 };
  const places = [0, 20, 40, 60].map((x) => [x, 0, x + 10, 10]);
  const decoded = boxes(...places.flatMap((place) => [place, place]));
  const probabilities = Float32Array.of(0.6, 0.1, 0.3, 0.1, 0.7, 0.2, Number.NaN, 0.9, 0, 0.2, 0.3, 0.5);
  const settings = { scoreThreshold: 0.15, threshold: 0.5, perImage: 3 };
  const found = findDetections(decoded, probabilities, 2, size, settings);
  assert.deepEqual([...found.classes], [1, 0, 1]);
  assert.deepEqual([...found.scores], [...Float32Array.of(0.7, 0.6, 0.3)]);
  assert.deepEqual([...found.rows], [1, 0, 2], "numbers of rows without those that are not finite");
  assert.deepEqual([...found.boxes.subarray(0, 4)], [20, 0, 30, 10]);
  const single = Math.fround(0.1);
  const same = findDetections(decoded.slice(0, 8), Float32Array.of(single, 0.5, 0.4), 2, size, {
    ...settings,
    scoreThreshold: 0.1,
  });
  assert.deepEqual(
    [...same.classes],
    [1],
    "a score that is the threshold in single precision does not count",
  );
});

test("boxes are stretched along each axis to the image, cut, and gone where nothing is left", () => {
  const { boxes: found, kept } = rescaleBoxes(
    boxes([0, 0, 10, 10], [50, 0, 60, 10], [8, 8, 30, 30]),
    { height: 20, width: 20 },
    { height: 40, width: 10 },
  );
  assert.deepEqual(
    [[...kept], [...found]],
    [
      [0, 2],
      [0, 0, 5, 20, 4, 16, 10, 40],
    ],
  );
});

test("proposals are the best of every level, then of all, cut to the image and wider than the least size", () => {
  const levels = [boxes([0, 0, 8, 8], [0, 8, 8, 16], [8, 8, 30, 30]), boxes([8, 0, 16, 8], [2, 2, 3, 16])];
  const output = { logits: Float32Array.of(1, 5, 4, 2, 9), deltas: new Float32Array(20) };
  const settings = { perLevel: 2, perImage: 3, threshold: 0.7, weights: [1, 1, 1, 1] as const };
  const image = { height: 16, width: 16 };
  const all = findProposals(output, levels, image, settings, true);
  assert.deepEqual([...all.logits], [9, 5, 4]);
  assert.deepEqual([...all.boxes], [2, 2, 3, 16, 0, 8, 8, 16, 8, 8, 16, 16]);
  const wide = findProposals(output, levels, image, { ...settings, leastSize: 1 }, true);
  assert.deepEqual([...wide.logits], [5, 4, 2], "a box of exactly the least size is too small");
});

test("what lies outside the image is nobody's proposal, and takes no place of one inside", () => {
  const levels = [boxes([20, 2, 28, 9], [-9, 0, 0, 8], [0, 0, 8, 8], [4, 16, 9, 20])];
  const output = { logits: Float32Array.of(9, 8, 1, 7), deltas: new Float32Array(16) };
  const settings = { perLevel: 4, perImage: 1, threshold: 0.7, weights: [1, 1, 1, 1] as const };
  const found = findProposals(output, levels, { height: 16, width: 16 }, settings, true);
  assert.deepEqual([[...found.boxes], [...found.logits]], [[0, 0, 8, 8], [1]]);
});
