import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { engineProcesses, openOnnxEngine, stopEngineProcesses, type TypedArray } from "../../../src/engine";
import { type Graph, optimize } from "../../../src/graph";
import type { MaeInputs } from "../../../src/models/mae";
import { maskFromNoise } from "../../../src/models/masking";
import { pretrainRules } from "../../../src/optim/groups";
import { type StepSpec, traceStep } from "../graph/support";
import { isLuvitError, randomArray, randomTensor } from "../nn/support";
import { tinyMae } from "../train/support";
import {
  eventually,
  growingProduct,
  isRunning,
  openInProcess,
  startScript,
  stopProcessesAfterwards,
} from "./processSupport";
import { GraphWriter, openGraph, withOnnxRuntime } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));
stopProcessesAfterwards();

/** A training step of a small masked auto-encoder, after the passes, with its weights and one batch. */
async function trainingStep() {
  const model = tinyMae();
  const batch = model.inputs(randomTensor([2, 3, 16, 16], 5), maskFromNoise(randomArray(8, 6), 2, 0.75));
  const inputs: StepSpec["inputs"] = {};
  const feeds: Record<string, TypedArray> = {};
  for (const [name, x] of Object.entries(batch)) {
    inputs[name] = { shape: x.shape, dtype: x.dtype as "float32" | "int32" };
    feeds[name] = x.dataSync().slice() as TypedArray;
  }
  const loss = (fed: object) => model.loss(fed as MaeInputs);
  const graph = optimize(traceStep("mae", { model, rules: pretrainRules(model, 0.05), inputs, loss }));
  const weights: Record<string, Float32Array> = {};
  for (const [path, { data }] of await model.stateDict()) weights[path] = data;
  return { graph, weights, feeds };
}

async function train(
  { graph, weights, feeds }: Awaited<ReturnType<typeof trainingStep>>,
  open = openOnnxEngine,
) {
  const executor = await openGraph(graph, weights, { threads: 1, guard: "loss", open });
  const losses: number[] = [];
  for (let t = 1; t <= 4; t++) {
    const schedule = Float32Array.of(0.01, 1 - 0.9 ** t, 1 - 0.95 ** t);
    const { loss } = await executor.run("step", { ...feeds, schedule }, { hold: t === 2 });
    losses.push(loss[0]);
  }
  const state = await executor.readState();
  await executor.dispose();
  return { losses, state };
}

test("training in an engine process is training in this one, bit for bit", withOnnxRuntime, async () => {
  const step = await trainingStep();
  const [here, there] = [await train(step), await train(step, openInProcess)];
  assert.deepEqual(there, here);
  assert.ok(here.losses[3] < here.losses[0]);
});

test("every element type, empty shapes and unusual numbers come through", withOnnxRuntime, async () => {
  const g = new GraphWriter();
  const [x, flags] = [g.input("x", []), g.input("flags", [3], "bool")];
  const counts = g.state("counts", [2, 2], "int32");
  const table = g.constant(Float32Array.of(1, Number.NEGATIVE_INFINITY, -0, 4), [4]);
  const [one] = g.node("Fill", {}, [{ shape: [2] }], {
    shape: [2],
    value: Number.POSITIVE_INFINITY,
    dtype: "float32",
  });
  g.output("sum", g.node("Add", { a: x, b: table }, [{ shape: [4] }])[0]);
  g.output("flags", g.node("LogicalNot", { x: flags }, [{ shape: [3], dtype: "bool" }])[0]);
  g.output("counts", g.node("Add", { a: counts, b: counts }, [{ shape: [2, 2], dtype: "int32" }])[0]);
  g.output("one", one);
  const graph = g.finish();
  const run = async (open = openOnnxEngine) => {
    const executor = await openGraph(graph, { counts: Int32Array.of(1, 2, 3, 4) }, { threads: 1, open });
    const results = await executor.run("step", { x: Float32Array.of(2), flags: Uint8Array.of(1, 0, 1) });
    return { results, state: await executor.readState() };
  };
  assert.deepEqual(await run(openInProcess), await run());
});

