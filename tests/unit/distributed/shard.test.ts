import assert from "node:assert/strict";
import { test } from "node:test";
import { shardHere } from "../../../src/distributed/shard";

test("a task of a SLURM array has its part, wherever the array begins and whatever its step", () => {
  const array = { SLURM_ARRAY_TASK_ID: "3", SLURM_ARRAY_TASK_COUNT: "4", SLURM_ARRAY_TASK_MIN: "0" };
  assert.deepEqual(shardHere(undefined, array), { index: 4, count: 4 });
  const odd = { SLURM_ARRAY_TASK_ID: "5", SLURM_ARRAY_TASK_COUNT: "4", SLURM_ARRAY_TASK_MIN: "1" };
  assert.deepEqual(shardHere(undefined, { ...odd, SLURM_ARRAY_TASK_STEP: "2" }), { index: 3, count: 4 });
});

test("an indexed job of Kubernetes has its part of what was said, and says so where nothing was", () => {
  assert.deepEqual(shardHere(8, { JOB_COMPLETION_INDEX: "0" }), { index: 1, count: 8 });
  assert.throws(() => shardHere(undefined, { JOB_COMPLETION_INDEX: "0" }), /auto\/8/);
});

test("a worker of mpirun has the part of its rank", () => {
  const worker = { OMPI_COMM_WORLD_RANK: "2", OMPI_COMM_WORLD_SIZE: "4" };
  assert.deepEqual(shardHere(undefined, worker), { index: 3, count: 4 });
});

test("without any of them, and beyond the last part, it is refused", () => {
  assert.throws(() => shardHere(undefined, {}), /--shard 1\/8/);
  assert.throws(() => shardHere(4, { JOB_COMPLETION_INDEX: "4" }), /part 5 of 4/);
});
