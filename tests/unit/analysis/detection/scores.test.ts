import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../../../../src/analysis/detection";
import { annotations, result } from "./support";

const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`);

const square = [10, 10, 40, 40] as const;

test("all found and nothing else is 1, nothing found is 0, for boxes and masks", () => {
  const truth = annotations([{ box: square }, { box: [100, 100, 50, 30], label: 1 }]);
  const right = [result(square, 0.9), result([100, 100, 50, 30], 0.2, 1)];
  for (const kind of ["bbox", "segm"] as const) {
    const { summary } = evaluate(truth, right, { kind });
    for (const name of ["AP", "AP50", "AP75", "APm", "AR1", "AR100", "ARm"] as const) near(summary[name], 1);
    near(evaluate(truth, [], { kind }).summary.AP, 0);
    assert.ok(Number.isNaN(summary.APl), "there is no large object");
  }
});

test("an overlap of exactly the threshold is enough", () => {
  const truth = annotations([{ box: [0, 0, 40, 40] }]);
  const half = evaluate(truth, [result([0, 0, 20, 40], 1)], { kind: "bbox" }).summary;
  near(half.AP50, 1);
  near(half.AP, 0.1);
});

test("a second result for an object is wrong, and of equal scores the first one is right", () => {
  const truth = annotations([{ box: square }]);
  const first = evaluate(truth, [result(square, 0.5), result([10, 10, 40, 36], 0.5)], { kind: "bbox" });
  near(first.summary.AP, 1);
  const second = evaluate(truth, [result([10, 10, 40, 36], 0.5), result(square, 0.5)], { kind: "bbox" });
  near(second.summary.AP, 0.9 + 0.1 * 0.5); // 0.9 of overlap; at 0.95 the first one is wrong
});

test("crowds take any number of results and ask for none", () => {
  const truth = annotations([{ box: square }, { box: [100, 100, 90, 90], crowd: true }]);
  const inCrowd = [result([100, 100, 20, 20], 0.95), result([140, 120, 20, 20], 0.94)];
  near(evaluate(truth, [...inCrowd, result(square, 0.5)], { kind: "bbox" }).summary.AP, 1);
  near(evaluate(truth, [result(square, 0.5)], { kind: "segm" }).summary.AP, 1);
  assert.ok(
    Number.isNaN(evaluate(annotations([{ box: square, crowd: true }]), inCrowd, { kind: "bbox" }).summary.AP),
  );
});

test("the area of the annotation decides its size, and results of other sizes do not count there", () => {
  const truth = annotations([{ box: square, area: 100 }]);
  const { summary } = evaluate(truth, [result([150, 150, 40, 40], 0.9), result(square, 0.8)], {
    kind: "bbox",
  });
  near(summary.APs, 1); // the wrong result is of medium size
  near(summary.AP50, 0.5);
  assert.ok(Number.isNaN(summary.APm));
});

test("an object of id 0 is found like any other", () => {
  const truth = annotations([{ box: square, id: 0 }]);
  near(evaluate(truth, [result(square, 1)], { kind: "bbox" }).summary.AP, 1);
  assert.match(truth.notes().join(), /id 0, which pycocotools takes for no match/);
});

test("only the best results of an image and class count, as many as asked for", () => {
  const truth = annotations([{ box: square }]);
  const results = [
    ...Array.from({ length: 3 }, (_, i) => result([150, 100, 20, 20], 0.9 - i / 100)),
    result(square, 0.1),
  ];
  near(evaluate(truth, results, { kind: "bbox" }).summary.AR100, 1);
  const few = evaluate(truth, results, { kind: "bbox", maxDetections: [1, 2, 3] });
  near(few.summary.AR100, 0);
  assert.throws(
    () => evaluate(truth, results, { kind: "bbox", maxDetections: [3, 2, 1] }),
    /three rising whole numbers/,
  );
});

test("precision over recall can be had by class and overlap", () => {
  const truth = annotations([{ box: square }, { box: [100, 10, 40, 40] }]);
  const scores = evaluate(truth, [result(square, 0.9), result([100, 100, 40, 40], 0.8)], { kind: "bbox" });
  const { recall, precision } = scores.precisionRecall({ label: "a", iou: 0.5 });
  assert.equal(recall.length, 101);
  for (const [at, value] of [
    [0, 1],
    [50, 1],
    [51, 0],
    [100, 0],
  ])
    near(precision[at], value);
  assert.ok(Number.isNaN(scores.precisionRecall({ label: "b" }).precision[0]));
  assert.throws(() => scores.precisionRecall({ label: "c" }), /there is no class c; there are a, b/);
  assert.throws(() => scores.precisionRecall({ iou: 0.42 }), /expected one of 0.5/);
});

test("scores print beside the paper's and are a table", () => {
  const truth = annotations([{ box: square }]);
  const scores = evaluate(truth, [result(square, 1)], { kind: "segm", model: "tiny" });
  assert.match(String(scores), /AP +100\.0 +44\.9 +45\.1/);
  assert.match(String(scores), /APl +– +– +–/);
  const [row] = scores.table.toArray();
  assert.deepEqual(
    [row.metric, Math.round(row.value), row.paperViT, row.paperLUViT, row.model],
    ["AP", 100, 44.9, 45.1, "tiny"],
  );
  assert.deepEqual(
    scores
      .perClass()
      .toArray()
      .map((one) => [one.class, one.AP && Math.round(one.AP)]),
    [
      ["a", 100],
      ["b", null],
    ],
  );
});

test("results without what is compared are refused", () => {
  const truth = annotations([{ box: square }]);
  const { box: _, ...maskOnly } = result(square, 1);
  assert.throws(() => evaluate(truth, [maskOnly], { kind: "bbox" }), /result 0 has no box/);
  assert.throws(() => evaluate(truth, [], {} as never), /kind: missing, expected "bbox" or "segm"/);
  assert.throws(() => evaluate({} as never, [], { kind: "bbox" }), /expected what coco.read gave/);
});
