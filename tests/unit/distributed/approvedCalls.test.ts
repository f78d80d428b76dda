import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import { addonPath, loadAddon, type MpiAddon, shortVersion } from "../../../src/distributed/addon";
import { groupFor, joinGroup, WorkerGroup } from "../../../src/distributed/group";
import * as place from "../../../src/distributed/place";
import { shardHere, shardOfWorker } from "../../../src/distributed/shard";
import { allGood, sumGradients } from "../../../src/distributed/sumGradients";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";

const open = { OMPI_COMM_WORLD_RANK: "2", OMPI_COMM_WORLD_SIZE: "4" };
const environments: Record<string, string>[] = [
  {},
  open,
  { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "1" },
  { OMPI_COMM_WORLD_RANK: "4", OMPI_COMM_WORLD_SIZE: "4" },
  { OMPI_COMM_WORLD_RANK: "2" },
  { OMPI_COMM_WORLD_RANK: "-1", OMPI_COMM_WORLD_SIZE: "4" },
  { OMPI_COMM_WORLD_RANK: "1x", OMPI_COMM_WORLD_SIZE: "4" },
  { PMI_RANK: "1", PMI_SIZE: "3" },
  { PMIX_RANK: "1", SLURM_STEP_NUM_TASKS: "3" },
  { ...open, PMI_RANK: "1", PMI_SIZE: "3" },
  { OMPI_COMM_WORLD_RANK: "9", OMPI_COMM_WORLD_SIZE: "4", PMI_RANK: "1", PMI_SIZE: "3" },
  { SLURM_STEP_ID: "0", SLURM_STEP_NUM_TASKS: "3", SLURM_PROCID: "2" },
  { SLURM_STEP_ID: "0", SLURM_STEP_NUM_TASKS: "1", SLURM_PROCID: "0" },
  { SLURM_STEP_ID: "4294967290", SLURM_STEP_NUM_TASKS: "3", SLURM_PROCID: "0" },
  { SLURM_STEP_NUM_TASKS: "3", SLURM_PROCID: "1" },
  { SLURM_STEP_ID: "42949672", SLURM_STEP_NUM_TASKS: "2", SLURM_PROCID: "1" },
  { SLURM_STEP_ID: "1", SLURM_STEP_NUM_TASKS: "3" },
  { TF_CONFIG: '{"cluster":{"worker":["a","b"],"chief":["c"],"ps":["d"]}}' },
  { TF_CONFIG: '{"cluster":{"chief":["c"]}}' },
  { TF_CONFIG: '{"cluster":{"master":["c","d"]}}' },
  { TF_CONFIG: "{" },
  { TF_CONFIG: "null" },
  { TF_CONFIG: "{}" },
  { TF_CONFIG: "" },
  { ...open, TF_CONFIG: '{"cluster":{"worker":["a","b"]}}' },
];

