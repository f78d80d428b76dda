import assert from "node:assert/strict";
import { test } from "node:test";
import { loadAddon, type MpiAddon, shortVersion } from "../../../src/distributed/addon";
import { WorkerGroup } from "../../../src/distributed/group";
import { sumGradients } from "../../../src/distributed/sumGradients";

/** What the workers of one process would be to each other: each call waits until all have made it. */
function workersOf(size: number) {
  const messages: number[] = [];
  let waiting: { array: Float32Array | Float64Array; resolve(): void }[] = [];
  const sum: MpiAddon["sum"] = (array) =>
    new Promise((resolve) => {
      waiting.push({ array, resolve });
      if (waiting.length < size) return;
      messages.push(array.length);
      const all = waiting;
      waiting = [];
      for (let i = 0; i < array.length; i++) {
        const total = all.reduce((sum, one) => sum + one.array[i], 0);
        for (const one of all) one.array[i] = total;
      }
      for (const one of all) one.resolve();
    });
  const addon = { sum } as MpiAddon;
  return {
    messages,
    groups: Array.from({ length: size }, (_, rank) => new WorkerGroup(addon, rank, size, "none")),
  };
}

test("large gradients are summed whole, small ones packed, and each comes back to its place", async () => {
  const sizes = [3, 2 ** 21 + 1, 1, 2 ** 21, 5, 2 ** 21 - 4];
  const { messages, groups } = workersOf(2);
  const gradients = groups.map(({ rank }) =>
    sizes.map((size, k) => Float32Array.from({ length: size }, (_, i) => (rank + 1) * ((i % 7) + k))),
  );
  const good = await Promise.all(groups.map((group, rank) => sumGradients(group, gradients[rank], true)));
  assert.deepEqual(good, [true, true]);
  for (const own of gradients)
    for (const [k, array] of own.entries())
      assert.ok(
        array.every((value, i) => value === 3 * ((i % 7) + k)),
        `gradient ${k}`,
      );
  assert.equal(messages[0], 1, "first of all whether they are good");
  const packed = [3 + 1 + 2 ** 21 + 5, 2 ** 21 - 4];
  assert.deepEqual(messages.slice(1), [2 ** 21 + 1, ...packed]);
});

test("where one worker's gradients are not good, nothing is sent and all are told so", async () => {
  const { messages, groups } = workersOf(3);
  const gradients = groups.map(() => [Float32Array.of(1, 2)]);
  const good = await Promise.all(groups.map((group, i) => sumGradients(group, gradients[i], i !== 1)));
  assert.deepEqual(good, [false, false, false]);
  assert.deepEqual(messages, [1]);
  assert.deepEqual([...gradients[0][0]], [1, 2]);
});

test("a collective that fails says which worker it was, and the next one is made", async () => {
  let calls = 0;
  const addon = {
    sum: async () => void (calls++ === 0 && (await Promise.reject(new Error("peer is gone")))),
  };
  const group = new WorkerGroup(addon as unknown as MpiAddon, 1, 4, "none");
  await assert.rejects(group.sum(Float32Array.of(1)), /MPI: worker 2 of 4: peer is gone/);
  await group.sum(Float32Array.of(1));
  assert.equal(calls, 2);
});

test("an addon that is not there, or does not load, says what to build", () => {
  assert.throws(() => loadAddon("/nowhere/mpi.node"), /engine install --mpi/);
  assert.throws(() => loadAddon(__filename.replace(/sumGradients.*/, "")), /does not load/);
});

test("versions of MPI are said as people say them", () => {
  assert.equal(
    shortVersion("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev"),
    "Open MPI 4.1.4",
  );
  assert.equal(shortVersion("MPICH Version:\t4.0.2\nMPICH Release date:\tThu"), "MPICH 4.0.2");
  assert.equal(shortVersion("Some Vendor MPI 7\nmore"), "Some Vendor MPI 7");
});
