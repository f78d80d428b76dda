import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { afterEach, mock, test } from "node:test";
import type { ArraysByName } from "../../../src/engine/executor";
import { multiply, PRODUCTS, trialFeeds, trialPrograms, trialState } from "../../../src/engine/gpu/trial";

const load = createRequire(__filename);
const trial = load("../../../src/engine/gpu/trial") as typeof import("../../../src/engine/gpu/trial");
const probe = load("../../../src/engine/gpu/probe") as typeof import("../../../src/engine/gpu/probe");
const adapters = load("../../../src/engine/gpu/adapter") as typeof import("../../../src/engine/gpu/adapter");
const executors = load(
  "../../../src/engine/process/executor",
) as typeof import("../../../src/engine/process/executor");
const processes = load("../../../src/engine/process/engineProcess") as { EngineProcess: unknown };

const { EngineProcess } = processes;
afterEach(() => {
  mock.restoreAll();
  processes.EngineProcess = EngineProcess;
  probe.forgetGpu();
});

interface Machine {
  /** Milliseconds of the products of a side, there and here. */
  there?: (side: number) => number;
  here?: (side: number) => number;
  /** What the first of them takes, which compiles. */
  first?: number;
  /** Its driver never answers. */
  hangs?: boolean;
  /** Added to the losses there. */
  error?: number;
  failure?: Error;
  adapter?: { name: string; isSoftware: boolean };
  problem?: string;
}

/** A machine whose GPU and processor take so long; time is what their runs say. */
function machineOf({ there = () => 1, here = () => 9, first = 1e4, error = 0, ...rest }: Machine) {
  const { hangs, failure, adapter, problem } = rest;
  const started: { environment: Record<string, string>; stopped: boolean }[] = [];
  const runs: string[] = [];
  let now = 0;
  mock.method(performance, "now", () => now);
  processes.EngineProcess = class {
    pid = process.pid;
    alive = false;
    constructor(_: string, environment: Record<string, string>) {
      started.push({ environment, stopped: false });
    }
    async stop() {
      started.at(-1)!.stopped = true;
    }
  };
  const small = { weight: Float32Array.of(1) };
  mock.method(trial, "trialState", () => small);
  mock.method(adapters, "gpuProblem", () => problem);
  mock.method(adapters, "adapterOf", () => adapter);
  mock.method(
    executors,
    "openIn",
    async (_: object, programs: object, { provider }: { provider: string }) => {
      if (failure) throw failure;
      if (hangs) await new Promise(() => {});
      assert.deepEqual(Object.keys(programs), ["train", multiply(512), multiply(1024)]);
      return {
        writeState: async (state: ArraysByName) => assert.deepEqual(state, small),
        readState: async () => ({ weight: Float32Array.of(1, 2) }),
        run: async (name: string, feeds: ArraysByName) => {
          runs.push(`${provider} ${name}`);
          if (name === "train")
            return { loss: Float32Array.of(feeds.x[0] + (provider === "webgpu" ? error : 0)) };
          const side = Number(name.split(" ")[1]);
          const isFirst = runs.filter((run) => run === runs.at(-1)).length === 1;
          now += isFirst ? first : (provider === "webgpu" ? there : here)(side);
          return { sum: Float32Array.of(0) };
        },
      };
    },
  );
  return { started, runs };
}

test("a GPU is tried with three steps, then with products of the larger side, after a run that compiles", async () => {
  const { started, runs } = machineOf({ there: (side) => side / 1024, here: (side) => side / 256 });
  const found = await probe.examineGpu({ VK_DRIVER_FILES: "x" });
  assert.deepEqual(found, {
    usable: true,
    reason: `it takes 1.0 ms against 4.0 ms of the CPU for ${PRODUCTS} products of 1024 x 1024`,
  });
  const times = (run: string) => runs.filter((one) => one === run).length;
  assert.deepEqual(
    [
      "webgpu train",
      "cpu train",
      "webgpu multiply 512",
      "cpu multiply 512",
      "webgpu multiply 1024",
      "cpu multiply 1024",
    ].map(times),
    [3, 3, 4, 0, 4, 4],
  );
  assert.equal(started.length, 1);
  assert.equal(started[0].environment.VK_DRIVER_FILES, "x");
  assert.equal(started[0].environment.ORT_DISABLE_TELEMETRY, "1");
  assert.ok(started[0].stopped, "its process ends");
});

