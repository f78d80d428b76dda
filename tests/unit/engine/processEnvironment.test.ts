import assert from "node:assert/strict";
import { test } from "node:test";
import { engineEnvironment, launcherDescriptor } from "../../../src/engine/process/environment";

test("an engine's process gets what it needs by name or family, and nothing that looks like a secret", () => {
  const given = {
    PATH: "/bin",
    LC_ALL: "C",
    OMP_NUM_THREADS: "2",
    LUVIT_SEED: "1",
    HF_TOKEN: "t",
    LUVIT_TOKEN: "t",
    TF_API_KEY: "k",
    CUDA_PASSWORD: "p",
    MY_OWN: "x",
    PMI_FD: "5",
    OMP_UNSET: undefined,
  };
  assert.deepEqual(engineEnvironment(given), {
    PATH: "/bin",
    LC_ALL: "C",
    OMP_NUM_THREADS: "2",
    LUVIT_SEED: "1",
  });
});

test("one worker of several gets also how it finds the others", () => {
  const worker = { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_LOCAL_RANK: "0" };
  assert.deepEqual(engineEnvironment({ ...worker, SLURM_JOB_NAME: "x" }), worker);
  assert.deepEqual(engineEnvironment({ ...worker, OMPI_COMM_WORLD_SIZE: "1" }), {});
});

test("a launcher's descriptor is a whole number, or there is none", () => {
  assert.equal(launcherDescriptor({ PMI_FD: "12" }), 12);
  for (const PMI_FD of [undefined, "", "a", "-1", "1.5"])
    assert.equal(launcherDescriptor({ PMI_FD }), undefined);
});
