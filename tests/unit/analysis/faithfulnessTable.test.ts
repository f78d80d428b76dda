import assert from "node:assert/strict";
import { test } from "node:test";
import { Faithfulness, type Row } from "../../../src/analysis/relevance/faithfulnessTable";

const row = (deletion: number[]): Row => ({
  ...{ path: "a", method: "chefer", class: 0, deletion: 0, insertion: 0, accuracy: null, iou: null },
  curves: { deletion, insertion: [0, 1] },
});

test("curves of images with other numbers of steps meet at the same shares of the pixels", () => {
  const { curves } = new Faithfulness([row([1, 0.5, 0]), row([1, 0.75, 0.5, 0.25, 0])], {});
  const rows = curves.toArray().map((one) => ({ ...one }));
  const deletion = rows.filter((one) => one.curve === "deletion");
  assert.deepEqual(
    deletion.map(({ share, mean, images }) => [share, mean, images]),
    [0, 0.25, 0.5, 0.75, 1].map((share) => [share, 1 - share, 2]),
  );
});

test("means and intervals are over the images of a method that have the measure", () => {
  const of = (path: string, method: Row["method"], deletion: number, iou: number | null): Row => ({
    ...{ path, method, class: 3, deletion, insertion: deletion + 10, accuracy: null, iou },
    curves: { deletion: [deletion, 0], insertion: [0, deletion] },
  });
  const found = new Faithfulness(
    [of("a", "chefer", 1, 0.5), of("a", "rollout", 7, null), of("b", "chefer", 3, null)],
    { model: "m", seed: 2 },
  );
  const half = 12.706204736; // Student's t of one degree, 95 %
  const rows = found.summary.toArray().map((one) => ({ ...one }));
  const near = (value: unknown) => (typeof value === "number" ? Math.round(1e6 * value) / 1e6 : value);
  assert.deepEqual(
    rows.map(({ method, measure, mean, low, high, images }) => [
      method,
      measure,
      ...[mean, low, high].map(near),
      images,
    ]),
    [
      ["chefer", "deletion", 2, ...[2 - half, 2 + half].map(near), 2],
      ["chefer", "insertion", 12, ...[12 - half, 12 + half].map(near), 2],
      ["chefer", "iou", 0.5, null, null, 1],
      ["rollout", "deletion", 7, null, null, 1],
      ["rollout", "insertion", 17, null, null, 1],
    ],
  );
  const curves = found.curves
    .toArray()
    .map(({ method, curve, share, mean, images }) => [method, curve, share, mean, images]);
  assert.deepEqual(curves, [
    ["chefer", "deletion", 0, 2, 2],
    ["chefer", "deletion", 1, 0, 2],
    ["chefer", "insertion", 0, 0, 2],
    ["chefer", "insertion", 1, 2, 2],
    ["rollout", "deletion", 0, 7, 1],
    ["rollout", "deletion", 1, 0, 1],
    ["rollout", "insertion", 0, 0, 1],
    ["rollout", "insertion", 1, 7, 1],
  ]);
  const [first] = found.table.toArray();
  assert.deepEqual(
    [first.path, first.class, first.iou, first.accuracy, first.model, first.seed],
    ["a", 3, 0.5, null, "m", 2],
  );
  assert.match(String(found), /chefer +iou +0\.500 +– to – +1/);
});
