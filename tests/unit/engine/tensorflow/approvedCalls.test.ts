import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { AdamWUpdate } from "../../../../src/engine/adamw/splitUpdates";
import type { TensorflowBinding } from "../../../../src/engine/tensorflow/binding";
import { clipped } from "../../../../src/engine/tensorflow/clip";
import { Readers } from "../../../../src/engine/tensorflow/effects";
import { tensorflowEnvironment } from "../../../../src/engine/tensorflow/environment";
import { addFeed, addInput, crossingOf } from "../../../../src/engine/tensorflow/feeds";
import { elementTypes, encodeSavedModel, TAG } from "../../../../src/engine/tensorflow/graphDef";
import { TfOps } from "../../../../src/engine/tensorflow/lower/ops";
import { TfProgram } from "../../../../src/engine/tensorflow/program";
import { TfSession } from "../../../../src/engine/tensorflow/session";
import { TfState } from "../../../../src/engine/tensorflow/state";
import { addUpdate } from "../../../../src/engine/tensorflow/updates";
import {
  addAssignment,
  addHandle,
  addRead,
  addToken,
  addVariable,
  addZeroing,
} from "../../../../src/engine/tensorflow/variables";
import { addWriters, writeVariable } from "../../../../src/engine/tensorflow/writers";
import type { GraphDtype, GraphInput } from "../../../../src/graph/ir";
import { Calls } from "../../../support/calls";
import { errorText, valueText } from "../../../support/valueText";
import { tensorflowLines } from "../lower/loweredLines";
import { GraphWriter } from "../support";

/*
 * What is approved: graphs around a program, bytes of models, and what the addon is asked for. Nothing here runs TensorFlow.
 */

const floats = (...numbers: number[]) => Float32Array.from(numbers);
const entry = (name: string, shape: number[], dtype: GraphDtype = "float32"): GraphInput => ({
  name,
  value: { id: 0, shape, dtype },
});
const v = (name: string, shape: number[], dtype: "float32" | "int32" = "float32") => ({
  name: `${name}:0`,
  shape,
  dtype,
});

class Written extends Calls {
  add(name: string, expression: (ops: TfOps) => unknown, ops = new TfOps()): void {
    const first = ops.nodes.length;
    let result: string;
    try {
      result = `= ${valueText(expression(ops))}`;
    } catch (error) {
      result = `! ${errorText(error)}`;
    }
    this.lines.push(
      `${name} ${result}`,
      ...tensorflowLines(ops.nodes.slice(first)).map((line) => `  ${line}`),
    );
  }
}

/** The addon, which writes down what it is asked; each fetched tensor holds its name's length and place. */
class Imitation implements TensorflowBinding {
  readonly TF_Version = "0";
  readonly log: string[] = [];
  readonly tensors = new Map<number, { values: ArrayLike<number> }>();
  failure: string | undefined;
  private last = 0;
  isUsingGpuDevice = () => false;
  loadSavedModel(folder: string, tags: string): number {
    this.log.push(`load ${readdirSync(folder)} ${tags}`);
    if (this.failure) throw new Error(this.failure);
    return 7;
  }
  deleteSavedModel = (id: number) => void this.log.push(`unload ${id}`);
  createTensor(shape: readonly number[], dtype: number, values: ArrayLike<number>): number {
    this.tensors.set(++this.last, { values: Array.from(values) });
    this.log.push(`tensor [${shape}] of ${dtype}: ${Array.from(values)}`);
    return this.last;
  }
  deleteTensor = (id: number) => void this.tensors.delete(id);
  tensorDataSync = (id: number) => Float32Array.from(this.tensors.get(id)!.values);
  runSavedModel(model: number, inputs: readonly number[], inputNames: string, outputNames: string) {
    if (this.failure) throw new Error(this.failure);
    this.log.push(`run ${model}: ${inputs.length} fed to ${inputNames} -> ${outputNames}`);
    return outputNames.split(",").map((name, i) => {
      this.tensors.set(++this.last, { values: [name.length, i] });
      return { id: this.last };
    });
  }
  since = () => [this.log.splice(0), `${this.tensors.size} tensors`];
}

const rules = { beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay: 0.1, lrScale: 0.5 };

