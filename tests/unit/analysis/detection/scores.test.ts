import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsByKind, evaluate } from "../../../../src/analysis/detection";
import type { CocoAnnotations, CocoResult } from "../../../../src/data/coco";
import { assertRejects } from "../../io/support";
import { annotations, result } from "./support";

const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`);

const square = [10, 10, 40, 40] as const;

test("all found and nothing else is 1, nothing found is 0, for boxes and masks", async () => {
  const truth = annotations([{ box: square }, { box: [100, 100, 50, 30], label: 1 }]);
  const right = [result(square, 0.9), result([100, 100, 50, 30], 0.2, 1)];
  for (const kind of ["bbox", "segm"] as const) {
    const { summary } = await evaluate(truth, right, { kind });
    for (const name of ["AP", "AP50", "AP75", "APm", "AR1", "AR100", "ARm"] as const) near(summary[name], 1);
    near((await evaluate(truth, [], { kind })).summary.AP, 0);
    assert.ok(Number.isNaN(summary.APl), "there is no large object");
  }
});

test("an overlap of exactly the threshold is enough", async () => {
  const truth = annotations([{ box: [0, 0, 40, 40] }]);
  const half = (await evaluate(truth, [result([0, 0, 20, 40], 1)], { kind: "bbox" })).summary;
  near(half.AP50, 1);
  near(half.AP, 0.1);
});

test("a second result for an object is wrong, and of equal scores the first one is right", async () => {
  const truth = annotations([{ box: square }]);
  const first = await evaluate(truth, [result(square, 0.5), result([10, 10, 40, 36], 0.5)], { kind: "bbox" });
  near(first.summary.AP, 1);
  const second = await evaluate(truth, [result([10, 10, 40, 36], 0.5), result(square, 0.5)], {
    kind: "bbox",
  });
  near(second.summary.AP, 0.9 + 0.1 * 0.5); // 0.9 of overlap; at 0.95 the first one is wrong
});

test("crowds take any number of results and ask for none", async () => {
  const truth = annotations([{ box: square }, { box: [100, 100, 90, 90], crowd: true }]);
  const inCrowd = [result([100, 100, 20, 20], 0.95), result([140, 120, 20, 20], 0.94)];
  near((await evaluate(truth, [...inCrowd, result(square, 0.5)], { kind: "bbox" })).summary.AP, 1);
  near((await evaluate(truth, [result(square, 0.5)], { kind: "segm" })).summary.AP, 1);
  assert.ok(
    Number.isNaN(
      (await evaluate(annotations([{ box: square, crowd: true }]), inCrowd, { kind: "bbox" })).summary.AP,
    ),
  );
});

test("the area of the annotation decides its size, and results of other sizes do not count there", async () => {
  const truth = annotations([{ box: square, area: 100 }]);
  const { summary } = await evaluate(truth, [result([150, 150, 40, 40], 0.9), result(square, 0.8)], {
    kind: "bbox",
  });
  near(summary.APs, 1); // the wrong result is of medium size
  near(summary.AP50, 0.5);
  assert.ok(Number.isNaN(summary.APm));
});

test("an object of id 0 is found like any other", async () => {
  const truth = annotations([{ box: square, id: 0 }]);
  near((await evaluate(truth, [result(square, 1)], { kind: "bbox" })).summary.AP, 1);
  assert.match(truth.notes().join(), /id 0, which pycocotools takes for no match/);
});

test("only the best results of an image and class count, as many as asked for", async () => {
  const truth = annotations([{ box: square }]);
  const results = [
    ...Array.from({ length: 3 }, (_, i) => result([150, 100, 20, 20], 0.9 - i / 100)),
    result(square, 0.1),
  ];
  near((await evaluate(truth, results, { kind: "bbox" })).summary.AR100, 1);
  const few = await evaluate(truth, results, { kind: "bbox", maxDetections: [1, 2, 3] });
  near(few.summary.AR100, 0);
  await assert.rejects(
    () => evaluate(truth, results, { kind: "bbox", maxDetections: [3, 2, 1] }),
    /three rising whole numbers/,
  );
});

test("precision over recall can be had by class and overlap", async () => {
  const truth = annotations([{ box: square }, { box: [100, 10, 40, 40] }]);
  const scores = await evaluate(truth, [result(square, 0.9), result([100, 100, 40, 40], 0.8)], {
    kind: "bbox",
  });
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

test("scores print beside the paper's and are a table", async () => {
  const truth = annotations([{ box: square }]);
  const scores = await evaluate(truth, [result(square, 1)], { kind: "segm", model: "tiny" });
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

test("results without what is compared are refused", async () => {
  const truth = annotations([{ box: square }]);
  const { box: _, ...maskOnly } = result(square, 1);
  await assert.rejects(() => evaluate(truth, [maskOnly], { kind: "bbox" }), /result 0 has no box/);
  await assert.rejects(() => evaluate(truth, [], {} as never), /kind: missing, expected "bbox" or "segm"/);
  await assert.rejects(() => evaluate({} as never, [], { kind: "bbox" }), /expected what coco.read gave/);
});

test("results that cannot be compared are refused, all of them named", async () => {
  const truth = annotations([{ box: square }]);
  const good = result(square, 1);
  const wrong = [
    good,
    { ...good, imageId: 5 },
    { ...good, categoryId: 7 },
    { ...good, score: Number.NaN },
    { ...good, box: [1, 2, Number.POSITIVE_INFINITY, 4] as const },
    null as never,
  ];
  const lines = [
    "5 of 6 results cannot be used",
    "result 1 is of image 5, which is not there",
    "result 2 is of category 7, which is not there",
    "result 3 has the score NaN",
    "result 4 has the box [1, 2, Infinity, 4]",
    "result 5 is no object but null",
  ];
  for (const line of lines)
    await assertRejects(() => evaluate(truth, wrong, { kind: "bbox" }), "bad-argument", line);
  const small = { ...good, mask: { height: 10, width: 10, counts: Uint32Array.of(100) } };
  const message = "result 0 has a mask of 10 x 10 pixels on an image of 200 x 200";
  await assertRejects(() => evaluate(truth, [small], { kind: "segm" }), "bad-argument", message);
  await assertRejects(() => errorsByKind(truth, [small], { kind: "segm" }), "bad-argument", message);
});

/** Enough to take many turns. */
function many() {
  const images = 60;
  const truths = Array.from({ length: 20 * images }, (_, i) => {
    return { box: [i % 90, i % 70, 20, 30] as const, image: 1 + (i % images), label: i % 2 };
  });
  const results = truths.flatMap(({ box, label, image }) =>
    Array.from({ length: 6 }, (_, i) => ({
      imageId: image,
      categoryId: 10 * (label + 1),
      score: 1 / (1 + i),
      box: [box[0] + i, box[1], box[2], box[3]] as const,
    })),
  );
  return { truth: annotations(truths, images), results };
}

for (const [name, compare] of [
  ["scores", (truth, results, signal) => evaluate(truth, results, { kind: "bbox", signal })],
  ["errors", (truth, results, signal) => errorsByKind(truth, results, { signal })],
] as [string, (truth: CocoAnnotations, results: CocoResult[], signal?: AbortSignal) => Promise<unknown>][]) {
  test(`other work goes on while ${name} are computed, and can end it`, async () => {
    const { truth, results } = many();
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await compare(truth, results).finally(() => {
      isDone = true;
    });
    assert.ok(turns > 3, `${turns}`);
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    await assertRejects(() => compare(truth, results, stop.signal), "interrupted", "was stopped");
  });
}
