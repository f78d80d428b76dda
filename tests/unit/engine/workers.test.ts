import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { before, describe, mock, test } from "node:test";
import { deserialize, serialize } from "node:v8";
import { startBackend } from "../../../src/core/tf";
import { openOnnxEngine } from "../../../src/engine";
import "../../../src/nn/ops";
import { openOnDevice } from "../../../src/engine/onnx/device/open";
import { openOnHost } from "../../../src/engine/onnx/host/open";
import { EngineHost } from "../../../src/engine/process/host";
import { joinWorkers, leaveWorkers } from "../../../src/engine/workers";
import { assertRejects } from "../io/support";
import { GraphWriter, withOnnxRuntime } from "./support";

const load = createRequire(__filename);
const processes = load("../../../src/engine/process") as typeof import("../../../src/engine/process");
const groups = load("../../../src/distributed/group") as typeof import("../../../src/distributed/group");

before(() => startBackend({ backend: "cpu" }));

/** Runs `use` as worker `rank` of `size`, whose engine process answers as `answer` says. */
async function asWorker(
  rank: number,
  size: number,
  use: (asked: object[], failures: Map<string, Promise<never>>) => Promise<void>,
) {
  const names = { OMPI_COMM_WORLD_RANK: `${rank}`, OMPI_COMM_WORLD_SIZE: `${size}` };
  Object.assign(process.env, names);
  const asked: object[] = [];
  const instead = new Map<string, Promise<never>>();
  const ends = process.listeners("beforeExit");
  const started = mock.method(processes, "startEngineProcess", (engine: string, options: object) => ({
    async ask(task: string, request: { act: string }, arrays: Record<string, Uint8Array> = {}) {
      asked.push({ engine, options, task, request, arrays });
      if (instead.has(request.act)) return instead.get(request.act);
      if (request.act === "join") return { mpi: "Open MPI 4.1.4", arrays: {} };
      if (request.act === "sum") {
        const sums = new Float64Array(Uint8Array.from(arrays.numbers).buffer).map((x) => size * x);
        return { arrays: { numbers: new Uint8Array(sums.buffer) } };
      }
      const own = deserialize(arrays.own ?? serialize(null));
      const all = Array.from({ length: size }, (_, of) => [of, serialize(of === rank ? own : `of ${of}`)]);
      return { arrays: Object.fromEntries(all) };
    },
  }));
  try {
    await use(asked, instead);
  } finally {
    await leaveWorkers().catch(() => undefined);
    started.mock.restore();
    for (const end of process.listeners("beforeExit"))
      if (!ends.includes(end)) process.off("beforeExit", end);
    for (const name of Object.keys(names)) delete process.env[name];
  }
}

test("a process that is alone joins nobody, and leaving is nothing", async () => {
  assert.equal(await joinWorkers(), undefined);
  await leaveWorkers();
});

describe("a worker among several", withOnnxRuntime, () => {
  test("joins once, through the process of its engine; sums and gathers there in full precision", async () => {
    await asWorker(1, 3, async (asked) => {
      const workers = (await joinWorkers({ provider: "cpu", threads: 2 }))!;
      const { rank, size, mpi, engine } = workers;
      assert.deepEqual([rank, size, mpi, engine], [1, 3, "Open MPI 4.1.4", "onnxruntime, float32, cpu"]);
      const request = { act: "join", rank: 1, size: 3 };
      const options = { threads: 2, provider: "cpu" };
      const arrays = {};
      assert.deepEqual(asked, [
        { engine: "onnxruntime", options, task: "join the other workers", request, arrays },
      ]);
      assert.equal(await joinWorkers({ provider: "cpu", threads: 2 }), workers);
      assert.equal(asked.length, 1);
      assert.deepEqual(await workers.sum([0.1, 2 ** 40 + 1]), [3 * 0.1, 3 * (2 ** 40 + 1)]);
      assert.deepEqual(await workers.gather({ own: [1, undefined] }), [
        "of 0",
        { own: [1, undefined] },
        "of 2",
      ]);
      for (const other of [
        { provider: "cpu", threads: 3 },
        { provider: "webgpu", threads: 2 },
      ] as const)
        await assertRejects(
          () => joinWorkers(other),
          "engine",
          "has joined the others with",
          '"threads":2',
          "cannot do so again",
        );
      await leaveWorkers();
      await leaveWorkers();
      const acts = asked.map((one) => (one as { request: { act: string } }).request.act);
      assert.deepEqual(acts, ["join", "sum", "gather", "leave"]);
    });
  });

  test("is described by all that has to be the same for the same numbers, and by nothing else", async () => {
    for (const [wish, described] of [
      [{ provider: "cpu", frozen: "int8" }, "onnxruntime, float32, cpu, int8"],
      [{ provider: "webgpu", precision: "float16" }, "onnxruntime, float16, webgpu"],
      [{ provider: "cpu", tf32: false, precision: "float32" }, "onnxruntime, float32, cpu"],
    ] as const)
      await asWorker(0, 2, async () => assert.equal((await joinWorkers(wish))!.engine, described));
  });

  test("computes with an engine: op by op there are no sums", async () => {
    await asWorker(0, 2, async (asked) => {
      const alone = () => joinWorkers({ engine: "eager" });
      await assertRejects(alone, "engine", "needs an engine: op by op there are no sums over workers");
      assert.deepEqual(asked, []);
    });
  });

  test("at which something failed waits for the others, but not for ever; another waits as long as it takes", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    await asWorker(0, 2, async (_, instead) => {
      const workers = (await joinWorkers({ provider: "cpu" }))!;
      instead.set("leave", new Promise(() => {}));
      workers.failed();
      let told: Error | undefined;
      const leaving = leaveWorkers().catch((error) => {
        told = error;
      });
      for (const [milliseconds, ended] of [
        [2999, false],
        [1, true],
      ] as const) {
        await new Promise((resolve) => setImmediate(resolve));
        t.mock.timers.tick(milliseconds);
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(told !== undefined, ended);
      }
      await leaving;
      assert.match(`${told}`, /worker 1 of 2 has failed and the others still wait for it: it ends/);
    });
    await asWorker(0, 2, async () => {
      (await joinWorkers({ provider: "cpu" }))!.failed();
      await leaveWorkers(); // the others have come to their end too
    });
  });
});

