import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { mock, test } from "node:test";
import { joinGroup } from "../../../../src/distributed/group";
import type { TensorflowBinding } from "../../../../src/engine/tensorflow/binding";
import { openTensorflowEngine } from "../../../../src/engine/tensorflow/executor";
import type { Feed } from "../../../../src/engine/tensorflow/feeds";
import { TfOps } from "../../../../src/engine/tensorflow/lower/ops";
import { TfProgram } from "../../../../src/engine/tensorflow/program";
import { applyShared } from "../../../../src/engine/tensorflow/shared";
import { addVariable } from "../../../../src/engine/tensorflow/variables";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { GraphWriter } from "../support";

/*
 * What a step asks of TensorFlow around the graph itself: guards, what was read before, other workers. Nothing here runs
 * TensorFlow.
 */

/** w becomes w + x; the guard is x. */
function adding(shape: readonly number[]) {
  const g = new GraphWriter();
  const [x, w] = [g.input("x", shape), g.state("w", shape)];
  g.output("w", g.node("Add", { a: w, b: x }, [{ shape }])[0]);
  g.output("size", g.node("Abs", { x }, [{ shape }])[0]);
  return { graph: g.finish("add"), guard: "size" };
}

test("a step is made where all numbers of its guard are finite", () => {
  for (const shape of [[], [3], [2, 3]]) {
    const ops = new TfOps();
    const program = adding(shape);
    const variables = new Map(
      program.graph.state.map((entry) => [entry.name, addVariable(ops, entry, "float32")]),
    );
    const made = new TfProgram({ name: "add", program, ops, variables, products: "float32" });
    const nodes = new Map(ops.nodes.map((node) => [node.name, node]));
    const maker = (value: string) => nodes.get(value.replace("^", "").split(":")[0])!;
    const [merge, size] = [maker(made.effect("commit")!), maker(made.fetches(["size"])[0])];
    assert.equal(merge.op, "Merge");
    const [open, shut] = merge.inputs.map(maker);
    assert.deepEqual([open.op, shut.op, merge.inputs[1].endsWith(":0")], ["Identity", "Switch", true]);
    // What opens waits for the assignment, and that for the other side of the switch.
    const assignment = open.inputs.map(maker).find(({ op }) => op === "AssignVariableOp")!;
    const gates = assignment.inputs.filter((input) => input.startsWith("^")).map(maker);
    assert.equal(maker(assignment.inputs[1]).op, "DeepCopy", "not memory that was fed");
    assert.ok(gates.some(({ op, inputs }) => op === "Identity" && inputs[0] === `${shut.name}:1`));
    let test = maker(shut.inputs[1]);
    if (shape.length > 0) {
      assert.equal(test.op, "All");
      const axes = (maker(test.inputs[1]).attributes.value as { tensor: { data: Uint8Array } }).tensor.data;
      assert.deepEqual([...new Int32Array(Uint8Array.from(axes).buffer)], [...shape.keys()]);
      assert.deepEqual(test.attributes.keep_dims, { flag: false });
      test = maker(test.inputs[0]);
    }
    assert.equal(test.op, "IsFinite");
    assert.equal(test.inputs[0], size.inputs[0]);
  }
});

/** MPI's addon in plain JavaScript: what the other worker adds to each sum, and how sums were sent. */
const path = join(temporaryFolder("addon"), "addon.js");

/** Every run gives its own number, or the one that is given. */
class Counting implements TensorflowBinding {
  value: number | undefined;
  readonly TF_Version = "0";
  readonly held = new Map<number, Float32Array>();
  runs = 0;
  private last = 0;
  isUsingGpuDevice = () => false;
  loadSavedModel = () => 1;
  deleteSavedModel = () => undefined;
  createTensor(): number {
    this.held.set(++this.last, Float32Array.of(0));
    return this.last;
  }
  deleteTensor = (id: number) => void this.held.delete(id);
  tensorDataSync = (id: number) => this.held.get(id)!;
  runSavedModel(_model: number, _inputs: readonly number[], _names: string, outputs: string) {
    this.runs++;
    return outputs.split(",").map(() => {
      this.held.set(++this.last, Float32Array.of(this.value ?? this.runs));
      return { id: this.last };
    });
  }
}

/** Runs `use` with that in TensorFlow's place. */
async function withBinding(use: (binding: Counting) => Promise<void>): Promise<void> {
  const { ONEDNN_DEFAULT_FPMATH_MODE: mode } = process.env;
  process.env.ONEDNN_DEFAULT_FPMATH_MODE = "STRICT";
  const addon = createRequire(__filename)(
    "../../../../src/engine/tensorflow/binding",
  ) as typeof import("../../../../src/engine/tensorflow/binding");
  const binding = new Counting();
  const loads = mock.method(addon, "loadTensorflow", () => binding);
  try {
    await use(binding);
    assert.equal(binding.held.size, 0);
  } finally {
    loads.mock.restore();
    if (mode === undefined) delete process.env.ONEDNN_DEFAULT_FPMATH_MODE;
    else process.env.ONEDNN_DEFAULT_FPMATH_MODE = mode;
  }
}

