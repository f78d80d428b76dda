import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { addonPath, loadAddon, type MpiAddon, shortVersion } from "../../../src/distributed/addon";
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

test("gradients are sent in what was asked for, large and small ones; whether they are good in whole numbers", async () => {
  for (const [precision, halves] of [
    [undefined, false],
    ["float32", false],
    ["bfloat16", true],
  ] as const) {
    const sent: [length: number, halves: boolean | undefined, wide: boolean][] = [];
    const sum: MpiAddon["sum"] = async (array, half) =>
      void sent.push([array.length, half, array instanceof Float64Array]);
    const group = new WorkerGroup({ sum } as MpiAddon, 0, 1, "none");
    const gradients = [new Float32Array(3), new Float32Array(2 ** 21 + 1), new Float32Array(2)];
    assert.equal(await sumGradients(group, gradients, true, precision), true);
    assert.deepEqual(sent, [
      [1, false, true],
      [2 ** 21 + 1, halves, false],
      [5, halves, false],
    ]);
    assert.equal(await sumGradients(group, [], true), true);
    assert.equal(sent.length, 4, "nothing but whether they are good");
  }
});

test("the addon is found by system and processor, and its check sums what its job's workers have", () => {
  const folder = mkdtempSync(join(tmpdir(), "luvit-check-"));
  assert.ok(addonPath().endsWith(join(`mpi-${process.platform}-${process.arch}`, "mpi.node")));
  const addon = (name: string, factor: number) => {
    const path = join(folder, `${name}.js`);
    writeFileSync(
      path,
      `exports.join = () => ({ rank: 0, size: 2, version: "MPICH Version: 4.0.2" });
       exports.sum = async (array, half) => { if (half !== ${factor < 0}) array[0] *= 3; };
       exports.leave = () => {};`,
    );
    return path;
  };
  const check = join(__dirname, "..", "..", "..", "src", "distributed", "check.js");
  const env = { ...process.env, PMI_RANK: "0", PMI_SIZE: "2" };
  const run = (path: string) => spawnSync(process.execPath, [check, path], { env, encoding: "utf8" });
  // A sum that is right for one precision alone is wrong.
  for (const factor of [1, -1]) {
    const { status, stderr } = run(addon(`wrong${factor}`, factor));
    assert.deepEqual(
      [status, stderr.trim()],
      [
        1,
        factor > 0
          ? "the sum of 1 to 2 came out as 1 (in bfloat16 3)"
          : "the sum of 1 to 2 came out as 3 (in bfloat16 1)",
      ],
    );
  }
  const path = join(folder, "right.js");
  writeFileSync(
    path,
    `module.exports = { ...require("./wrong1.js"), sum: async (array) => void (array[0] *= 3) };`,
  );
  const { status, stdout } = run(path);
  assert.deepEqual([status, stdout.trim()], [0, "summed over 2 with MPICH 4.0.2"]);
  rmSync(folder, { recursive: true });
});
