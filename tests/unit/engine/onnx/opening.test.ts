import assert from "node:assert/strict";
import Module from "node:module";
import { test } from "node:test";
import { openOnHost } from "../../../../src/engine/onnx/host/open";
import { loadOnnxRuntime, type OnnxRuntime, onnxRuntimeProblem } from "../../../../src/engine/onnx/runtime";
import type { SessionSettings } from "../../../../src/engine/onnx/session";
import type { Graph } from "../../../../src/graph/ir";
import { isLuvitError } from "../../nn/support";
import { GraphWriter } from "../support";
import { PlainTensor } from "./plainTensor";

/*
 * How programs are opened over host memory, and what is said where onnxruntime cannot be loaded. Nothing here runs it: what stands
 * in its place knows sessions by their number and counts those that are open.
 */

function imitation() {
  const sessions = { created: 0, open: 0, threads: [] as unknown[] };
  const create = async (_model: Uint8Array, options: { intraOpNumThreads?: number }) => {
    sessions.created++;
    sessions.open++;
    sessions.threads.push(options.intraOpNumThreads);
    return { run: async () => ({}), release: async () => void sessions.open-- };
  };
  return {
    sessions,
    runtime: { InferenceSession: { create }, Tensor: PlainTensor } as unknown as OnnxRuntime,
  };
}

const settings: SessionSettings = { threads: 2, provider: "cpu" };
const rules = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, lrScale: 1 };

/** y = x Wᵀ with W [40, 50]; `trains` steps W by AdamW with its own numbers as the gradient. */
function graphOf(name: string, trains: boolean): Graph {
  const g = new GraphWriter();
  const w = g.state("w", [40, 50]);
  const flags = { transposeA: false, transposeB: true };
  g.output("y", g.node("BatchMatMul", { a: g.input("x", [2, 50]), b: w }, [{ shape: [2, 40] }], flags)[0]);
  if (!trains) return g.finish(name);
  const [average, squares] = [g.state("w.m", [40, 50]), g.state("w.v", [40, 50])];
  const [gradient] = g.node("Neg", { x: w }, [{ shape: [40, 50] }]);
  const operands = { parameter: w, gradient, average, squares, schedule: g.input("rate", [3]) };
  const results = [0, 1, 2].map(() => ({ shape: [40, 50] }));
  const next = g.node("LuvitAdamW", operands, results, rules);
  for (const [i, entry] of ["w", "w.m", "w.v"].entries()) g.output(entry, next[i]);
  return g.finish(name);
}

const training = () => ({ graph: graphOf("train", true) });
const reading = () => ({ graph: graphOf("read", false) });
const inputsOf = (opened: Awaited<ReturnType<typeof openOnHost>>["opened"]) =>
  opened.map(({ name, model }) => [name, model.inputs.map((input) => input.name)]);

test("two programs that end with AdamW are refused before a session is made", async () => {
  const { runtime, sessions } = imitation();
  await assert.rejects(
    openOnHost({ runtime, programs: { a: training(), b: reading(), c: training() }, settings }),
    isLuvitError("bad-argument", "programs a and c both end with AdamW; open them apart"),
  );
  assert.equal(sessions.created, 0);
});

test("one program that trains and others that read are opened, a session each", async () => {
  const { runtime, sessions } = imitation();
  const { opened, memory } = await openOnHost({
    runtime,
    programs: { a: training(), b: reading() },
    settings,
  });
  assert.deepEqual(sessions, { created: 2, open: 2, threads: [2, 2] });
  assert.deepEqual(inputsOf(opened), [
    ["a", ["x", "w"]],
    ["b", ["x", "w"]],
  ]);
  // The moments lie where AdamW is, from the start; the weight is nowhere before it is written.
  assert.deepEqual(
    ["w", "w.m", "w.v", "y"].map((entry) => memory.holds(entry)),
    [false, true, true, false],
  );
  await memory.write({ w: new Float32Array(2000).fill(0.5) });
  assert.deepEqual(Object.keys(await memory.read()), ["w", "w.m", "w.v"]);
  for (const program of opened) await program.release();
  assert.equal(sessions.open, 0);
});

test("a program that scales its loss is refused by name, on any provider of host memory", async () => {
  for (const provider of ["cpu", "cuda"] as const) {
    const { runtime, sessions } = imitation();
    const programs = { a: reading(), b: { ...training(), lossScale: "scale" } };
    await assert.rejects(
      openOnHost({ runtime, programs, settings: { threads: 1, provider } }),
      isLuvitError("engine", `onnxruntime on ${provider} does not scale losses, which b needs`),
    );
    assert.equal(sessions.created, 0);
  }
});

