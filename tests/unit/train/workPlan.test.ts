import assert from "node:assert/strict";
import { test } from "node:test";
import { partsOfSteps, planWork } from "../../../src/train/workPlan";

const luvitB = {
  ...{ accumulate: 64, totalSteps: 1000, trained: 118e6, bytesPerNumber: 4 },
  ...{ batchSeconds: 2, updateSeconds: 0.5, networkRate: 1.18e9 },
};

test("one worker sends nothing and takes its batches and AdamW", () => {
  const plan = planWork({ ...luvitB, workers: 1 });
  assert.deepEqual([plan.bytes, plan.seconds, plan.total], [0, 128.5, 128_500]);
  assert.equal(plan.efficiency, 1);
});

test("a worker sends 2 (W - 1) / W times the gradients: 473 MB of a LUViT-B with two, 916 with 32", () => {
  const megabytes = [2, 4, 32].map((workers) => Math.round(planWork({ ...luvitB, workers }).bytes / 1e6));
  assert.deepEqual(megabytes, [472, 708, 915]);
  assert.equal(planWork({ ...luvitB, workers: 2, bytesPerNumber: 2 }).bytes, 118e6 * 2);
});

test("with many workers, and with a slow network, the sum becomes what limits", () => {
  const plan = planWork({ ...luvitB, workers: 32 });
  assert.equal(plan.limit, "batches");
  assert.ok(Math.abs(plan.step.sum - 0.775) < 1e-9);
  assert.ok(Math.abs(plan.efficiency - 128.5 / (4 + 0.5 + 0.775) / 32) < 1e-12);
  assert.equal(planWork({ ...luvitB, workers: 32, networkRate: 1e8 }).limit, "sum");
  assert.equal(planWork({ ...luvitB, workers: 64, batchSeconds: 0.1 }).limit, "sum");
});

test("a batch is what a step of two takes more than a step of one; noise makes no part negative", () => {
  assert.deepEqual(partsOfSteps(2.5, 4.5), { batchSeconds: 2, updateSeconds: 0.5 });
  assert.deepEqual(partsOfSteps(2, 5), { batchSeconds: 2, updateSeconds: 0 });
  assert.deepEqual(partsOfSteps(2, 2.1), { batchSeconds: 1, updateSeconds: 1 });
});
