import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { inspect } from "node:util";
import {
  chooseEngine,
  describeEngine,
  describeRunning,
  type EngineDescription,
  openEngine,
  ready,
  setEngineDefaults,
  tensorflowProblem,
} from "../../../src/engine";
import { MANIFEST } from "../../../src/engine/install/cache";
import { isLuvitError } from "../nn/support";
import { temporaryFolder } from "../train/support";
import { stopProcessesAfterwards } from "./processSupport";
import { GraphWriter, withOnnxRuntime } from "./support";

stopProcessesAfterwards();

afterEach(() => {
  setEngineDefaults({});
  delete process.env.LUVIT_ENGINE;
  delete process.env.LUVIT_PRECISION;
  delete process.env.LUVIT_ENGINE_CACHE;
});

test("onnxruntime is chosen where nothing is asked for", withOnnxRuntime, () => {
  const { engine, demanded, passedOver } = chooseEngine();
  assert.deepEqual(
    { engine, demanded, passedOver },
    { engine: "onnxruntime", demanded: false, passedOver: [] },
  );
});

test("an engine is told in one line: device, adapter, threads, precision and what is not usual", () => {
  const cpu = { engine: "onnxruntime", device: "cpu", precision: "float32" } as const;
  const told = (more: Partial<EngineDescription>) => describeEngine({ ...cpu, ...more });
  assert.equal(told({}), "onnxruntime cpu (float32)");
  assert.deepEqual(
    [1, 2, 16].map((threads) => told({ threads })),
    [
      "onnxruntime cpu (1 thread, float32)",
      "onnxruntime cpu (2 threads, float32)",
      "onnxruntime cpu (16 threads, float32)",
    ],
  );
  const half = { device: "webgpu", adapter: "A100", precision: "float16", productError: 0.000284 } as const;
  assert.equal(told(half), "onnxruntime webgpu (A100, float16 (products off by 0.028 %))");
  assert.equal(
    told({ productError: 0, tf32: true }),
    "onnxruntime cpu (float32 (tf32 products, products off by 0.0 %))",
  );
  assert.equal(
    told({ frozen: "int8", threads: 3 }),
    "onnxruntime cpu (3 threads, float32, frozen weights int8)",
  );
  assert.equal(describeRunning({ ...cpu, reason: "why" }), "onnxruntime cpu (float32), one graph (why)");
  const eager = { engine: "eager", device: "tfjs wasm", precision: "float32" } as const;
  assert.equal(describeRunning(eager), "tfjs wasm, op by op");
  assert.equal(describeRunning({ ...eager, reason: "asked for" }), "tfjs wasm, op by op (asked for)");
});

test("an option goes before what ready was given, that before the environment", () => {
  process.env.LUVIT_ENGINE = "abacus";
  assert.throws(
    () => chooseEngine(),
    isLuvitError("bad-argument", 'engine "abacus"', "auto, onnxruntime, tensorflow or eager"),
  );
  setEngineDefaults({ engine: "eager" });
  assert.equal(chooseEngine().engine, "eager");
  assert.equal(chooseEngine().demanded, true);
  setEngineDefaults({ engine: "tensorflow" });
  assert.equal(chooseEngine({ engine: "eager" }).engine, "eager");
});

test("an engine that cannot do what is asked for is refused, and so is a precision there is not", () => {
  assert.throws(
    () => chooseEngine({ engine: "eager", precision: "bfloat16" }),
    isLuvitError("engine", '"eager"', "it has no bfloat16"),
  );
  assert.throws(
    () => chooseEngine({ engine: "tensorflow", frozen: "int8" }),
    isLuvitError("engine", '"tensorflow"', "int8"),
  );
  assert.throws(
    () => chooseEngine({ precision: "float8" as "float32" }),
    isLuvitError("bad-argument", '"float8"', "float32, bfloat16 or float16"),
  );
  assert.throws(
    () => chooseEngine({ provider: "rocm" as "cpu", frozen: "int4" as "int8", threads: 0 }),
    isLuvitError(
      "bad-argument",
      'provider "rocm", expected cpu, cuda or webgpu',
      '"int4", expected int8',
      "threads is 0",
    ),
  );
});