test("errors come through with code and message", withOnnxRuntime, async () => {
  const executor = await openGraph(growingProduct(), { w: new Float32Array(4) }, { open: openInProcess });
  const x = new Float32Array(4);
  await assert.rejects(executor.run("step", {}), isLuvitError("bad-argument", "missing: x [4]"));
  await assert.rejects(executor.run("stop", { x }), isLuvitError("bad-argument", '"stop"', "step"));
  await assert.rejects(executor.readState(["v"]), isLuvitError("bad-argument", "v"));
  await assert.rejects(
    executor.writeState({ w: x.subarray(1), v: x }),
    isLuvitError("bad-argument", "no such entries", "v"),
  );
  const doubles = new Float64Array(4) as unknown as Float32Array;
  await assert.rejects(
    executor.run("step", { x: doubles }),
    isLuvitError("bad-argument", "x", "Float64Array"),
  );
  const unknown = new GraphWriter();
  unknown.output("y", unknown.node("NoSuchOp", { x: unknown.input("x", [2]) }, [{ shape: [2] }])[0]);
  await assert.rejects(
    openInProcess({ step: { graph: unknown.finish() } }),
    isLuvitError("engine", "NoSuchOp"),
  );
  const broken = { ...growingProduct(), nodes: null } as unknown as Graph;
  await assert.rejects(openInProcess({ step: { graph: broken } }));
  await executor.dispose();
  await executor.dispose();
  await assert.rejects(executor.run("step", { x }), isLuvitError("engine", "disposed"));
});

test("executors share a process and run in turn", withOnnxRuntime, async () => {
  const x = Float32Array.of(1, 1, 1, 1);
  const open = () => openGraph(growingProduct(), { w: x }, { threads: 1, open: openInProcess });
  const [a, b] = [await open(), await open()];
  const processes = engineProcesses();
  assert.equal(processes.length, 1);
  assert.ok(processes[0].executors >= 2);
  const runs = [a.run("step", { x }), b.run("step", { x }), a.run("step", { x }), a.readState()];
  const [first, other, second, state] = await Promise.all(runs);
  assert.deepEqual([first.y[0], other.y[0], second.y[0], state.w[0]], [1, 1, 2, 4]);
  await Promise.all([a.dispose(), b.dispose()]);
  assert.equal(engineProcesses()[0].executors, processes[0].executors - 2);
});

test("large arrays are not copied on their way and come back whole", withOnnxRuntime, async () => {
  const length = 5_000_003;
  const w = randomArray(length, 3);
  const executor = await openGraph(growingProduct(length), { w }, { threads: 1, open: openInProcess });
  const x = new Float32Array(length).fill(2);
  const { y } = await executor.run("step", { x });
  assert.deepEqual(
    y,
    w.map((value) => 2 * value),
  );
  assert.deepEqual(
    (await executor.readState()).w,
    w.map((value) => Math.fround(value + 2 * value)),
  );
  await executor.dispose();
});

test("the engine process of onnxruntime does not load tfjs", () => {
  const modules = ["main", "host"].map((name) => join(__dirname, `../../../src/engine/process/${name}.js`));
  const script = `
    require(${JSON.stringify(join(__dirname, "../../../src/engine/onnx/executor.js"))});
    require(${JSON.stringify(modules[1])});
    console.log(Object.keys(require.cache).filter((file) => file.includes("@tensorflow")).length);`;
  assert.equal(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }).trim(), "0");
});

test("an idle engine process does not keep Node alive, and ends with it", withOnnxRuntime, async () => {
  const { child, line } = startScript("ends");
  const pid = Number(await line());
  const code = await new Promise((resolve) => child.on("exit", resolve));
  assert.equal(code, 0);
  assert.ok(await eventually(() => !isRunning(pid)));
});

test("the engine's process has no token in its environment", withOnnxRuntime, async () => {
  await stopEngineProcesses();
  process.env.HF_TOKEN = "hf_secret";
  try {
    const executor = await openInProcess({ step: { graph: growingProduct() } });
    const [{ pid }] = engineProcesses();
    if (process.platform === "linux") {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      assert.ok(environment.some((entry) => entry.startsWith("PATH=")));
      assert.ok(!environment.some((entry) => entry.includes("hf_secret")));
    }
    await executor.dispose();
  } finally {
    delete process.env.HF_TOKEN;
  }
});