describe("of many machines", () => {
  it("what environments say of a process's place is approved", async () => {
    const calls = new Calls();
    calls.note("alone", place.ALONE);
    for (const environment of environments) {
      calls.note("#", environment);
      await calls.does("placeIn", () => place.placeIn(environment));
      await calls.does("workerPlace", () => place.workerPlace(environment));
      await calls.does("isStep", () => place.isStep(environment));
      await calls.does("shardOfWorker", () => shardOfWorker(environment));
      await calls.does("shardHere", () => shardHere(undefined, environment));
      await calls.does("shardHere of 8", () => shardHere(8, environment));
    }
    calls.title("local ranks");
    for (const local of [
      {},
      { OMPI_COMM_WORLD_LOCAL_RANK: "1" },
      { MPI_LOCALRANKID: "2" },
      { PMI_LOCAL_RANK: "3" },
      { SLURM_LOCALID: "4" },
      { OMPI_COMM_WORLD_LOCAL_RANK: "x", SLURM_LOCALID: "4" },
      { OMPI_COMM_WORLD_LOCAL_RANK: "", PMI_LOCAL_RANK: "0", SLURM_LOCALID: "4" },
      { MPI_LOCALRANKID: "1", PMI_LOCAL_RANK: "2" },
    ]) {
      await calls.of(place.localRank, { ...open, ...local });
      await calls.of(place.localRank, local);
    }
    for (const batches of [0, 1, 2, 7, 12]) await calls.of(place.possibleSizes, batches);
    calls.title("arrays and indexed jobs");
    const array = {
      SLURM_ARRAY_TASK_ID: "5",
      SLURM_ARRAY_TASK_COUNT: "4",
      SLURM_ARRAY_TASK_MIN: "3",
      SLURM_ARRAY_TASK_STEP: "2",
    };
    for (const environment of [
      array,
      { ...array, SLURM_ARRAY_TASK_STEP: "1" },
      { SLURM_ARRAY_TASK_ID: "0", SLURM_ARRAY_TASK_COUNT: "4" },
      { SLURM_ARRAY_TASK_ID: "4", SLURM_ARRAY_TASK_COUNT: "4" },
      { SLURM_ARRAY_TASK_ID: "4" },
      { ...array, ...open },
      { ...array, JOB_COMPLETION_INDEX: "0" },
      { JOB_COMPLETION_INDEX: "0" },
      { JOB_COMPLETION_INDEX: "7" },
      { JOB_COMPLETION_INDEX: "8" },
      { JOB_COMPLETION_INDEX: "x" },
      { JOB_COMPLETION_INDEX: "1", ...open },
      { ...array, SLURM_ARRAY_TASK_MIN: "9" },
    ]) {
      await calls.of(shardHere, undefined, environment);
      await calls.of(shardHere, 8, environment);
      await calls.of(shardHere, 2, environment);
    }
    calls.approve("distributed/places");
  });

  it("what a group does, and what it says of its addon, is approved", async () => {
    const tmp = temporaryFolder("mpi");
    const calls = new Calls({ tmp });
    const versions = [
      "Open MPI v4.1.4, package: x",
      "open mpi 5.0",
      "MPICH Version:\t4.0.2\nMPICH Release",
      "MPICH Version 3.4a2",
      "Intel(R) MPI Library 2021.9 for Linux* OS\nmore",
      `${"x".repeat(61)}`,
      "  padded\n",
      "",
    ];
    for (const version of versions) await calls.of(shortVersion, version);
    process.env.LUVIT_ENGINE_CACHE = "/cache";
    calls.note("addonPath", addonPath().replace(`${process.platform}-${process.arch}`, "<platform>"));
    const broken = join(tmp, "broken.js");
    writeFileSync(broken, "throw new Error('libmpi.so.40 is missing')");
    await calls.of(loadAddon, join(tmp, "none.node"));
    await calls.of(loadAddon, broken);
    const log: unknown[] = [];
    let fails: string | undefined;
    const addon: MpiAddon = {
      about: () => "fake",
      join: () => ({ rank: 1, size: 3, version: "MPICH Version: 4.0.2" }),
      leave: () => log.push("leave"),
      async sum(array, halves) {
        log.push(["sum begins", array.length, halves]);
        await new Promise((resolve) => setImmediate(resolve));
        if (fails) throw new Error(fails);
        for (let i = 0; i < array.length; i++) array[i] *= 3;
        log.push("sum ends");
      },
      async broadcast(array, root) {
        log.push(["broadcast", array.length, root]);
        array.fill(root + 1);
      },
    };
    const group = new WorkerGroup(addon, 1, 3, "MPICH 4.0.2");
    const told = async (name: string, body: () => unknown) => {
      log.length = 0;
      await calls.once(name, body);
      calls.note("  log", log);
    };
    const [wide, narrow] = [Float64Array.of(1, 2), Float32Array.of(5)];
    await told("two at once come one after the other", async () => [
      await Promise.all([group.sum(wide), group.sum(narrow, "bfloat16"), group.broadcast(narrow, 2)]),
      wide,
      narrow,
    ]);
    await told("broadcast", async () => [await group.broadcast(wide), wide]);
    await told("a gather of what is of other lengths", async () => {
      const rank0 = new WorkerGroup(
        { ...addon, sum: async (array) => void array.set([2, array[1], 3]) },
        1,
        3,
        "",
      );
      return rank0.gather(Uint8Array.of(7, 8, 9, 10));
    });
    await told("leave", () => group.leave());
    fails = "connection lost";
    await told("a failing sum", () => group.sum(narrow));
    fails = undefined;
    await told("and a good one after it", () => group.sum(narrow));
    await told("gradients", async () => {
      const gradients = [
        Float32Array.of(1, 2),
        new Float32Array(2 ** 21 + 1).fill(1),
        Float32Array.of(3),
        new Float32Array(2 ** 21).fill(2),
        new Float32Array(2 ** 21).fill(1),
        new Float32Array(),
      ];
      const good = await sumGradients(
        new WorkerGroup(
          {
            ...addon,
            sum: async (array, halves) => {
              log.push([array.length, halves]);
              if (array.length > 1) for (let i = 0; i < array.length; i++) array[i] *= 2;
            },
          },
          0,
          2,
          "",
        ),
        gradients,
        true,
        "bfloat16",
      );
      return [good, gradients.map((one) => [one.length, one[0], one.at(-1)])];
    });
    await told("no gradients", () => sumGradients(group, [], true));
    await told("bad ones", async () => [await sumGradients(group, [narrow], false), narrow]);
    for (const good of [true, false]) await told(`allGood ${good}`, () => allGood(group, good));
    calls.title("joining");
    await calls.does("groupFor before", () => groupFor("train"));
    const fake = join(tmp, "fake.js");
    writeFileSync(
      fake,
      `module.exports = { join: () => ({ rank: 1, size: 3, version: "Open MPI v4.1.4" }), sum: async (a) => { for (let i = 0; i < a.length; i++) a[i] = 6; }, leave: () => console.log("left") }`,
    );
    await calls.does("another rank", () => joinGroup({ rank: 0, size: 3 }, fake));
    await calls.does("another size", () => joinGroup({ rank: 1, size: 2 }, fake));
    const joined = joinGroup({ rank: 1, size: 3 }, fake);
    calls.note("joined", [
      joined.rank,
      joined.size,
      joined.mpi,
      groupFor("x") === joined,
      joinGroup({ rank: 9, size: 9 }) === joined,
    ]);
    const check = (rank: string, size: string, file = fake) => {
      const ran = spawnSync(
        process.execPath,
        [join(packageRoot(), "dist", "distributed", "check.js"), file],
        { encoding: "utf8", env: { ...process.env, OMPI_COMM_WORLD_RANK: rank, OMPI_COMM_WORLD_SIZE: size } },
      );
      return [ran.status, ran.stdout, ran.stderr];
    };
    await calls.once("check of a rank that is not the first", () => check("1", "3"));
    const first = join(tmp, "first.js");
    writeFileSync(
      first,
      `module.exports = { join: () => ({ rank: 0, size: 3, version: "Open MPI v4.1.4" }), sum: async (a, halves) => { for (let i = 0; i < a.length; i++) a[i] = a[i] ? 6 : 0; }, leave: () => console.log("left") }`,
    );
    await calls.once("check of the first", () => check("0", "3", first));
    writeFileSync(
      first,
      `module.exports = { join: () => ({ rank: 0, size: 3, version: "x" }), sum: async (a, halves) => { a[0] = halves ? 5 : 6; }, leave: () => {} }`,
    );
    await calls.once("check of a wrong sum", () => check("0", "3", first));
    await calls.once("check of none", () => check("0", "3", join(tmp, "none.node")));
    calls.approve("distributed/groups");
  });
});