test("graphs around programs of TensorFlow are approved", async () => {
  const calls = new Written();
  calls.note("types", [elementTypes, TAG]);
  const bytes = (title: string, attributes: object, inputs: string[] = []) =>
    calls.does(title, () =>
      [...encodeSavedModel([{ name: "n", op: "Op", inputs, attributes } as never])]
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join(""),
    );
  await calls.does("no nodes", () => encodeSavedModel([]));
  await bytes("a node", {}, ["a:0", "^b"]);
  for (const value of [
    { integer: 5 },
    { integer: -1 },
    { integers: [1, 300] },
    { integers: [] },
    { float: 1.5 },
    { flag: true },
    { flag: false },
    { text: "é" },
    { text: "" },
    { type: "bfloat16" },
    { shape: [2, 3] },
    { shape: [] },
    { tensor: { dtype: "int32", shape: [2], data: Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0) } },
  ])
    await bytes(JSON.stringify(value), { key: value });
  calls.title("feeds");
  for (const dtype of ["float32", "int32", "bool"] as const) {
    calls.add(`feed ${dtype}`, (ops) => addFeed(ops, dtype, [2, 3]));
    calls.add(`feed ${dtype} of any shape`, (ops) => addFeed(ops, dtype));
  }
  calls.add("input", (ops) => addInput(ops, entry("x", [2, 3])));
  for (const shape of [[2, 3], [8], []])
    calls.add(`input of bytes [${shape}]`, (ops) => addInput(ops, { ...entry("x", shape), isBytes: true }));
  const crossing = (title: string, place: object, array: Float32Array | Int32Array | Uint8Array) =>
    calls.does(title, () =>
      crossingOf({ place: { name: "x:0", dtype: "float32", ...place }, shape: [array.length], array }),
    );
  await crossing("floats", {}, floats(1, -2, 0.5));
  await crossing("whole numbers as floats", {}, Int32Array.of(1, 2));
  await crossing("whole numbers", { dtype: "int32" }, Int32Array.of(3, -4));
  await crossing("floats as whole numbers", { dtype: "int32" }, floats(3.7, -4.2));
  await crossing("yes and no", { dtype: "bool" }, Uint8Array.of(1, 0, 1));
  for (const length of [0, 1, 4, 5, 8])
    await crossing(
      `${length} bytes`,
      { isBytes: true },
      Uint8Array.from({ length }, (_, i) => i + 1),
    );
  await crossing("bytes off a word", { isBytes: true }, Uint8Array.of(9, 1, 2, 3, 4).subarray(1));
  await crossing("floats as bytes", { isBytes: true }, floats(255, 0, 7));
  calls.title("variables");
  calls.add("handle", (ops) => addHandle(ops, "w", "bfloat16", [2, 3]));
  calls.add("read", (ops) => addRead(ops, "h:0", { shape: [2], dtype: "float32" }));
  calls.add("assignment", (ops) => [
    addAssignment(ops, "h:0", v("x", [2])),
    addAssignment(ops, "h:0", v("n", [2], "int32"), ["^a", "^b"]),
  ]);
  calls.add("token", (ops) => [addToken(ops, []), addToken(ops, ["^a", "^b"])]);
  calls.add("variable", (ops) => addVariable(ops, entry("w", [2, 3]), "float32"));
  calls.add("variable in half", (ops) => addVariable(ops, entry("w", [2, 3]), "bfloat16"));
  calls.add("zeroing", (ops) =>
    addZeroing(ops, [
      addVariable(ops, entry("m", [2, 3]), "float32"),
      addVariable(ops, entry("s", []), "float32"),
    ]),
  );
  calls.add("writers", (ops) => [
    ...addWriters(ops, [
      addVariable(ops, entry("a", [2]), "float32"),
      addVariable(ops, entry("n", [3], "int32"), "int32"),
      addVariable(ops, entry("b", []), "bfloat16"),
    ]),
  ]);
  await calls.does("writers of 600", () => {
    const ops = new TfOps();
    const places = addWriters(
      ops,
      Array.from({ length: 600 }, (_, i) => addVariable(ops, entry(`v${i}`, [1]), "float32")),
    );
    const writers = [...new Set([...places.values()].map(({ writer }) => writer))];
    return [
      writers.length,
      [0, 255, 256, 511, 512, 599].map((i) => [
        writers.indexOf(places.get(`v${i}`)!.writer),
        places.get(`v${i}`)!.number,
      ]),
    ];
  });
  calls.title("AdamW");
  const place = {
    parameter: "p:0",
    average: "m:0",
    squares: "s:0",
    before: v("old", [2]),
    gradient: v("g", [2]),
    schedule: v("rate", [3]),
  };
  calls.add("update", (ops) => addUpdate(ops, rules as AdamWUpdate, place, ["^a", "^b"]));
  calls.add("update without decay", (ops) =>
    addUpdate(ops, { ...rules, weightDecay: 0, lrScale: 1 } as AdamWUpdate, place, []),
  );
  calls.add("clipped", (ops) => clipped(ops, [v("g", [2, 3]), v("h", [])], 1.5));
  calls.add("nothing clipped", (ops) => clipped(ops, [], 1.5));
  calls.add("readers", (ops) => {
    ops.addNode("Neg", ["x:0"]);
    const readers = new Readers(ops, 1);
    ops.addNode("Abs", ["x:0", "^y"]);
    ops.addNode("Exp", ["z:0", "x:0"]);
    return [
      readers.of(v("x", [2])),
      new Readers(ops, 1).of(v("x", [2])),
      new Readers(ops, 0).of(v("x", [2])),
      new Readers(ops, 0).of(v("q", [2])),
    ];
  });
  calls.approve("engine/tensorflow, graphs");
});

