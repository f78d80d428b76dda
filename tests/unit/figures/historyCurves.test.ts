import assert from "node:assert/strict";
import { test } from "node:test";
import { historyCurves } from "../../../src/figures";

test("curves of a metric have a point where it was measured, and none elsewhere", () => {
  const history = [
    { step: 1, loss: 3 },
    { step: 2, loss: 2, top1: 50 },
    { step: 3, loss: 1 },
    { step: 4, top1: 60 },
  ];
  const { data } = historyCurves({ run: history } as never, { metric: "top1" });
  for (const { x, y } of data)
    assert.deepEqual(
      [x, y],
      [
        [2, 4],
        [50, 60],
      ],
    );
});