test("a slow GPU is timed with small products alone, and with few where they take long", async () => {
  const slow = machineOf({ there: () => 200, here: () => 200 });
  assert.deepEqual(await probe.examineGpu(), {
    usable: false,
    reason: `it is slower: 200.0 ms against 200.0 ms of the CPU for ${PRODUCTS} products of 512 x 512`,
  });
  assert.ok(!slow.runs.some((run) => run.endsWith("1024")));
  mock.restoreAll();
  const { runs } = machineOf({ there: () => 1000, here: () => 1 });
  await probe.examineGpu();
  assert.equal(runs.filter((run) => run === "webgpu multiply 512").length, 2);
});

test("the run that compiles is not counted, also where it is the quickest", async () => {
  machineOf({ first: 0.5, there: () => 7, here: () => 6 });
  assert.deepEqual(await probe.examineGpu(), {
    usable: false,
    reason: `it is slower: 7.0 ms against 6.0 ms of the CPU for ${PRODUCTS} products of 1024 x 1024`,
  });
});

test("a driver that does not answer is given up after a minute and a half, and nothing waits when one has answered", async (t) => {
  const timeouts = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timeouts();
  for (const machine of [{}, { failure: new Error("no device") }]) {
    machineOf(machine);
    await probe.examineGpu();
    assert.equal(timeouts(), before);
    mock.restoreAll();
  }
  const { started } = machineOf({ hangs: true });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let found: unknown;
  const examining = probe.examineGpu().then((result) => {
    found = result;
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  t.mock.timers.tick(89_999);
  await turn();
  assert.equal(found, undefined);
  t.mock.timers.tick(1);
  await examining;
  assert.deepEqual(found, { usable: false, reason: "its driver gave no answer within 90 s" });
  assert.ok(started[0].stopped, "its process ends");
});

test("a GPU that is off, in software, or cannot be had is not used, for a reason in one line", async () => {
  for (const [machine, reason] of [
    [{ error: 1e-3 }, "it computes a step of training wrongly (off by "],
    [
      { adapter: { name: "SwiftShader, in software", isSoftware: true } },
      "its only driver is SwiftShader, in software",
    ],
    [{ failure: new Error("no device\nat x") }, "no device"],
  ] as const) {
    const { started } = machineOf(machine);
    const { usable, reason: told } = await probe.examineGpu();
    assert.equal(usable, false);
    assert.ok(told.startsWith(reason) && !told.includes("\n"), told);
    assert.ok(started[0].stopped);
    mock.restoreAll();
  }
  machineOf({ adapter: { name: "SwiftShader, in software", isSoftware: true } });
  assert.equal((await probe.examineGpu({}, { software: true })).usable, true, "where that is asked for");
});

test("a machine is tried once, until what was found is forgotten; where there is no GPU nothing is started", async () => {
  const { started } = machineOf({});
  const both = await Promise.all([probe.probeGpu(), probe.probeGpu()]);
  assert.deepEqual(both[0], both[1]);
  assert.equal(started.length, 1);
  probe.forgetGpu();
  await probe.probeGpu();
  assert.equal(started.length, 2);
  mock.restoreAll();
  probe.forgetGpu();
  const none = machineOf({ problem: "there is none" });
  assert.deepEqual(await probe.probeGpu(), { usable: false, reason: "there is none" });
  assert.deepEqual(none.started, []);
});

test("what a GPU is fed changes from step to step, within bounds, and is the same everywhere", () => {
  const { train } = trialPrograms();
  const [first, second] = [trialFeeds(1), trialFeeds(2)];
  assert.notDeepEqual(first.x, second.x);
  assert.deepEqual(trialFeeds(1), first);
  const schedules = [first, second].map(({ schedule }) => [...schedule].map((x) => Number(x.toFixed(6))));
  assert.deepEqual(schedules, [
    [0.01, 0.1, 0.05],
    [0.01, 0.19, 0.0975],
  ]);
  const state = trialState();
  for (const array of [first.x, state.weight, state.scale, state["matrix 512"].subarray(0, 999)]) {
    assert.ok(array.every((x) => Math.abs(x) <= 1));
    assert.ok(new Set(array).size > array.length / 2, "numbers repeat late");
  }
  const sizes = new Map(
    [...train.graph.inputs, ...train.graph.state].map(({ name, value }) => [
      name,
      value.shape.reduce((a, b) => a * b, 1),
    ]),
  );
  for (const [name, array] of Object.entries({ ...first, ...state }))
    if (sizes.has(name)) assert.equal(array.length, sizes.get(name), name);
});