test("state that was read before a run is read anew after it, and after it was written", () =>
  withBinding(async (binding) => {
    const other = new GraphWriter();
    other.output("y", other.node("Neg", { x: other.state("v", [1]) }, [{ shape: [1] }])[0]);
    const engine = await openTensorflowEngine({ add: adding([1]), other: { graph: other.finish("other") } });
    await engine.writeState({ w: Float32Array.of(5), v: Float32Array.of(7) });
    const read = async () => (await engine.readState(["w"])).w[0];
    const first = await read();
    assert.equal(first, binding.runs);
    assert.equal(await read(), first, "what was fetched is there until something changes");
    await engine.run("add", { x: Float32Array.of(1) });
    const second = await read();
    assert.deepEqual([second, binding.runs], [first + 2, first + 2]);
    await engine.writeState({ w: Float32Array.of(6) });
    assert.equal(await read(), second + 2);
    const { w } = await engine.run("add", { x: Float32Array.of(1) }, { fetch: ["w"] });
    assert.equal(w[0], binding.runs, "asked for with a run, it is the state after it");
    const { v, ...rest } = await engine.run("add", { x: Float32Array.of(1) }, { fetch: ["v"] });
    assert.deepEqual([v[0], Object.keys(rest)], [binding.runs, []], "also that of another program");
    await engine.dispose();
  }));

test("a worker among several makes its step with what all have, or none of them makes it", async () => {
  writeFileSync(
    path,
    `exports.join = () => ({ rank: 0, size: 2, version: "Open MPI v4.1.4" });
     exports.others = [];
     exports.sent = [];
     exports.sum = async (array, halves) => {
       exports.sent.push(halves ? "halves" : "whole");
       exports.others.shift().forEach((x, i) => (array[i] += x));
     };`,
  );
  joinGroup({ rank: 0, size: 2 }, path);
  const { others, sent } = createRequire(__filename)(path) as { others: number[][]; sent: string[] };
  const log: string[] = [];
  const session = {
    run(feeds: readonly Feed[], fetches: readonly string[]) {
      const fed = feeds.map(({ place, shape, array }) => `${place.name}[${shape}]=${array}`);
      log.push(`${fed.join(" ")} -> ${fetches}`);
      return fetches.map((name) => Float32Array.of(name === "a" ? 1 : 10, 2));
    },
  };
  const held = ["a", "b"].map((name) => ({ read: name, input: { name, value: { shape: [2] } } }));
  const shared = { held, apply: "apply", precision: "bfloat16" };
  const program = { shared, schedules: ["rate"], places: new Map([["rate", { name: "rate" }]]) };
  const writer = { which: { name: "which" }, source: { name: "source" }, written: "written" };
  const writers = new Map(held.map(({ read }, number) => [read, { writer, number }]));
  const step = (good: boolean) =>
    applyShared(
      session as never,
      program as never,
      writers as never,
      { rate: Float32Array.of(0.5, 1, 1) },
      good,
    );
  // First is said how many are not good, then the gradients go, packed.
  others.push([0], [100, 200, 300, 400]);
  assert.equal(await step(true), true);
  assert.deepEqual(log.splice(0), [
    " -> a,b",
    "which[]=0 source[2]=101,202 -> written",
    "which[]=1 source[2]=310,402 -> written",
    "rate[3]=0.5,1,1 -> apply",
  ]);
  assert.deepEqual(sent.splice(0), ["whole", "halves"], "as precise as the program says");
  others.push([1]);
  assert.equal(await step(true), false, "the other's are not good");
  assert.deepEqual(log.splice(0), [" -> a,b"]);
  for (const other of [0, 1]) {
    others.push([other]);
    assert.equal(await step(false), false, "its own are not good");
    assert.deepEqual(log.splice(0), [], "so they are not fetched");
  }
  assert.equal(others.length, 0);
});

test("of several workers' steps those that are held back are told to nobody, and a bad one spoils the next", async () => {
  const g = new GraphWriter();
  const [x, rate, w] = [g.input("x", [1]), g.input("rate", [3]), g.state("w", [1])];
  const [average, squares] = [g.state("w.m", [1]), g.state("w.v", [1])];
  const [gradient] = g.node("Multiply", { a: x, b: w }, [{ shape: [1] }]);
  const operands = { parameter: w, gradient, average, squares, schedule: rate };
  const rules = { beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay: 0, lrScale: 1 };
  const next = g.node("LuvitAdamW", operands, [{ shape: [1] }, { shape: [1] }, { shape: [1] }], rules);
  for (const [i, name] of ["w", "w.m", "w.v"].entries()) g.output(name, next[i]);
  g.output("loss", g.node("Abs", { x: gradient }, [{ shape: [1] }])[0]);
  const { others, sent } = createRequire(__filename)(path) as { others: number[][]; sent: string[] };
  sent.length = 0;
  await withBinding(async (binding) => {
    const program = { graph: g.finish("step"), guard: "loss", shared: "float32" } as const;
    const engine = await openTensorflowEngine({ step: program });
    await engine.writeState({ w: Float32Array.of(5) });
    const feeds = { x: Float32Array.of(1), rate: Float32Array.of(0.1, 1, 1) };
    const run = async (hold = false) => {
      const before = binding.runs;
      await engine.run("step", feeds, { hold });
      return [binding.runs - before, sent.splice(0).length, others.length];
    };
    await engine.readState(["w.m"]); // from now on the moments are there
    others.push([0], [0]);
    // The run itself, the gradients that it has kept, those of all back again, and the step.
    assert.deepEqual(await run(), [4, 2, 0]);
    assert.deepEqual(await run(true), [1, 0, 0]);
    others.push([0], [0]);
    assert.deepEqual(await run(), [4, 2, 0]);
    binding.value = Number.NaN;
    assert.deepEqual(await run(true), [1, 0, 0]);
    binding.value = undefined;
    others.push([0]);
    assert.deepEqual(await run(), [1, 1, 0], "this worker says no, though its last run was good");
    others.push([0], [0]);
    assert.deepEqual(await run(), [4, 2, 0], "what was bad is forgotten");
    await engine.dispose();
  });
});
