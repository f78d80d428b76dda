import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type MpiAddon, shortVersion } from "../../../src/distributed/addon";
import { groupFor, joinGroup, WorkerGroup } from "../../../src/distributed/group";
import { isLuvitError } from "../nn/support";

type Numbers = Float32Array | Float64Array | Uint8Array;

/** MPI as it behaves for `size` workers of one process: a collective ends when all have come to it. */
function job(size: number) {
  const log: string[] = [];
  let waiting: { rank: number; array: Numbers; root?: number; done: () => void }[] = [];
  const meet = (rank: number, array: Numbers, root?: number) =>
    new Promise<void>((done) => {
      waiting.push({ rank, array, root, done });
      if (waiting.length < size) return;
      const met = waiting;
      waiting = [];
      const from = root === undefined ? undefined : met.find((one) => one.rank === root)!.array.slice();
      const sums = Array.from(array, (_, i) => met.reduce((sum, one) => sum + one.array[i], 0));
      for (const one of met) {
        if (from) one.array.set(from as never);
        else one.array.set(sums);
        one.done();
      }
    });
  const addon = (rank: number): MpiAddon => ({
    about: () => "fake",
    join: () => ({ rank, size, version: "fake" }),
    leave: () => void log.push(`${rank} left`),
    sum: (array, halves) => {
      log.push(`${rank} sum ${array.length} ${halves}`);
      return meet(rank, array);
    },
    broadcast: (array, root) => meet(rank, array, root),
  });
  const groups = Array.from({ length: size }, (_, rank) => new WorkerGroup(addon(rank), rank, size, "fake"));
  return { groups, log };
}

test("sums and what the first worker has come to all of them, in the order they were asked for", async () => {
  const { groups, log } = job(3);
  const sums = groups.map((_, rank) => Float64Array.of(rank, 10));
  const firsts = groups.map((_, rank) => Uint8Array.of(rank + 5));
  await Promise.all(
    groups.flatMap((group, rank) => [
      group.sum(sums[rank]),
      group.sum(new Float32Array(2), "bfloat16"),
      group.broadcast(firsts[rank]),
    ]),
  );
  assert.deepEqual(
    sums,
    [0, 1, 2].map(() => Float64Array.of(3, 30)),
  );
  assert.deepEqual(
    firsts,
    [0, 1, 2].map(() => Uint8Array.of(5)),
  );
  assert.deepEqual(
    log.filter((line) => line.startsWith("1")),
    ["1 sum 2 false", "1 sum 2 true"],
  );
});

test("what each worker has is gathered by rank, of any length", async () => {
  const { groups } = job(3);
  const own = [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(9, 8, 7)];
  const all = await Promise.all(groups.map((group, rank) => group.gather(own[rank])));
  for (const gathered of all) assert.deepEqual(gathered, own);
});

test("a worker leaves when all have come to it", async () => {
  const { groups, log } = job(2);
  const first = groups[0].leave();
  await new Promise((done) => setImmediate(done));
  assert.ok(!log.includes("0 left"));
  await Promise.all([first, groups[1].leave()]);
  assert.deepEqual(log.filter((line) => line.endsWith("left")).sort(), ["0 left", "1 left"]);
});

test("what fails is told with the worker, and does not hold up what comes after it", async () => {
  let failing = true;
  const addon = {
    sum: async () => {
      if (failing) throw new Error("MPI_ERR_OTHER");
    },
  } as unknown as MpiAddon;
  const group = new WorkerGroup(addon, 1, 4, "fake");
  await assert.rejects(
    group.sum(new Float32Array(1)),
    isLuvitError("engine", "MPI: worker 2 of 4: MPI_ERR_OTHER"),
  );
  failing = false;
  await group.sum(new Float32Array(1));
  assert.throws(
    () => groupFor("summing"),
    isLuvitError("engine", "summing: this process has joined no group"),
  );
});

test("a library's version is its name and number, else the beginning of what it says", () => {
  assert.equal(shortVersion("Open MPI v4.1.4, package: Debian\nmore"), "Open MPI 4.1.4");
  assert.equal(shortVersion("MPICH Version:\t4.0.2\nMPICH Release date"), "MPICH 4.0.2");
  assert.equal(shortVersion(`\n Intel ${"x".repeat(80)}\nsecond`), `Intel ${"x".repeat(54)}`);
});

test("a process joins its job once, at the place that its launcher gave it", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "luvit-addon-")), "addon.js");
  writeFileSync(
    path,
    `let joins = 0;
     exports.join = () => ({ rank: 1, size: 3, version: "Open MPI v4.1.4, more " + ++joins });
     exports.sum = async (array) => { throw new Error("link down"); };`,
  );
  const place = { rank: 1, size: 3 };
  assert.throws(() => groupFor("x"), isLuvitError("engine", "x: this process has joined no group"));
  for (const [wrong, says] of [
    [{ rank: 0, size: 3 }, "worker 1 of 3, Open MPI 4.1.4 says 2 of 3"],
    [{ rank: 1, size: 4 }, "worker 2 of 4, Open MPI 4.1.4 says 2 of 3"],
  ] as const)
    assert.throws(() => joinGroup(wrong, path), isLuvitError("engine", `the launcher says ${says}`));
  const group = joinGroup(place, path);
  assert.deepEqual([group.rank, group.size, group.mpi], [1, 3, "Open MPI 4.1.4"]);
  assert.equal(joinGroup(place, path), group);
  assert.equal(groupFor("anything"), group);
  const failed = isLuvitError("engine", "MPI: worker 2 of 3: link down");
  await assert.rejects(group.sum(new Float32Array(1)), (error) => {
    return failed(error) && ((error as Error).cause as Error).message === "link down";
  });
});