describe("the process that joins", () => {
  test("is told by MPI what it is, gives sums as doubles and what each worker has by rank", async () => {
    const calls: unknown[] = [];
    const group = {
      mpi: "MPICH 4",
      async sum(numbers: Float64Array) {
        calls.push(["sum", [...numbers]]);
        numbers.forEach((x, i) => {
          numbers[i] = 2 * x;
        });
      },
      gather: async (own: Uint8Array) => [Uint8Array.of(7), own],
      leave: async () => void calls.push("leave"),
    };
    const joins = mock.method(groups, "joinGroup", (place: object) => {
      calls.push(["join", { ...place }]);
      return group;
    });
    const gets = mock.method(groups, "groupFor", () => group);
    try {
      const host = new EngineHost("onnxruntime");
      const ask = async (request: object, arrays = {}) => {
        const { message, arrays: given } = await host.answer({ message: { id: 4, ...request }, arrays });
        return [message, given];
      };
      const numbers = new Uint8Array(Float64Array.of(0.1, -3).buffer);
      assert.deepEqual(await ask({ act: "join", rank: 1, size: 2 }), [{ id: 4, mpi: "MPICH 4" }, {}]);
      const [answer, { numbers: sums }] = (await ask({ act: "sum" }, { numbers })) as [
        object,
        { numbers: Uint8Array },
      ];
      assert.deepEqual([answer, [...new Float64Array(Uint8Array.from(sums).buffer)]], [{ id: 4 }, [0.2, -6]]);
      const own = Uint8Array.of(1, 2);
      assert.deepEqual(await ask({ act: "gather" }, { own }), [{ id: 4 }, { 0: Uint8Array.of(7), 1: own }]);
      assert.deepEqual(await ask({ act: "leave" }), [{ id: 4 }, {}]);
      const [[, { rank, size }], ...others] = calls as [
        [string, { rank: number; size: number }],
        ...unknown[],
      ];
      assert.deepEqual([rank, size, others], [1, 2, [["sum", [0.1, -3]], "leave"]]);
    } finally {
      joins.mock.restore();
      gets.mock.restore();
    }
  });
});

describe("a step whose gradients are summed over workers", withOnnxRuntime, () => {
  const shape = [2];

  function step() {
    const g = new GraphWriter();
    const [x, schedule] = [g.input("x", shape), g.input("schedule", [3])];
    const names = ["w", "w.m", "w.v"];
    const [parameter, average, squares] = names.map((name) => g.state(name, shape));
    const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, lrScale: 1 };
    const [gradient] = g.node("Neg", { x }, [{ shape }]);
    const operands = { parameter, gradient, average, squares, schedule };
    for (const [i, value] of g
      .node("LuvitAdamW", operands, [{ shape }, { shape }, { shape }], rules)
      .entries())
      g.output(names[i], value);
    g.output("loss", g.node("Sum", { x }, [{ shape: [] }], { axis: [0], keepDims: false })[0]);
    return g.finish();
  }

  for (const [where, open] of Object.entries({ "host memory": openOnHost, "a device's": openOnDevice })) {
    test(`sees those of all, in the precision asked for, and changes nothing where one's are bad: state in ${where}`, async () => {
      let othersAreBad = false;
      const sent: unknown[] = [];
      const group = {
        async sum(array: Float32Array | Float64Array, precision?: string) {
          if (array instanceof Float32Array) sent.push([[...array], precision]);
          array.forEach((value, i) => {
            array[i] = array instanceof Float64Array ? value + Number(othersAreBad) : 3 * value;
          });
        },
      };
      const gets = mock.method(groups, "groupFor", () => group);
      try {
        const program = { graph: step(), guard: "loss", shared: "bfloat16" } as const;
        const engine = await openOnnxEngine({ step: program }, { provider: "cpu", threads: 1 }, open);
        await engine.writeState({ w: Float32Array.of(1, 1) });
        const run = (x: number, hold = false) =>
          engine.run(
            "step",
            { x: Float32Array.of(x, 2), schedule: Float32Array.of(0.1, 0.1, 0.05) },
            { hold },
          );
        const average = async () =>
          [...(await engine.readState(["w.m"]))["w.m"]].map((m) => Math.round(10 * m));
        await run(1, true);
        assert.deepEqual(sent, [], "what is held waits");
        await run(1);
        assert.deepEqual(sent, [[[-2, -4], "bfloat16"]]);
        assert.deepEqual(await average(), [-6, -12]);
        othersAreBad = true;
        await run(1);
        othersAreBad = false;
        await run(Number.NaN);
        assert.equal(sent.length, 1, "nothing more is sent");
        assert.deepEqual(await average(), [-6, -12]);
        await engine.dispose();
      } finally {
        gets.mock.restore();
      }
    });
  }
});
