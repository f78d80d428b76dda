import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { before, mock, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { Program } from "../../../src/engine";
import type { TensorflowBinding } from "../../../src/engine/tensorflow/binding";
import { tensorflowEnvironment } from "../../../src/engine/tensorflow/environment";
import { openTensorflowEngine } from "../../../src/engine/tensorflow/executor";
import { crossingOf } from "../../../src/engine/tensorflow/feeds";
import { elementTypes } from "../../../src/engine/tensorflow/graphDef";
import { TfOps } from "../../../src/engine/tensorflow/lower/ops";
import { TfProgram } from "../../../src/engine/tensorflow/program";
import { TfSession } from "../../../src/engine/tensorflow/session";
import { TfState } from "../../../src/engine/tensorflow/state";
import { addVariable, addZeroing } from "../../../src/engine/tensorflow/variables";
import { addWriters } from "../../../src/engine/tensorflow/writers";
import type { GraphInput } from "../../../src/graph/ir";
import { Linear } from "../../../src/nn/layers";
import { AdamW } from "../../../src/optim/adamw";
import { pretrainRules } from "../../../src/optim/groups";
import { stepPrograms } from "../../../src/train/stepPrograms";
import { WeightAverage } from "../../../src/train/weightAverage";
import { approve } from "../../support/approved";
import { isLuvitError } from "../nn/support";

/*
 * What TensorFlow is given and asked, without TensorFlow. That it computes the right numbers of it is tested where the
 * engine is installed (rules.test.ts, tensorflowState.test.ts).
 */

before(() => startBackend({ backend: "cpu" }));

/** Programs of a model of one weight matrix: its step, its average and a function with and without it. */
function programsOf(changes: Partial<Program> = {}): Record<string, Program> {
  const model = new Linear(2, 1, new Rng(0), { bias: false });
  const rules = pretrainRules(model, 0.05);
  const loss = ({ x }: Readonly<Record<string, Tensor>>) => tf.sum(tf.square(model.forward(x))) as Tensor;
  const out = {
    inputs: { x: { shape: [1, 2] } },
    body: (fed: Record<string, Tensor>) => ({ y: model.forward(fed.x) }),
  };
  const task = { name: "square", model, rules, loss, functions: { out } };
  const average = new WeightAverage(model, rules, 0.75);
  const spec = { task, optimizer: new AdamW(model, rules), average, batches: 2 };
  const { step, ...others } = stepPrograms(spec, { x: { data: new Uint8Array(2), shape: [1, 2] } });
  return { step: { ...step, ...changes }, ...others };
}

function linesOf(programs: Record<string, Program>): string[] {
  const ops = new TfOps();
  const entries = new Map<string, GraphInput>();
  for (const { graph } of Object.values(programs))
    for (const entry of graph.state) entries.set(entry.name, entry);
  const variables = new Map([...entries].map(([name, entry]) => [name, addVariable(ops, entry, "float32")]));
  const opened = Object.entries(programs).map(
    ([name, program]) => new TfProgram({ name, program, ops, variables, products: "float32" }),
  );
  const told = opened.map((program) => {
    const { name, results, guard, state, places, schedules, trains } = program;
    const effects = (["commit", "hold", "holdMore", "release"] as const).map((kind) => program.effect(kind));
    const fetched = program.fetches(results.filter((result) => !variables.has(result)));
    return JSON.stringify({
      name,
      results,
      guard,
      state,
      places: [...places],
      schedules,
      trains,
      effects,
      fetched,
      shared: program.shared,
    });
  });
  const writers = addWriters(ops, [...variables.values()]);
  const nodes = ops.nodes.map(({ name, op, inputs, attributes }) => {
    const shown = JSON.stringify(attributes, (_, one) =>
      ArrayBuffer.isView(one) ? `${one.byteLength} bytes` : one,
    );
    return `${name} ${op}(${inputs.join(", ")}) ${shown}`;
  });
  return [...told, `writers ${JSON.stringify([...writers])}`, ...nodes];
}

test("steps with a guard, clipped and not, averages and functions are one graph of these nodes", () => {
  approve("engine/tensorflow, a step", linesOf(programsOf()));
  approve("engine/tensorflow, a clipped step", linesOf(programsOf({ clipGradNorm: 1.5 })));
});

test("a step whose gradients are summed over workers keeps them, and changes its state in a run of its own", () => {
  approve("engine/tensorflow, a shared step", linesOf(programsOf({ clipGradNorm: 1.5, shared: "bfloat16" })));
});

test("a result that the graph does not have is named", () => {
  const { step } = programsOf();
  const ops = new TfOps();
  const variables = new Map(
    step.graph.state.map((entry) => [entry.name, addVariable(ops, entry, "float32")]),
  );
  const program = new TfProgram({ name: "step", program: step, ops, variables, products: "float32" });
  assert.throws(() => program.fetches(["loss", "lost"]), isLuvitError("bad-argument", "no output lost"));
  assert.ok(program.changes("weight") && !program.changes("loss"));
});

test("floats cross as the bits of int32, bytes four to a number, the last one filled up", () => {
  const floats = crossingOf({
    place: { name: "x", dtype: "float32" },
    shape: [2],
    array: Float32Array.of(1, -2),
  });
  assert.equal(floats.dtype, elementTypes.int32);
  assert.deepEqual([...(floats.values as Int32Array)], [0x3f800000, 0xc0000000 | 0]);
  const whole = crossingOf({ place: { name: "x", dtype: "int32" }, shape: [2], array: Int32Array.of(3, 4) });
  assert.deepEqual([whole.dtype, [...whole.values], whole.shape], [elementTypes.int32, [3, 4], undefined]);
  for (const array of [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(9, 1, 2, 3, 4, 5).subarray(1)]) {
    const bytes = crossingOf({ place: { name: "x", dtype: "float32", isBytes: true }, shape: [5], array });
    assert.deepEqual(
      [bytes.dtype, [...bytes.values], bytes.shape],
      [elementTypes.int32, [0x04030201, 5], [2]],
    );
  }
});

test("what is fed in another type is brought to the graph's; whole words of bytes are not copied", () => {
  const of = (
    dtype: "float32" | "int32" | "bool",
    array: Float32Array | Int32Array | Uint8Array,
    isBytes?: boolean,
  ) => crossingOf({ place: { name: "x", dtype, isBytes }, shape: [array.length], array });
  assert.deepEqual([...of("float32", Uint8Array.of(0, 1)).values], [0, 0x3f800000]);
  assert.deepEqual([...of("int32", Float32Array.of(2, -3)).values], [2, -3]);
  const flags = of("bool", Uint8Array.of(1, 0));
  assert.deepEqual([flags.dtype, [...flags.values]], [elementTypes.bool, [1, 0]]);
  assert.deepEqual([...of("float32", Float32Array.of(1, 2, 3, 4), true).values], [0x04030201]);
  const bytes = Uint8Array.of(1, 2, 3, 4);
  assert.equal(of("float32", bytes, true).values.buffer, bytes.buffer);
  const numbers = Float32Array.of(9, 1, 2).subarray(1);
  const { values } = of("float32", numbers);
  assert.deepEqual([values.buffer, values.byteOffset, values.length], [numbers.buffer, 4, 2]);
});

/** Writes down what it is asked; gives back a tensor of [number of the fetch]. */
class Recorder implements TensorflowBinding {
  readonly TF_Version = "0";
  readonly tensors = new Map<number, { shape: readonly number[]; dtype: number; values: unknown }>();
  readonly runs: string[] = [];
  readonly deleted: number[] = [];
  failure: Error | undefined;
  private last = 0;
  /** The number of a run's first fetch. */
  first = 0;
  gpu = false;
  isUsingGpuDevice = () => this.gpu;
  readonly folders: string[] = [];
  loadSavedModel(folder: string): number {
    assert.deepEqual(readdirSync(folder), ["saved_model.pb"]);
    this.folders.push(folder);
    if (this.failure) throw this.failure;
    return 7;
  }
  deleteSavedModel = (id: number) => void this.deleted.push(id);
  createTensor(shape: readonly number[], dtype: number, values: { slice(): unknown }): number {
    this.tensors.set(++this.last, { shape, dtype, values: values.slice() });
    return this.last;
  }
  deleteTensor(id: number): void {
    assert.ok(this.tensors.delete(id), `tensor ${id} is not there`);
  }
  tensorDataSync = (id: number) => this.tensors.get(id)!.values as Float32Array;
  runSavedModel(model: number, inputs: readonly number[], inputNames: string, outputNames: string) {
    if (this.failure) throw this.failure;
    const fed = inputs.map((id) => JSON.stringify(this.tensors.get(id)));
    this.runs.push(`${model}: ${inputNames} [${fed.join(" ")}] -> ${outputNames}`);
    return outputNames.split(",").map((_, i) => ({
      id: this.createTensor([1], 1, Float32Array.of(i === 0 ? this.first : i)),
    }));
  }
}

test("a run feeds and fetches in order, counts the bytes, and gives every tensor back, also where it fails", () => {
  const binding = new Recorder();
  const session = new TfSession(binding, []);
  const feeds = [
    { place: { name: "a:0", dtype: "int32" as const }, shape: [2], array: Int32Array.of(5, 6) },
    { place: { name: "b:0", dtype: "int32" as const }, shape: [], array: Int32Array.of(7) },
  ];
  assert.deepEqual(session.run(feeds, ["y:0", "z:0"]), [Float32Array.of(0), Float32Array.of(1)]);
  assert.match(
    binding.runs[0],
    /^7: a:0,b:0 \[\{"shape":\[2\],"dtype":3,.*"0":5,"1":6.*"shape":\[\],.*"0":7.*\] -> y:0,z:0$/,
  );
  assert.equal(session.moved, 12 + 8);
  assert.equal(binding.tensors.size, 0);
  for (const [message, ...words] of [
    ["OOM when allocating", "could not run the graph: OOM when", "take a smaller batch"],
    ["it is wrong", "could not run the graph: it is wrong"],
  ]) {
    binding.failure = new Error(message);
    assert.throws(() => session.run(feeds, ["y:0"]), isLuvitError("engine", ...words));
    assert.equal(binding.tensors.size, 0);
  }
  assert.throws(
    () => session.run(feeds, ["y:0"]),
    (error: Error) => !error.message.includes("smaller"),
  );
  assert.throws(
    () => new TfSession(binding, []),
    isLuvitError("engine", "did not accept the graph: it is wrong"),
  );
  assert.deepEqual(
    binding.folders.map(existsSync),
    [false, false],
    "no folder of a graph stays, taken or not",
  );
  session.dispose();
  assert.deepEqual(binding.deleted, [7]);
});

test("state is written by the variable's number, moments begin at zero, and what is read is fetched together", () => {
  const binding = new Recorder();
  const ops = new TfOps();
  const entry = (name: string, id: number): GraphInput => ({
    name,
    value: { id, shape: [2], dtype: "float32" },
  });
  const variables = new Map(
    ["w", "m", "v", "frozen"].map((name, i) => [name, addVariable(ops, entry(name, i), "float32")]),
  );
  const writers = addWriters(ops, [...variables.values()]);
  const zeroing = addZeroing(ops, [variables.get("m")!, variables.get("v")!]);
  const changing = new Set(["w", "m", "v"]);
  const state = new TfState({
    session: new TfSession(binding, ops.nodes),
    variables,
    writers,
    zeroing,
    changing,
  });
  assert.throws(() => state.requireWritten(["w", "m"]), isLuvitError("bad-argument", "w"));
  state.write({ w: Float32Array.of(1, 2), frozen: Float32Array.of(3, 4) });
  const numbers = binding.runs.map((run) => /"values":\{"0":(\d+)\}/.exec(run)![1]);
  assert.deepEqual(numbers, ["0", "3"]);
  assert.equal(writers.get("w")!.writer, writers.get("frozen")!.writer);
  state.requireWritten(["w", "m"]);
  assert.equal(binding.runs.length, 3, "both moments are zeroed at once");
  assert.ok(binding.runs[2].endsWith(`-> ${zeroing.done}`));
  state.requireWritten(["v"]);
  assert.deepEqual(Object.keys(state.read()), ["w", "m", "v"]);
  assert.equal(binding.runs.length, 4, "all that changes is fetched at once");
  const reads = ["w", "m", "v"].map((name) => variables.get(name)!.read);
  assert.ok(binding.runs[3].endsWith(`-> ${reads.join(",")}`));
  assert.deepEqual(state.read(["v"]), { v: Float32Array.of(2) });
  assert.equal(binding.runs.length, 4, "and kept until something changes");
  state.read(["frozen"]);
  assert.equal(binding.runs.length, 5);
  assert.equal(binding.tensors.size, 1);
  state.letGo();
  assert.equal(binding.tensors.size, 0);
  assert.throws(() => state.read(["none"]), isLuvitError("bad-argument", "none"));
  assert.throws(() => state.write({ w: Float32Array.of(1) }), isLuvitError("bad-argument", "w"));
});

test("a moment that was written before the others began has them begin at zero one by one", () => {
  const binding = new Recorder();
  const ops = new TfOps();
  const value = { id: 0, shape: [2], dtype: "float32" } as const;
  const variables = new Map(["m", "v"].map((name) => [name, addVariable(ops, { name, value }, "float32")]));
  const writers = addWriters(ops, [...variables.values()]);
  const zeroing = addZeroing(ops, [...variables.values()]);
  const session = new TfSession(binding, ops.nodes);
  const state = new TfState({ session, variables, writers, zeroing, changing: new Set(["m", "v"]) });
  state.write({ m: Float32Array.of(1, 1) });
  state.requireWritten(["m", "v"]);
  assert.equal(binding.runs.length, 2);
  assert.match(binding.runs[1], /"0":1\}.*"shape":\[2\],.*"0":0,"1":0/);
});

test("the engine's process computes products as its precision says, with as many threads as asked for", () => {
  const { CUDA_VISIBLE_DEVICES: given } = process.env;
  delete process.env.CUDA_VISIBLE_DEVICES;
  const of = (options: Parameters<typeof tensorflowEnvironment>[0]) => {
    const {
      ONEDNN_DEFAULT_FPMATH_MODE,
      TF_NUM_INTRAOP_THREADS,
      OMP_NUM_THREADS,
      CUDA_VISIBLE_DEVICES,
      ...rest
    } = tensorflowEnvironment(options);
    assert.deepEqual(
      [rest.TF_CPP_MIN_LOG_LEVEL, rest.TF_ENABLE_ONEDNN_OPTS, rest.TF_FORCE_GPU_ALLOW_GROWTH],
      ["2", "1", "true"],
    );
    return [ONEDNN_DEFAULT_FPMATH_MODE, TF_NUM_INTRAOP_THREADS, OMP_NUM_THREADS, CUDA_VISIBLE_DEVICES];
  };
  assert.deepEqual(of({}), ["STRICT", undefined, undefined, "0"]);
  assert.deepEqual(of({ precision: "float32", threads: 3 }), ["STRICT", "3", "3", "0"]);
  assert.deepEqual(of({ precision: "bfloat16", provider: "cpu" }), ["BF16", undefined, undefined, "-1"]);
  assert.equal(of({ provider: "cuda" })[3], "0");
  assert.equal(tensorflowEnvironment({ tf32: true }).NVIDIA_TF32_OVERRIDE, "1");
  assert.equal(tensorflowEnvironment({}).NVIDIA_TF32_OVERRIDE, "0");
  if (given !== undefined) process.env.CUDA_VISIBLE_DEVICES = given;
});

const addon = createRequire(__filename)(
  "../../../src/engine/tensorflow/binding",
) as typeof import("../../../src/engine/tensorflow/binding");

/** Runs `use` with an addon that writes down what it is asked. */
async function withAddon(use: (binding: Recorder) => Promise<void>): Promise<void> {
  const binding = new Recorder();
  const loads = mock.method(addon, "loadTensorflow", () => binding);
  const { ONEDNN_DEFAULT_FPMATH_MODE: mode } = process.env;
  try {
    await use(binding);
  } finally {
    loads.mock.restore();
    if (mode !== undefined) process.env.ONEDNN_DEFAULT_FPMATH_MODE = mode;
  }
}

test("what TensorFlow cannot do is refused, and what a GPU is needed for where there is none", () =>
  withAddon(async (binding) => {
    const opened = (options: object) => openTensorflowEngine({}, options);
    for (const [options, words] of [
      [{ provider: "webgpu" }, "the tensorflow engine has no WebGPU"],
      [{ precision: "float16" }, "the tensorflow engine has no float16"],
      [{ frozen: "int8" }, "the tensorflow engine keeps no weights in int8"],
      [{ provider: "cuda" }, "no CUDA GPU was found, or this TensorFlow is built without CUDA"],
      [{ tf32: true }, "tf32 is for NVIDIA GPUs from Ampere on; this one runs on the CPU"],
    ] as const)
      await assert.rejects(opened(options), isLuvitError("engine", words));
    const scaled = { step: { ...programsOf().step, lossScale: "x" } };
    await assert.rejects(
      openTensorflowEngine(scaled),
      isLuvitError("engine", "does not scale losses, which step"),
    );
    const { TF_NUM_INTRAOP_THREADS: threads } = process.env;
    process.env.TF_NUM_INTRAOP_THREADS = "3";
    const told = { engine: "tensorflow", device: "cpu", threads: 3, precision: "float32", tf32: undefined };
    assert.deepEqual((await opened({})).description, told);
    assert.equal(process.env.TF_ENABLE_ONEDNN_OPTS, "1", "what is missing of the environment is set");
    await assert.rejects(
      opened({ precision: "bfloat16" }),
      isLuvitError(
        "engine",
        'FPMATH_MODE=STRICT, precision "bfloat16" needs BF16; open it in a process of its own',
      ),
    );
    if (threads === undefined) delete process.env.TF_NUM_INTRAOP_THREADS;
    else process.env.TF_NUM_INTRAOP_THREADS = threads;
    binding.gpu = true;
    const onGpu = { ...told, device: "GPU", threads: undefined, tf32: true };
    const engine = await opened({ provider: "cuda", tf32: true });
    assert.deepEqual(engine.description, onGpu);
    await engine.dispose();
    assert.deepEqual(binding.deleted, [7]);
  }));

test("a run changes the state, keeps its gradients, adds to them or ends the wait; of bad ones nothing is learnt", () =>
  withAddon(async (binding) => {
    const { step } = programsOf({ guard: "loss" });
    const engine = await openTensorflowEngine({ step });
    const numbers = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (const { name, value } of step.graph.state) await engine.writeState({ [name]: numbers(value.shape) });
    const feeds = Object.fromEntries(
      step.graph.inputs.map(({ name, value }) => [name, numbers(value.shape)]),
    );
    const run = async (options: object = {}) => {
      await engine.run("step", feeds, options);
      return binding.runs.at(-1)!.split("-> ")[1].split(",");
    };
    const [loss, commit] = await run();
    const [, hold] = await run({ hold: true });
    const [, holdMore] = await run({ hold: true });
    const [, release] = await run();
    assert.equal(new Set([loss, commit, hold, holdMore, release]).size, 5);
    assert.deepEqual(await run({ fetch: [] }), [loss, commit], "the guard is fetched whoever asks for it");
    assert.deepEqual(await run({ hold: true }), [loss, hold]);
    binding.first = Number.NaN;
    assert.deepEqual(await run({ hold: true }), [loss, holdMore]);
    binding.first = 0;
    assert.deepEqual(await run({ hold: true }), [loss, holdMore]);
    assert.deepEqual(await run(), [loss], "one of those held was bad");
    assert.deepEqual(await run(), [loss, commit]);
    assert.equal(binding.tensors.size, 0);
    assert.deepEqual(engine.traffic, { process: 0, device: 0 });
    binding.gpu = true;
    await assert.rejects(engine.run("step", {}), isLuvitError("bad-argument", 'feeds of "step"'));
    await assert.rejects(run({ fetch: ["none"] }), isLuvitError("bad-argument", "no output none"));
    await engine.dispose();
    await assert.rejects(run(), isLuvitError("engine", "tensorflow cpu (", "it was disposed"));
  }));
