import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, table2 } from "../../../../src/analysis/detection";
import { annotations, result } from "./support";

const square = [10, 10, 40, 40] as const;
const truth = annotations([{ box: square }]);
const results = [result(square, 0.9)];

test("own detectors stand below the paper's and detectron2's, with their sources", async () => {
  const bbox = await evaluate(truth, results, { kind: "bbox" });
  const segm = await evaluate(truth, [], { kind: "segm" });
  const made = table2({ mine: { bbox, segm }, boxes: { bbox } });
  const rows = made.table.toArray().map((row) => row.toJSON());
  const numbers = rows.map(({ boxAP, boxAP50, boxAP75, maskAP, maskAP50, maskAP75 }) =>
    [boxAP, boxAP50, boxAP75, maskAP, maskAP50, maskAP75].map((value) =>
      value === null ? null : Number(value.toFixed(1)),
    ),
  );
  assert.deepEqual(numbers, [
    [50.6, 71, 55.5, 44.9, 68.2, 48.7],
    [51.1, 71.5, 55.9, 45.1, 68.8, 48.8],
    [51.6, null, null, 45.9, null, null],
    [100, 100, 100, 0, 0, 0],
    [100, 100, 100, null, null, null],
  ]);
  assert.deepEqual(
    rows.map(({ code, source }) => [code, source]),
    [
      ["mmdetection", "LUViT, Table 2"],
      ["mmdetection", "LUViT, Table 2"],
      ["detectron2", "detectron2 projects/ViTDet"],
      ["luvit", "own, not val2017: 1 images, 2 classes"],
      ["luvit", "own, not val2017: 1 images, 2 classes"],
    ],
  );
  assert.match(String(made), /LUViT-B\/16 +51.1 +71.5 +55.9 +45.1 +68.8 +48.8 +mmdetection/);
});

test("scores of the other kind, and none, are refused", async () => {
  const bbox = await evaluate(truth, results, { kind: "bbox" });
  assert.throws(() => table2({ mine: { segm: bbox } }), /segm of mine is of the other kind/);
  assert.throws(() => table2({ mine: {} }), /neither boxes nor masks/);
  assert.throws(() => table2({ mine: { bbox: 3 } } as never), /what coco.evaluate gave/);
  assert.equal(table2().table.numRows, 3);
});
