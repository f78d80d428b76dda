import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateDict } from "../../../src/core/hostTensor";
import { refuseNonFinite } from "../../../src/train/nonFinite";
import { Run } from "../../../src/train/run";
import { assertThrows, tinyMae } from "./support";

const state = (...values: number[]): StateDict =>
  new Map([
    ["good", { shape: [1], data: Float32Array.of(1) }],
    ["other", { shape: [values.length], data: Float32Array.from(values) }],
  ]);

test("what is no number or without bound is not saved, named with step, rate and the last good checkpoint", () => {
  refuseNonFinite(state(0, -1, 3e38), 4, 0.5, undefined);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const refused = () => refuseNonFinite(state(1, bad), 4, 0.5, "run/checkpoint-000003");
    assertThrows(refused, "non-finite", "step 4, learning rate 5.000e-1", "other", "run/checkpoint-000003");
  }
  assertThrows(
    () => refuseNonFinite(state(Number.NaN), 1, 1, undefined),
    "non-finite",
    "none was written yet",
  );
});

test("a listener hears every record until it is told off", async () => {
  const heard: string[] = [];
  const run = new Run({
    name: "a",
    model: tinyMae(),
    totalSteps: 2,
    out: undefined,
    report: { count: 0 } as never,
    body: async ({ record }) => {
      const entry = { step: 1, epoch: 0, loss: 1, lr: 1, imagesPerSecond: 1 };
      record(entry);
      off();
      record({ ...entry, step: 2 });
    },
  });
  const off = run.onRecord(({ step }) => heard.push(`first ${step}`));
  run.onRecord(({ step }) => heard.push(`second ${step}`));
  const { stopped, history } = await run.done;
  assert.deepEqual(heard, ["first 1", "second 1", "second 2"]);
  assert.deepEqual([stopped, history.length, run.state], [false, 2, "done"]);
});
