import assert from "node:assert/strict";
import { test } from "node:test";
import { isStep, localRank, placeIn, possibleSizes, workerPlace } from "../../../src/distributed/place";
import { engineEnvironment } from "../../../src/engine/process/environment";

const alone = { rank: 0, size: 1 };

test("a process is what its launcher says: Open MPI, MPICH and Intel MPI, srun with PMIx", () => {
  assert.deepEqual(placeIn({ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" }), { rank: 1, size: 4 });
  assert.deepEqual(placeIn({ PMI_RANK: "3", PMI_SIZE: "4" }), { rank: 3, size: 4 });
  assert.deepEqual(placeIn({ PMIX_RANK: "2", SLURM_STEP_NUM_TASKS: "8" }), { rank: 2, size: 8 });
});

test("without a launcher, with one process, and with nonsense it is alone", () => {
  for (const environment of [
    {},
    { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "1" },
    { PMI_RANK: "4", PMI_SIZE: "4" },
    { PMI_RANK: "-1", PMI_SIZE: "4" },
    { OMPI_COMM_WORLD_RANK: "one", OMPI_COMM_WORLD_SIZE: "4" },
    { SLURM_PROCID: "0", SLURM_NTASKS: "4" },
  ])
    assert.deepEqual(placeIn(environment), alone, JSON.stringify(environment));
});

test("what sbatch says of a script that it runs once is not taken for several workers", () => {
  const batch = {
    SLURM_NTASKS: "4",
    SLURM_PROCID: "0",
    SLURM_STEP_ID: "4294967291",
    SLURM_STEP_NUM_TASKS: "4",
  };
  assert.deepEqual(workerPlace(batch), alone);
});

test("tasks of srun without MPI do not train, each alone, into one folder", () => {
  const step = { SLURM_STEP_ID: "0", SLURM_STEP_NUM_TASKS: "4", SLURM_PROCID: "2" };
  assert.throws(() => workerPlace(step), /srun has started 4 tasks without MPI.*--mpi=pmix/s);
  assert.deepEqual(workerPlace({ ...step, PMI_RANK: "2", PMI_SIZE: "4" }), { rank: 2, size: 4 });
});

test("a cluster in TF_CONFIG is refused with advice; one worker, none and nonsense are not", () => {
  const two = { cluster: { worker: ["a:1", "b:1"] }, task: { type: "worker", index: 0 } };
  assert.throws(() => workerPlace({ TF_CONFIG: JSON.stringify(two) }), /TF_CONFIG names 2 workers.*mpirun/s);
  for (const config of ['{"cluster":{"worker":["a:1"]}}', "{}", "null", "no JSON", ""])
    assert.deepEqual(workerPlace({ TF_CONFIG: config }), alone, config);
});

test("workers of one machine count themselves, so that each has a GPU of its own", () => {
  const worker = { OMPI_COMM_WORLD_RANK: "5", OMPI_COMM_WORLD_SIZE: "8" };
  assert.equal(localRank({ ...worker, OMPI_COMM_WORLD_LOCAL_RANK: "1" }), 1);
  assert.equal(localRank({ PMI_RANK: "5", PMI_SIZE: "8", SLURM_LOCALID: "2" }), 2);
  assert.equal(localRank(worker), 0);
  assert.equal(localRank({ SLURM_LOCALID: "2" }), 0, "alone");
});

test("an engine's process gets what MPI needs where there are several workers, and no secrets", () => {
  const mpi = {
    OMPI_COMM_WORLD_RANK: "0",
    OMPI_COMM_WORLD_SIZE: "2",
    PMIX_SERVER_URI2: "x",
    OMPI_MCA_ess: "y",
  };
  const passed = engineEnvironment({ ...mpi, SLURM_JWT: "secret", OMPI_AUTH_TOKEN: "secret", EDITOR: "vi" });
  assert.deepEqual(passed, mpi);
  // Without the list of nodes Open MPI does not see that srun has started it, and takes itself for the only one.
  const task = {
    PMIX_RANK: "1",
    SLURM_STEP_NUM_TASKS: "2",
    SLURM_NODELIST: "n1",
    SLURM_PMIXP_ABORT_AGENT_PORT: "1",
  };
  assert.deepEqual(engineEnvironment({ ...task, SLURM_JOB_USER: "me" }), task);
  assert.deepEqual(engineEnvironment({ ...mpi, OMPI_COMM_WORLD_SIZE: "1" }), {});
});

test("a step can be shared out among the divisors of its batches", () => {
  assert.deepEqual(possibleSizes(12), [1, 2, 3, 4, 6, 12]);
  assert.deepEqual(possibleSizes(1), [1]);
});

test("each launcher's name for a worker's number on its machine is read, nonsense is not", () => {
  const job = { PMI_RANK: "5", PMI_SIZE: "8" };
  for (const name of ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"]) {
    assert.equal(localRank({ ...job, [name]: "3" }), 3, name);
    assert.equal(localRank({ ...job, [name]: "x" }), 0, name);
  }
  assert.equal(localRank({ ...job, MPI_LOCALRANKID: "", SLURM_LOCALID: "2" }), 2);
});

test("of TF_CONFIG chief, master and workers train, parameter servers and evaluators do not", () => {
  const config = (cluster: object) => ({ TF_CONFIG: JSON.stringify({ cluster }) });
  for (const one of ["chief", "master"])
    assert.throws(
      () => workerPlace(config({ [one]: ["a:1"], worker: ["b:1", "c:1"] })),
      /TF_CONFIG names 3 workers/,
    );
  assert.deepEqual(workerPlace(config({ worker: ["a:1"], ps: ["b:1"], evaluator: ["c:1"] })), alone);
  const worker = { PMI_RANK: "0", PMI_SIZE: "2" };
  assert.deepEqual(workerPlace({ ...config({ worker: ["a:1", "b:1"] }), ...worker }), { rank: 0, size: 2 });
});

test("of several launchers' words the first whole one counts", () => {
  const nested = { OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "2", PMI_RANK: "0", PMI_SIZE: "8" };
  assert.deepEqual(placeIn(nested), { rank: 1, size: 2 });
  assert.deepEqual(placeIn({ ...nested, OMPI_COMM_WORLD_SIZE: undefined }), { rank: 0, size: 8 });
});

test("ranks and counts are whole numbers in digits, and of srun's steps those that it has started", () => {
  for (const [rank, size] of [
    ["0x1", "4"],
    ["1.5", "4"],
    [" 1", "4"],
    ["", "4"],
    ["1", "1e1"],
    ["1", "4.5"],
    ["1", ""],
  ])
    assert.deepEqual(placeIn({ PMI_RANK: rank, PMI_SIZE: size }), alone, `${rank} of ${size}`);
  assert.deepEqual(placeIn({ PMI_RANK: "0", PMI_SIZE: undefined }), alone);
  assert.deepEqual(
    [isStep({}), isStep({ SLURM_STEP_ID: "0" }), isStep({ SLURM_STEP_ID: "4294967291" })],
    [...[false, true, false]],
  );
});