function program(more: object = {}, replaces = false) {
  const g = new GraphWriter();
  const [x, schedule, w] = [g.input("x", [2]), g.input("schedule", [3]), g.state("w", [2])];
  const [average, squares] = [g.state("w.m", [2]), g.state("w.v", [2])];
  g.state("unused", [1]);
  const [gradient] = g.node("Multiply", { a: x, b: w }, [{ shape: [2] }]);
  const next = g.node(
    "LuvitAdamW",
    { parameter: w, gradient, average, squares, schedule },
    [0, 1, 2].map(() => ({ shape: [2] })),
    rules,
  );
  for (const [i, name] of ["w", "w.m", "w.v"].entries()) g.output(name, next[i]);
  g.output("loss", g.node("Sum", { x: gradient }, [{ shape: [] }], { axis: [0], keepDims: false })[0]);
  if (replaces) g.output("v", g.node("Add", { a: g.state("v", [2]), b: x }, [{ shape: [2] }])[0]);
  return { graph: g.finish("step"), ...more };
}

test("programs, sessions and state of TensorFlow are approved", async () => {
  const calls = new Written();
  const made = (ops: TfOps, given: ReturnType<typeof program>) => {
    const variables = new Map(given.graph.state.map((one) => [one.name, addVariable(ops, one, "float32")]));
    const first = ops.nodes.length;
    const one = new TfProgram({ name: "step", program: given, ops, variables, products: "float32" });
    return { one, first, variables };
  };
  for (const [more, replaces] of [
    [{}, false],
    [{ guard: "loss" }, false],
    [{ guard: "loss" }, true],
    [{ clipGradNorm: 1.5 }, false],
    [{ shared: "float32" }, false],
    [{ clipGradNorm: 1 }, true],
    [{ shared: "float32" }, true],
    [{ guard: "lost" }, false],
  ] as const)
    calls.add(`program ${JSON.stringify(more)} ${replaces}`, (ops) => {
      const { one } = made(ops, program(more, replaces));
      const effects = (["commit", "hold", "holdMore", "release"] as const).map((kind) => one.effect(kind));
      return {
        ...{
          results: one.results,
          state: one.state,
          guard: one.guard,
          trains: one.trains,
          schedules: one.schedules,
        },
        effects,
        places: one.places,
        loss: one.fetches(["loss"]),
        changes: [one.changes("w"), one.changes("loss")],
        shared: one.shared && { apply: one.shared.apply, precision: one.shared.precision },
      };
    });
  await calls.does("what there is not", () =>
    made(new TfOps(), program()).one.fetches(["lost", "loss", "gone"]),
  );
  await calls.does("hold", () => made(new TfOps(), program()).one.expectHoldable());
  await calls.does("hold where the graph changes state", () =>
    made(new TfOps(), program({}, true)).one.expectHoldable(),
  );
  await calls.does("a program that changes nothing", () => {
    const g = new GraphWriter();
    g.output("y", g.node("Neg", { x: g.state("w", [2]) }, [{ shape: [2] }])[0]);
    const { one } = made(new TfOps(), { graph: g.finish() });
    return [one.effect("commit"), one.trains, one.state, one.schedules];
  });
  calls.title("a session");
  const addon = new Imitation();
  const session = new TfSession(addon, []);
  const feed = { place: { name: "x:0", dtype: "float32" as const }, shape: [2], array: floats(1, 2) };
  const bytesFeed = {
    place: { name: "b:0", dtype: "float32" as const, isBytes: true },
    shape: [5],
    array: Uint8Array.of(1, 2, 3, 4, 5),
  };
  const note = async (title: string, run: () => unknown) => {
    await calls.once(title, run);
    calls.note(" ", addon.since());
  };
  await note("open", () => session.moved);
  await note("run", () => [session.run([feed, bytesFeed], ["y:0", "long:0"]), session.moved]);
  await note("fetch", () => {
    const fetched = session.fetch([], ["a:0", "b:0"]);
    const numbers = [fetched.at(1), fetched.at(0)];
    fetched.letGo();
    return [numbers, session.moved];
  });
  for (const failure of [
    "OOM when allocating",
    "it is wrong",
    "ResourceExhausted: x",
    "failed to allocate memory",
    "out of MEMORY",
  ]) {
    addon.failure = failure;
    await note(failure, () => session.run([feed], ["y:0"]));
  }
  await note("not accepted", () => new TfSession(addon, []));
  addon.failure = undefined;
  await note("end", () => session.dispose());
  calls.title("state");
  const ops = new TfOps();
  const variables = new Map(
    [
      entry("w", [2]),
      entry("w.m", [2]),
      entry("w.v", [2]),
      entry("frozen", [2]),
      entry("n", [2], "int32"),
    ].map((one) => [one.name, addVariable(ops, one, one.value.dtype)]),
  );
  const writers = addWriters(ops, [...variables.values()]);
  const moments = ["w.m", "w.v"].map((name) => variables.get(name)!);
  const state = new TfState({
    session: new TfSession(addon, ops.nodes),
    variables,
    writers,
    zeroing: addZeroing(ops, moments),
    changing: new Set(["w", "w.m", "w.v"]),
  });
  calls.note("opened", addon.since());
  await note("has", () => ["w", "n", "z"].map((name) => state.has(name)));
  await note("read before writing", () => state.read());
  await note("read moments before writing", () => state.read(["w.m"]));
  await note("write", () => state.write({ w: floats(1, 2), n: Int32Array.of(3, 4) }));
  await note("read", () => state.read());
  await note("read one", () => state.read(["w.v"]));
  await note("read a frozen one", () => state.read(["n"]));
  await note("read what was not written", () => state.read(["frozen", "w"]));
  await note("read what there is not", () => state.read(["z"]));
  await note("write what does not fit", () => state.write({ w: floats(1), z: floats(2) }));
  await note("write two lengths", () => state.write({ w: floats(1), frozen: floats(1, 2, 3) }));
  await note("required", () => state.requireWritten(["w", "w.m"]));
  await note("required of an empty one", () => state.requireWritten(["frozen", "w"]));
  await note("read, then let go", () => [state.read(["w"]), state.letGo()]);
  await note("let go again", () => state.letGo());
  const place = writers.get("frozen")!;
  await note("a variable written alone", () =>
    writeVariable(new TfSession(addon, []), place, [2], floats(5, 6)),
  );
  calls.title("environment");
  const wanted = (options: object) =>
    calls.does(JSON.stringify(options), () => {
      const {
        ONEDNN_DEFAULT_FPMATH_MODE,
        TF_NUM_INTRAOP_THREADS,
        OMP_NUM_THREADS,
        NVIDIA_TF32_OVERRIDE,
        TF_CPP_MIN_LOG_LEVEL,
        TF_ENABLE_ONEDNN_OPTS,
        TF_FORCE_GPU_ALLOW_GROWTH,
      } = tensorflowEnvironment(options as never);
      return {
        ONEDNN_DEFAULT_FPMATH_MODE,
        TF_NUM_INTRAOP_THREADS,
        OMP_NUM_THREADS,
        NVIDIA_TF32_OVERRIDE,
        TF_CPP_MIN_LOG_LEVEL,
        TF_ENABLE_ONEDNN_OPTS,
        TF_FORCE_GPU_ALLOW_GROWTH,
      };
    });
  for (const options of [
    {},
    { threads: 3 },
    { precision: "bfloat16" },
    { precision: "float32", tf32: true },
    { tf32: false, provider: "cuda" },
  ])
    await wanted(options);
  await calls.does("on the CPU", () => tensorflowEnvironment({ provider: "cpu" }).CUDA_VISIBLE_DEVICES);
  calls.approve("engine/tensorflow, programs and state");
});
