import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boxAreas,
  boxAt,
  clipBoxes,
  countOf,
  expectBoxes,
  isFiniteBox,
  isLarger,
  joinBoxes,
  overlap,
  takeBoxes,
} from "../../../../src/models/detection/boxes";
import { isLuvitError } from "../../nn/support";

const boxes = Float32Array.of(0, 0, 4, 2, 2, 1, 6, 3, 4, 0, 8, 2, 0, 2, 4, 4);
const areas = boxAreas(boxes);
const between = (i: number, j: number) => overlap(boxes, i, areas[i], boxes, j, areas[j]);

test("areas are width times height, and an overlap what two boxes share over what they cover", () => {
  assert.deepEqual([...areas], [8, 8, 8, 8]);
  assert.equal(between(0, 0), 1);
  assert.equal(between(0, 1), Math.fround(2 / 14));
  assert.equal(between(1, 0), between(0, 1));
});

test("boxes that touch at an edge or have no area do not overlap", () => {
  assert.equal(between(0, 2), 0, "side by side");
  assert.equal(between(0, 3), 0, "one below the other");
  const flat = Float32Array.of(1, 1, 1, 2, 1, 1, 3, 1);
  for (const i of [0, 1]) assert.equal(overlap(flat, i, 0, boxes, 0, 8), 0);
  const turned = Float32Array.of(3, 2, 1, 0);
  assert.equal(overlap(turned, 0, 4, boxes, 0, 8), 0);
  const tiny = Float32Array.of(0, 0, 1e-30, 1e-30);
  assert.equal(overlap(tiny, 0, 0, tiny, 0, 0), 0, "no division of nothing by nothing");
  const lost = Float32Array.of(Number.NaN, 0, 4, 2);
  assert.equal(overlap(lost, 0, 8, boxes, 0, 8), 0);
});

test("boxes are taken by their numbers, joined, cut to an image and counted", () => {
  assert.equal(countOf(boxes), 4);
  assert.deepEqual([...takeBoxes(boxes, [3, 0])], [0, 2, 4, 4, 0, 0, 4, 2]);
  assert.deepEqual([...joinBoxes(boxAt(boxes, 1), boxAt(boxes, 2))], [2, 1, 6, 3, 4, 0, 8, 2]);
  assert.deepEqual([...joinBoxes()], []);
  const size = { height: 5, width: 7 };
  assert.deepEqual([...clipBoxes(Float32Array.of(-1, -2, 8, 9, 3, 4, 7, 5), size)], [0, 0, 7, 5, 3, 4, 7, 5]);
});

test("a box is larger than a side where both of its sides are", () => {
  assert.ok(isLarger(boxes, 0) && isLarger(boxes, 0, 1.9));
  assert.ok(!isLarger(boxes, 0, 2), "as high is not higher");
  assert.ok(!isLarger(Float32Array.of(0, 0, 2, 4), 0, 2), "as wide is not wider");
  assert.ok(!isLarger(Float32Array.of(1, 1, 1, 5), 0));
  for (let place = 0; place < 4; place++) {
    const broken = Float32Array.of(0, 0, 1, 1);
    broken[place] = Number.POSITIVE_INFINITY;
    assert.ok(!isFiniteBox(broken, 0));
  }
  assert.ok(isFiniteBox(boxes, 3));
  expectBoxes("boxes", boxes);
  assert.throws(() => expectBoxes("boxes", new Float32Array(6)), isLuvitError("shape-mismatch", "6 numbers"));
});
