import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterEach, describe, mock, test } from "node:test";
import { inspect } from "node:util";
import { LuvitError } from "../../../src/core/errors";
import { packageVersion } from "../../../src/core/packageRoot";
import { chooseEngine, setEngineDefaults } from "../../../src/engine/choose";
import type { EngineDescription, EngineName, OpenOptions } from "../../../src/engine/executor";
import { devicesFor, openEngine, startEngine } from "../../../src/engine/open";
import type { EngineOptions } from "../../../src/engine/options";
import { EngineStatus, ready } from "../../../src/engine/ready";
import { assertRejects, temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";
import { GraphWriter, withOnnxRuntime } from "./support";

/** Modules as those that use them see them, so that what they give can stand in for what a machine lacks. */
const load = createRequire(__filename);
const probe = load("../../../src/engine/gpu/probe") as typeof import("../../../src/engine/gpu/probe");
const process_ = load("../../../src/engine/process") as typeof import("../../../src/engine/process");
const opener = load("../../../src/engine/open") as typeof import("../../../src/engine/open");

afterEach(() => {
  mock.restoreAll();
  setEngineDefaults({});
  for (const name of ["LUVIT_ENGINE", "LUVIT_PRECISION", "LUVIT_ENGINE_CACHE"]) delete process.env[name];
});

const withGpu = (usable: boolean, reason: string) =>
  mock.method(probe, "probeGpu", () => Promise.resolve({ usable, reason }));

/** Engine processes that take programs or fail as `outcomes` says, one after the other; what each was asked. */
function opening(...outcomes: (Error | undefined)[]) {
  const asked: { engine: string; options: OpenOptions }[] = [];
  mock.method(process_, "openInEngineProcess", (engine: string, _: unknown, options: OpenOptions) => {
    asked.push({ engine, options });
    const failure = outcomes[asked.length - 1];
    return failure ? Promise.reject(failure) : Promise.resolve({ description: { engine, device: "there" } });
  });
  return asked;
}

function programs() {
  const g = new GraphWriter();
  g.output("y", g.node("Neg", { x: g.input("x", [1]) }, [{ shape: [1] }])[0]);
  return { step: { graph: g.finish() } };
}

test(
  "what an engine has not is refused by name, and what only one has chooses it and demands it",
  withOnnxRuntime,
  () => {
    process.env.LUVIT_ENGINE_CACHE = join(temporaryFolder(), "none");
    for (const [wish, reason] of [
      [{ engine: "onnxruntime", precision: "bfloat16" }, "it has no bfloat16"],
      [{ engine: "tensorflow", precision: "float16" }, "it has no float16"],
      [{ engine: "eager", precision: "float16" }, "it has no float16"],
      [
        { engine: "onnxruntime", precision: "float16", provider: "cpu" },
        'in float16 with provider "webgpu" only',
      ],
      [
        { engine: "onnxruntime", precision: "float16", provider: "cuda" },
        'in float16 with provider "webgpu" only',
      ],
      [{ engine: "onnxruntime", tf32: true }, "it has no switch for TensorFloat-32"],
      [{ engine: "eager", tf32: true }, "it has no switch for TensorFloat-32"],
      [{ engine: "tensorflow", frozen: "int8" }, "it has no int8 weights"],
      [{ engine: "eager", frozen: "int8" }, "it has no int8 weights"],
      [{ engine: "tensorflow", provider: "webgpu" }, 'it has no provider "webgpu"'],
      [{ engine: "eager", provider: "webgpu" }, 'it has no provider "webgpu"'],
      [{ engine: "eager", provider: "cuda" }, 'it has no provider "cuda"'],
    ] as const)
      assert.throws(
        () => chooseEngine(wish),
        isLuvitError("engine", `engine "${wish.engine}" cannot be used: `, reason),
      );
    for (const [wish, engine, demanded] of [
      [{}, "onnxruntime", false],
      [{ threads: 2 }, "onnxruntime", false],
      [{ precision: "float32", tf32: false }, "onnxruntime", false],
      [{ provider: "cpu" }, "onnxruntime", false],
      [{ provider: "webgpu" }, "onnxruntime", true],
      [{ provider: "cuda" }, "onnxruntime", true],
      [{ precision: "float16" }, "onnxruntime", true],
      [{ frozen: "int8" }, "onnxruntime", true],
      [{ engine: "onnxruntime" }, "onnxruntime", true],
      [{ engine: "eager", provider: "cpu" }, "eager", true],
    ] as const satisfies (readonly [EngineOptions, EngineName, boolean])[]) {
      const choice = chooseEngine(wish);
      const { engine: _, ...options } = wish as EngineOptions;
      assert.deepEqual([choice.engine, choice.demanded, choice.options], [engine, demanded, options]);
    }
    assert.throws(
      () => chooseEngine({ precision: "bfloat16", frozen: "int8" }),
      isLuvitError(
        "engine",
        "no engine can do precision bfloat16, frozen int8",
        "onnxruntime not used: it has no bfloat16",
        "tensorflow not used: it has no int8 weights",
        "eager not used: it has no bfloat16",
      ),
    );
  },
);

test(
  "the environment's engine and precision hold where nothing else is said; empty ones do not",
  withOnnxRuntime,
  () => {
    process.env.LUVIT_ENGINE = "eager";
    assert.deepEqual([chooseEngine().engine, chooseEngine().demanded], ["eager", true]);
    process.env.LUVIT_ENGINE = "";
    process.env.LUVIT_PRECISION = "float16";
    assert.deepEqual(chooseEngine().options, { precision: "float16" });
    assert.equal(chooseEngine({ precision: "float32" }).options.precision, "float32");
    setEngineDefaults({ precision: "float32", threads: 3 });
    assert.deepEqual(chooseEngine({ provider: "cpu", threads: undefined }).options, {
      precision: "float32",
      threads: 3,
      provider: "cpu",
    });
    process.env.LUVIT_PRECISION = "";
    setEngineDefaults({});
    assert.deepEqual(chooseEngine().options, {});
  },
);

test("threads are a whole number from one", () => {
  for (const threads of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "2"])
    assert.throws(
      () => chooseEngine({ engine: "eager", threads: threads as number }),
      isLuvitError("bad-argument", `engine options: threads is ${threads}, expected a whole number from 1`),
    );
  assert.equal(chooseEngine({ engine: "eager", threads: 1 }).options.threads, 1);
});