/** A cache with an installed engine of this machine's kind; nothing of it is loaded. */
function withTensorflow(): void {
  const folder = join(temporaryFolder(), "engines");
  const engine = join(folder, "made-up");
  mkdirSync(engine, { recursive: true });
  writeFileSync(join(engine, "addon.node"), "");
  const { platform, arch } = process;
  const manifest = { addon: "addon.node", platform, arch, tensorflow: "2.0", installed: "2026-01-01" };
  writeFileSync(join(engine, MANIFEST), JSON.stringify(manifest));
  process.env.LUVIT_ENGINE_CACHE = folder;
}

test("bfloat16 is given to the engine that has it, and refused where there is none", () => {
  process.env.LUVIT_ENGINE_CACHE = join(temporaryFolder(), "nothing");
  if (tensorflowProblem()) {
    assert.throws(
      () => chooseEngine({ precision: "bfloat16" }),
      isLuvitError("engine", "bfloat16", "onnxruntime not used: it has no bfloat16", "tensorflow not used"),
    );
  }
  withTensorflow();
  for (const wish of [{ precision: "bfloat16" }, { engine: "auto", precision: "bfloat16" }] as const)
    assert.equal(chooseEngine(wish).engine, "tensorflow");
  setEngineDefaults({ precision: "bfloat16" });
  assert.deepEqual([chooseEngine().engine, chooseEngine().demanded], ["tensorflow", true]);
});

/** Running products, which no engine has a rule for. */
function uncompilable() {
  const g = new GraphWriter();
  const x = g.input("x", [3]);
  const attributes = { axis: 0, exclusive: false, reverse: false };
  g.output("y", g.node("Cumprod", { x }, [{ shape: [3] }], attributes)[0]);
  return { step: { graph: g.finish() } };
}

test(
  "what does not compile runs op by op, saying why, unless an engine was demanded",
  withOnnxRuntime,
  async () => {
    const executor = await openEngine(uncompilable());
    assert.match(
      describeRunning(executor.description),
      /^tfjs \w+, op by op \(it does not compile: .*Cumprod/,
    );
    const { y } = await executor.run("step", { x: Float32Array.of(1, 2, 3) });
    assert.deepEqual(y, Float32Array.of(1, 2, 6));
    await executor.dispose();
    const refused = isLuvitError("engine", "onnxruntime has no rule for Cumprod");
    for (const wish of [{ engine: "onnxruntime" }, { frozen: "int8" }] as const)
      await assert.rejects(openEngine(uncompilable(), wish), refused);
    setEngineDefaults({ engine: "onnxruntime" });
    await assert.rejects(openEngine(uncompilable()), refused);
    setEngineDefaults({});
    process.env.LUVIT_ENGINE = "onnxruntime";
    await assert.rejects(openEngine(uncompilable()), refused);
  },
);

for (const [provider, need] of [
  ["cuda", "CUDA"],
  ["webgpu", "Vulkan"],
] as const) {
  test(`ready says "${provider}" only after something has run there`, withOnnxRuntime, async () => {
    try {
      const { engine } = await ready({ engine: "onnxruntime", provider, backend: "wasm" });
      assert.equal(engine.device, provider);
    } catch (error) {
      assert.ok(isLuvitError("engine", provider, need)(error));
      assert.equal(chooseEngine().options.provider, undefined, "what cannot be had does not hold");
    }
  });
}

test(
  "ready says in one line what graphs and cells run on, and why not on something else",
  withOnnxRuntime,
  async () => {
    const status = await ready({ backend: "wasm", threads: 1 });
    assert.match(
      inspect(status),
      /^engine: onnxruntime cpu \(1 thread, float32\) · cells: tfjs wasm \(.+, 1 thread, SIMD, float32\).* · luvit \d+\.\d+\.\d+$/,
    );
    assert.equal(chooseEngine().options.threads, 1, "it holds for what comes after");
    const eager = await ready({ engine: "eager" });
    assert.match(inspect(eager), /^engine: op by op · cells: tfjs wasm/);
  },
);
