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