describe("devices to try", withOnnxRuntime, () => {
  const devices = (wish: EngineOptions) => devicesFor(chooseEngine(wish));

  test("are a GPU that is right and faster, then the CPU", async () => {
    withGpu(true, "it takes 1 ms");
    assert.deepEqual(await devices({ tf32: false }), {
      candidates: [{ tf32: false, provider: "webgpu" }, { tf32: false }],
      passedOver: ["cpu not used: webgpu is right and faster, it takes 1 ms"],
    });
    withGpu(false, "it is slow");
    assert.deepEqual(await devices({}), { candidates: [{}], passedOver: ["webgpu not used: it is slow"] });
  });

  test("are what is asked for, and no GPU is tried for it", async () => {
    const asked = withGpu(true, "fast");
    for (const wish of [{ provider: "cpu" }, { provider: "cuda" }, { provider: "webgpu" }] as const)
      assert.deepEqual(await devices(wish), { candidates: [wish], passedOver: [] });
    assert.deepEqual((await devicesFor(chooseEngine({ engine: "eager" }))).candidates, [{}]);
    assert.deepEqual((await devices({ threads: 1 })).passedOver, ["webgpu not used: threads are the CPU's"]);
    assert.deepEqual((await devices({ frozen: "int8" })).passedOver, [
      "webgpu not used: weights in int8 are the CPU's",
    ]);
    assert.equal(asked.mock.callCount(), 0);
  });

  test("are a GPU alone for float16, or nothing", async () => {
    withGpu(true, "fast");
    assert.deepEqual(await devices({ precision: "float16" }), {
      candidates: [{ precision: "float16", provider: "webgpu" }],
      passedOver: [],
    });
    withGpu(false, "there is none");
    const words = 'precision "float16" is for GPUs through WebGPU, which cannot be used: there is none';
    await assertRejects(() => devices({ precision: "float16" }), "engine", words);
  });
});

