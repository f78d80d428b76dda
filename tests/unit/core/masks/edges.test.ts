import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BoxXywh,
  boxIou,
  encodeMask,
  maskArea,
  maskBox,
  maskIou,
  mergeMasks,
} from "../../../../src/core/masks";

/** Rows of text, # inside. */
const mask = (...rows: string[]) =>
  encodeMask(
    rows.flatMap((row) => Array.from(row, (cell) => (cell === "#" ? 1 : 0))),
    rows.length,
    rows[0].length,
  );

test("a box is around all runs, those that go on in the next column from top to bottom", () => {
  assert.deepEqual(maskBox(mask("....", ".#..", "....")), [1, 1, 1, 1]);
  assert.deepEqual(maskBox(mask("..#", ".##", ".#.")), [1, 0, 2, 3]);
  assert.deepEqual(maskBox(mask(".#.", "##.", "#..")), [0, 0, 2, 3], "one run over two columns");
  assert.deepEqual(maskBox(mask("...", "#.#", "...")), [0, 1, 3, 1]);
  assert.deepEqual(maskBox(mask("##", "##")), [0, 0, 2, 2]);
  assert.deepEqual(maskBox(mask("..", "..")), [0, 0, 0, 0]);
});

test("boxes that touch, or have no size, overlap by nothing, also themselves", () => {
  const boxes: BoxXywh[] = [
    [0, 0, 2, 2],
    [2, 0, 2, 2],
    [0, 2, 2, 2],
    [1, 1, 0, 3],
    [1, 1, 3, 0],
    [1, 1, 0, 0],
  ];
  const ious = boxIou(
    boxes,
    boxes,
    boxes.map(() => 0),
  );
  for (const [at, iou] of ious.entries())
    assert.equal(iou, at % 7 === 0 && at < 21 ? 1 : 0, `${Math.floor(at / 6)}, ${at % 6}`);
  const [detection, truths] = [
    [0, 0, 4, 2] as const,
    [
      [1, 0, 2, 2],
      [3, -1, 4, 2],
    ] as const,
  ];
  assert.deepEqual([...boxIou([detection], truths, [0, 0])], [4 / 8, 1 / 15]);
  assert.deepEqual([...boxIou([detection], truths, [true, true])], [4 / 8, 1 / 8], "of a crowd");
  assert.deepEqual([...boxIou(truths, [detection], [1])], [1, 1 / 8], "of a crowd: of the detection");
});

test("masks that have one pixel in common overlap by it, those that have none do not", () => {
  const [a, b, c] = [mask("##.", "..."), mask(".##", "..."), mask("...", "#.#")];
  assert.equal(maskIou([a], [b], [false])[0], 1 / 3);
  assert.equal(maskIou([a], [b], [true])[0], 1 / 2, "of a crowd: of the detection's pixels");
  assert.equal(maskIou([a], [c], [false])[0], 0);
  assert.deepEqual([...maskIou([a, c], [b, c], [false, false])], [1 / 3, 0, 0, 1]);
  assert.deepEqual([maskArea(mergeMasks([a, b, c])), maskArea(mergeMasks([a, b], "intersection"))], [5, 1]);
});
