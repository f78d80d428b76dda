import assert from "node:assert/strict";
import { test } from "node:test";
import { shardHere, shardOfWorker } from "../../../src/distributed/shard";
import { isLuvitError } from "../nn/support";

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

test("a task of srun has the part of its number; what sbatch runs once has none", () => {
  const task = { SLURM_STEP_ID: "0", SLURM_STEP_NUM_TASKS: "8", SLURM_PROCID: "5" };
  assert.deepEqual(shardHere(undefined, task), { index: 6, count: 8 });
  assert.deepEqual(shardOfWorker(task), { index: 6, count: 8 });
  assert.equal(shardOfWorker({ ...task, SLURM_STEP_ID: "4294967291" }), undefined);
  assert.equal(shardOfWorker({ ...task, SLURM_STEP_NUM_TASKS: "1" }), undefined);
});

test("workers of a task of an array share its part, so that all parts are taken once", () => {
  const parts = [0, 1, 2].flatMap((task) =>
    [0, 1].map((rank) => {
      const array = { SLURM_ARRAY_TASK_ID: `${task}`, SLURM_ARRAY_TASK_COUNT: "3" };
      const worker = { OMPI_COMM_WORLD_RANK: `${rank}`, OMPI_COMM_WORLD_SIZE: "2" };
      return shardHere(undefined, { ...array, ...worker });
    }),
  );
  assert.deepEqual(
    parts,
    [1, 2, 3, 4, 5, 6].map((index) => ({ index, count: 6 })),
  );
  const indexed = { JOB_COMPLETION_INDEX: "1", PMI_RANK: "0", PMI_SIZE: "4" };
  assert.deepEqual(shardHere(8, indexed), { index: 5, count: 32 });
});

test("an array says nothing of a command that was not asked for its part", () => {
  assert.equal(shardOfWorker({ SLURM_ARRAY_TASK_ID: "0", SLURM_ARRAY_TASK_COUNT: "3" }), undefined);
});

test("without any of them, and beyond the last part, it is refused", () => {
  assert.throws(() => shardHere(undefined, {}), /--shard 1\/8/);
  assert.throws(() => shardHere(4, { JOB_COMPLETION_INDEX: "4" }), /part 5 of 4/);
});

test("an array that does not say where it begins does so at 0, by ones; what was said of how many goes before it", () => {
  const array = { SLURM_ARRAY_TASK_ID: "0", SLURM_ARRAY_TASK_COUNT: "3" };
  assert.deepEqual(shardHere(undefined, array), { index: 1, count: 3 });
  assert.deepEqual(shardHere(5, array), { index: 1, count: 5 });
  assert.throws(() => shardHere(undefined, { ...array, SLURM_ARRAY_TASK_ID: "3" }), /part 4 of 3/);
  assert.throws(() => shardHere(undefined, { SLURM_ARRAY_TASK_ID: "0" }), /--shard 1\/8/);
  const both = { ...array, JOB_COMPLETION_INDEX: "1" };
  assert.deepEqual(shardHere(undefined, both), { index: 1, count: 3 }, "the array");
});

test("two tasks of srun share, one alone or without its number does not; what cannot be a part is refused as an argument", () => {
  const task = { SLURM_STEP_ID: "0", SLURM_STEP_NUM_TASKS: "2", SLURM_PROCID: "1" };
  assert.deepEqual(shardOfWorker(task), { index: 2, count: 2 });
  for (const change of [
    { SLURM_PROCID: undefined },
    { SLURM_PROCID: "x" },
    { SLURM_STEP_NUM_TASKS: undefined },
    { SLURM_STEP_ID: undefined },
  ])
    assert.equal(shardOfWorker({ ...task, ...change }), undefined, JSON.stringify(change));
  const array = { SLURM_ARRAY_TASK_ID: "0", SLURM_ARRAY_TASK_COUNT: "3", SLURM_ARRAY_TASK_MIN: "1" };
  for (const [environment, says] of [
    [array, "part 0 of 3"],
    [{ JOB_COMPLETION_INDEX: "0" }, "--shard auto/8"],
    [{ ...array, SLURM_ARRAY_TASK_ID: "x" }, "--shard 1/8"],
    [{ ...array, SLURM_ARRAY_TASK_ID: undefined }, "--shard 1/8"],
  ] as const)
    assert.throws(() => shardHere(undefined, environment), isLuvitError("bad-argument", says));
});