test("a weight is in eight bits where no program changes it, in all that read it or in none", async () => {
  const open = async (programs: Parameters<typeof openOnHost>[0]["programs"], frozen?: "int8") =>
    openOnHost({ runtime: imitation().runtime, programs, settings: { ...settings, frozen } });
  const eight = ["x", "w int8 transposed", "w int8 scales"];
  assert.deepEqual(inputsOf((await open({ b: reading(), c: reading() }, "int8")).opened), [
    ["b", eight],
    ["c", eight],
  ]);
  assert.deepEqual(inputsOf((await open({ b: reading() })).opened), [["b", ["x", "w"]]]);
  assert.deepEqual(inputsOf((await open({ a: training(), b: reading() }, "int8")).opened), [
    ["a", ["x", "w"]],
    ["b", ["x", "w"]],
  ]);
  const { memory } = await open({ b: reading() }, "int8");
  assert.throws(() => memory.requireWritten(["w int8 scales"]), isLuvitError("bad-argument", "w"));
  await memory.write({ w: Float32Array.from({ length: 2000 }, (_, i) => ((i % 50) - 25) / 25) });
  memory.requireWritten(eight.slice(1));
  const { w } = await memory.read(["w"]);
  // The greatest of a row is 1, of which 64 steps make one.
  for (const [i, found] of w.entries()) assert.ok(Math.abs(found - ((i % 50) - 25) / 25) <= 0.5 / 64 + 1e-6);
});

test("what one program changes has room in all; layouts that any program is fed are made", async () => {
  const g = new GraphWriter();
  const v = g.state("v", [2]);
  g.output("v", g.node("Neg", { x: v }, [{ shape: [2] }])[0]);
  const changing = { graph: g.finish("change") };
  const back = new GraphWriter();
  const w = back.state("w", [40, 50]);
  const flags = { transposeA: false, transposeB: false };
  const dy = back.input("dy", [2, 40]);
  back.output("dx", back.node("BatchMatMul", { a: dy, b: w }, [{ shape: [2, 50] }], flags)[0]);
  const programs = { b: reading(), c: { graph: back.finish("back") }, d: changing };
  const { opened, memory } = await openOnHost({
    runtime: imitation().runtime,
    programs,
    settings: { ...settings, frozen: "int8" },
  });
  assert.deepEqual(inputsOf(opened).slice(1), [
    ["c", ["dy", "w int8", "w int8 scales"]],
    ["d", ["v"]],
  ]);
  assert.notEqual(memory.next("v"), undefined);
  await memory.write({ w: new Float32Array(2000).fill(1), v: Float32Array.of(1, 2) });
  memory.requireWritten(["w int8", "w int8 transposed", "w int8 scales", "v"]);
  assert.deepEqual(Object.keys(await memory.read()), ["v"]);
});

/** Has `load` stand for the loading of onnxruntime's package while `body` runs. */
function whilePackage(load: (original: (name: string) => unknown) => unknown, body: () => void) {
  const node = Module as unknown as { _load(name: string, ...more: unknown[]): unknown };
  const original = node._load;
  node._load = (name, ...more) =>
    name === "onnxruntime-node"
      ? load((other) => original.call(Module, other, ...more))
      : original.call(Module, name, ...more);
  try {
    body();
  } finally {
    node._load = original;
  }
}

test("onnxruntime that is not there is told with the command that installs it", () => {
  whilePackage(
    (original) => original("onnxruntime-that-nobody-has"),
    () => {
      assert.throws(
        loadOnnxRuntime,
        (error: Error) =>
          isLuvitError(
            "engine",
            "onnxruntime-node is not installed; npm install onnxruntime-node (the CPU needs no install script: --ignore-scripts)",
          )(error) && (error.cause as { code?: string }).code === "MODULE_NOT_FOUND",
      );
      assert.match(onnxRuntimeProblem()!, /^onnxruntime-node is not installed; npm install/);
    },
  );
});

test("onnxruntime that is there and does not load is told with the first line of the reason", () => {
  const refuse = (): never => {
    throw Object.assign(new Error("libstdc++.so.6: version not found\nat dlopen"), {
      code: "ERR_DLOPEN_FAILED",
    });
  };
  whilePackage(refuse, () => {
    assert.throws(
      loadOnnxRuntime,
      isLuvitError("engine", "onnxruntime-node does not load: libstdc++.so.6: version not found"),
    );
    assert.equal(onnxRuntimeProblem(), "onnxruntime-node does not load: libstdc++.so.6: version not found");
  });
});

test("whatever loads onnxruntime has its telemetry off before", () => {
  const { ORT_DISABLE_TELEMETRY: before } = process.env;
  delete process.env.ORT_DISABLE_TELEMETRY;
  try {
    let found: string | undefined;
    const load = () => {
      found = process.env.ORT_DISABLE_TELEMETRY;
      return {};
    };
    whilePackage(load, () => assert.deepEqual(loadOnnxRuntime(), {}));
    assert.equal(found, "1");
  } finally {
    if (before !== undefined) process.env.ORT_DISABLE_TELEMETRY = before;
  }
});
