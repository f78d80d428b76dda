import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import type { StateDict } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import { AdamW } from "../../../src/optim/adamw";
import { refuseNonFinite } from "../../../src/train/nonFinite";
import { pretrain } from "../../../src/train/pretrain";
import { Run } from "../../../src/train/run";
import { assertRejects, assertThrows, images, pretraining, temporaryFolder, tinyMae } from "./support";

before(async () => void (await startBackend()));

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

test("weights that are lost are named at the end of their epoch with the rate that the last step was made at", async (t) => {
  t.mock.method(AdamW.prototype, "state", async () => state(Number.NaN));
  const options = { ...pretraining, minLr: 0, engine: "eager", out: join(temporaryFolder(), "run") } as const;
  const run = pretrain(tinyMae(), await images(), options);
  // The third of three steps up to a peak of 1e-2 is made two thirds of the way.
  await assertRejects(run.done, "non-finite", "step 3, learning rate 6.667e-3", "other");
  assert.equal(run.latest!.lr.toExponential(3), "6.667e-3");
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