describe("programs are opened", withOnnxRuntime, () => {
  const failure = new Error("no kernel for Neg\nat somewhere");
  const death = new LuvitError("engine-died", "killed\nlast lines");

  test("on the first device that takes them; its description says what was tried before", async () => {
    withGpu(true, "fast");
    const asked = opening();
    assert.equal((await openEngine(programs(), {})).description.reason, undefined);
    assert.deepEqual(asked, [{ engine: "onnxruntime", options: { provider: "webgpu" } }]);
    for (const [problem, reason] of [
      [failure, "it does not compile: no kernel for Neg"],
      [death, "its engine died: killed"],
    ] as const) {
      mock.restoreAll();
      withGpu(true, "fast");
      const tried = opening(problem);
      const { description } = await openEngine(programs(), { tf32: false });
      assert.equal(description.reason, reason);
      assert.deepEqual(
        tried.map(({ options }) => options),
        [{ tf32: false, provider: "webgpu" }, { tf32: false }],
      );
    }
  });

  test("op by op where none takes them, with every reason, unless an engine was demanded or has died", async () => {
    withGpu(true, "fast");
    opening(failure, new Error("nor here"));
    const engine = await openEngine(programs(), {});
    assert.equal(engine.description.engine, "eager");
    assert.equal(
      engine.description.reason,
      "it does not compile: no kernel for Neg; it does not compile: nor here",
    );
    await engine.dispose();
    for (const [wish, ...outcomes] of [
      [{}, failure, death],
      [{ engine: "onnxruntime" }, failure, death],
      [{ provider: "webgpu" }, death],
    ] as const) {
      mock.restoreAll();
      withGpu(true, "fast");
      opening(...outcomes);
      await assert.rejects(openEngine(programs(), wish), outcomes.at(-1));
    }
    mock.restoreAll();
    withGpu(false, "none");
    opening(failure);
    await assert.rejects(openEngine(programs(), { engine: "onnxruntime" }), failure);
  });

  test("op by op where that is asked for", async () => {
    const engine = await openEngine(programs(), { engine: "eager" });
    assert.equal(engine.description.reason, "asked for");
    await engine.dispose();
  });
});

test("a process is started for the engine that will be used, and for op by op none", withOnnxRuntime, () => {
  const started = mock.method(process_, "startEngineProcess", () => ({}));
  startEngine({ engine: "eager" });
  assert.equal(started.mock.callCount(), 0);
  startEngine({ engine: "onnxruntime", threads: 2 });
  assert.deepEqual(started.mock.calls[0].arguments, ["onnxruntime", { threads: 2 }]);
});

