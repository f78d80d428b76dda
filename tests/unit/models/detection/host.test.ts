import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMask } from "../../../../src/core/masks";
import { Rng } from "../../../../src/core/rng";
import { findDetections } from "../../../../src/models/detection/detections";
import { pasteMask } from "../../../../src/models/detection/masks";
import { IGNORED, matchBoxes, OBJECT } from "../../../../src/models/detection/matching";
import { findProposals } from "../../../../src/models/detection/proposals";
import { binWeights, levelsOf } from "../../../../src/models/detection/roiWeights";
import { randomPermutations, sampleBoxes } from "../../../../src/models/detection/sampling";
import { bestOf, suppress } from "../../../../src/models/detection/suppress";
import { isLuvitError } from "../../nn/support";

const boxes = (...rows: number[][]) => Float32Array.from(rows.flat());

test("permutations name every place once, and repeat with their seed", () => {
  const draw = (seed: number) => [...(randomPermutations(new Rng(seed))(50, 50) as Int32Array)];
  assert.deepEqual(
    [...draw(3)].sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  );
  assert.deepEqual(draw(3), draw(3));
  assert.notDeepEqual(draw(3), draw(4));
});

test("of few boxes all are drawn, of many the share of objects that is asked for", () => {
  const permute = randomPermutations(new Rng(1));
  const labels = Int32Array.from({ length: 100 }, (_, i) => (i < 40 ? OBJECT : i < 90 ? 0 : IGNORED));
  const drawn = sampleBoxes(labels, { perImage: 32, objectShare: 0.25 }, permute);
  assert.deepEqual([drawn.objects.length, drawn.background.length], [8, 24]);
  const few = sampleBoxes(labels.slice(38, 42), { perImage: 32, objectShare: 0.5 }, permute);
  assert.deepEqual([few.objects.length, few.background.length], [2, 2]);
});

test("an image without objects has background alone", () => {
  const { labels, matched } = matchBoxes(boxes(), boxes([0, 0, 5, 5]), {
    thresholds: [0.3, 0.7],
    lowQuality: true,
  });
  assert.deepEqual([[...labels], [...matched]], [[0], [0]]);
});

test("every box that ties with the best of an object is taken for an object", () => {
  const anchors = boxes([0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]);
  const object = boxes([1, 0, 11, 10]);
  const low = matchBoxes(object, anchors, { thresholds: [0.3, 0.9], lowQuality: true });
  assert.deepEqual([...low.labels], [OBJECT, OBJECT, 0]);
  const strict = matchBoxes(object, anchors, { thresholds: [0.3, 0.9], lowQuality: false });
  assert.deepEqual([...strict.labels], [IGNORED, IGNORED, 0]);
});

test("the best of a part of a list are as sorting the whole of it says", () => {
  const rng = new Rng(5);
  const scores = Float32Array.from({ length: 200 }, () => Math.floor(rng.between(0, 20)));
  const sorted = Array.from({ length: 100 }, (_, i) => 50 + i).sort((a, b) => scores[b] - scores[a] || a - b);
  assert.deepEqual([...bestOf(scores, 50, 150, 30)], sorted.slice(0, 30));
});

test("a box that overlaps a better one by exactly the threshold stays", () => {
  const two = boxes([0, 0, 10, 10], [0, 0, 10, 5]);
  assert.deepEqual([...suppress(two, [0, 1], 0.5)], [0, 1]);
  assert.deepEqual([...suppress(two, [0, 1], 0.49)], [0]);
});

test("boxes that are not finite end a training by name, and are left out otherwise", () => {
  const output = { logits: Float32Array.of(1, 2), deltas: Float32Array.of(0, 0, 0, 0, Number.NaN, 0, 0, 0) };
  const settings = { perLevel: 10, perImage: 10, threshold: 0.7, weights: [1, 1, 1, 1] as const };
  const levels = [boxes([0, 0, 8, 8], [4, 4, 9, 9])];
  const find = (training: boolean) =>
    findProposals(output, levels, { height: 16, width: 16 }, settings, training);
  assert.deepEqual([...find(false).boxes], [0, 0, 8, 8]);
  assert.throws(() => find(true), isLuvitError("non-finite", "1 proposed boxes", "diverged"));
});

test("rows of a bin inside the map add up to 1, and those of a box without size are zeros", () => {
  const rows = new Float32Array(7 * 20);
  binWeights(2.3, 13.9, 7, 20, rows);
  for (let bin = 0; bin < 7; bin++) {
    const sum = rows.subarray(bin * 20, (bin + 1) * 20).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 1) < 1e-6);
  }
  binWeights(4, 4, 7, 20, rows);
  assert.ok(rows.every((weight) => weight === 0));
});

test("a box of 224 pixels belongs to level 4, one of 112 to level 3, the smallest and largest to the last ones", () => {
  const settings = { canonicalSize: 224, canonicalLevel: 4, lowest: 2, highest: 5 };
  const all = boxes([0, 0, 224, 224], [0, 0, 112, 112], [0, 0, 1, 1], [0, 0, 4000, 4000], [0, 0, 0, 0]);
  assert.deepEqual([...levelsOf(all, settings)], [4, 3, 2, 5, 2]);
});

test("a full mask covers its box, and nothing of a box outside the image is drawn", () => {
  const mask = new Float32Array(28 * 28).fill(1);
  const drawn = decodeMask(pasteMask(mask, boxes([1, 1, 3, 3]), { height: 4, width: 4 }));
  assert.deepEqual([...drawn], [0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
  const outside = decodeMask(pasteMask(mask, boxes([-9, -9, -5, -5]), { height: 4, width: 4 }));
  assert.ok(outside.every((pixel) => pixel === 0));
});

test("one proposal may be found as two classes, and a score of exactly the threshold does not count", () => {
  const decoded = boxes([0, 0, 4, 4], [0, 0, 4, 4]);
  const settings = { scoreThreshold: 0.05, threshold: 0.5, perImage: 10 };
  const size = { height: 8, width: 8 };
  const both = findDetections(decoded, Float32Array.of(0.5, 0.4, 0.1), 2, size, settings);
  assert.deepEqual(
    [[...both.classes], [...both.rows]],
    [
      [0, 1],
      [0, 0],
    ],
  );
  const one = findDetections(decoded, Float32Array.of(0.05, 0.9, 0.05), 2, size, settings);
  assert.deepEqual([...one.classes], [1]);
});