describe("ready", withOnnxRuntime, () => {
  /** What programs are opened on: gives `y` for the trial. */
  function machine(description: Partial<EngineDescription>, y = [6, -2]) {
    const seen: unknown[] = [];
    const note = (...what: unknown[]) => void seen.push(what);
    const executor = {
      description: { engine: "onnxruntime", device: "cpu", precision: "float32", ...description },
      writeState: async (state: object) => note("write", state),
      run: async (name: string, feeds: object) => {
        note("run", name, feeds);
        return { y: Float32Array.from(y) };
      },
      dispose: async () => note("dispose"),
    };
    mock.method(opener, "openEngine", async (given: object, wish: object) => {
      note("open", Object.keys(given), wish);
      return executor;
    });
    return seen;
  }

  test("runs something on it, gives it back, and says what was passed over", async () => {
    withGpu(false, "there is none");
    const seen = machine({});
    const status = await ready({ backend: "cpu", tf32: false });
    assert.deepEqual(seen, [
      ["open", ["trial"], { tf32: false }],
      ["write", { w: Float32Array.of(3, -4) }],
      ["run", "trial", { x: Float32Array.of(2, 0.5) }],
      ["dispose"],
    ]);
    assert.equal(status.passedOver[0], "webgpu not used: there is none");
    assert.equal(status.worker, undefined);
    assert.deepEqual(chooseEngine().options, { tf32: false }, "it holds from now on");
  });

  test("names a device that was to be used and was not, with the reason", async () => {
    withGpu(true, "fast");
    machine({ reason: "it does not compile: x" });
    const { passedOver } = await ready({ backend: "cpu" });
    assert.equal(passedOver[0], "onnxruntime webgpu not used: it does not compile: x");
    mock.restoreAll();
    withGpu(true, "fast");
    machine({ device: "webgpu" });
    const used = await ready({ backend: "cpu" });
    assert.equal(used.passedOver[0], "cpu not used: webgpu is right and faster, fast");
    mock.restoreAll();
    withGpu(false, "none");
    machine({ engine: "eager", device: "tfjs cpu", reason: "why" });
    assert.equal((await ready({ backend: "cpu" })).passedOver[0], "onnxruntime not used: why");
  });

  test("tries the machine's GPUs anew, and tells of what neither graphs nor cells run on", async () => {
    withGpu(false, "there is none");
    machine({});
    const forgets = mock.method(probe, "forgetGpu", () => undefined);
    const [first, second] = [await ready({ backend: "cpu" }), await ready({ backend: "cpu", threads: 2 })];
    assert.equal(forgets.mock.callCount(), 2);
    assert.deepEqual(first.passedOver, ["webgpu not used: there is none", ...first.cells.passedOver]);
    assert.deepEqual(second.passedOver, [
      "webgpu not used: threads are the CPU's",
      ...first.cells.passedOver,
    ]);
    assert.deepEqual([first.cells.backend, first.version], ["cpu", packageVersion()]);
  });

  test("refuses options that no engine can have, each by its name", async () => {
    const seen = machine({});
    for (const [option, values] of [
      ["engine", ["onnx", "", null, 1]],
      ["precision", ["int8", "fp16", true]],
      ["threads", [0, -1, 1.5, 4097, "2", Number.NaN]],
      ["provider", ["gpu", "CPU", null]],
      ["frozen", ["int4", true]],
      ["tf32", [1, "true", null]],
      ["backend", ["webgl", "", null]],
      ["batchSize", [1]],
    ] as const)
      for (const value of values)
        await assertRejects(() => ready({ [option]: value } as never), "bad-argument", /^ready: /, option);
    assert.deepEqual([seen, chooseEngine().options], [[], {}], "nothing was opened, nothing holds");
  });

  test("refuses what computes something else, and then nothing holds", async () => {
    withGpu(false, "none");
    for (const y of [
      [6, 2],
      [-2, 6],
      [6, Number.NaN],
    ]) {
      const seen = machine({}, y);
      const words = `onnxruntime cpu (float32) cannot be used: [2, 0.5] * [3, -4] came out as [${y.join(", ")}]`;
      await assertRejects(() => ready({ backend: "cpu", threads: 7 }), "engine", words);
      assert.deepEqual(seen.at(-1), ["dispose"]);
      assert.deepEqual(chooseEngine().options, {});
    }
    await assertRejects(() => ready({ backend: "gpu" as never }), "bad-argument", "backend");
  });

  test("is a line, of a worker among several with its place", () => {
    const description = { engine: "onnxruntime", device: "cpu", precision: "float32" } as const;
    const status = new EngineStatus(description, "cpu" as never, [], "1.2.3", "worker 2 of 4 (Open MPI 4.1)");
    const line =
      "engine: onnxruntime cpu (float32) · cells: cpu · luvit 1.2.3 · worker 2 of 4 (Open MPI 4.1)";
    assert.deepEqual([`${status}`, inspect(status)], [line, line]);
  });
});
