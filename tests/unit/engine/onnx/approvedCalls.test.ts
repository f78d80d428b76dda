import { test } from "node:test";
import { AdamWPool } from "../../../../src/engine/adamw/pool";
import { splitUpdates } from "../../../../src/engine/adamw/splitUpdates";
import { halfBits } from "../../../../src/engine/onnx/half";
import { freeArrays } from "../../../../src/engine/onnx/host/freeArrays";
import { HeldGradients } from "../../../../src/engine/onnx/host/heldGradients";
import { HostMemory } from "../../../../src/engine/onnx/host/memory";
import { HostState } from "../../../../src/engine/onnx/host/state";
import { int8Entries } from "../../../../src/engine/onnx/int8/select";
import { dequantizeWeight, quantizeWeight } from "../../../../src/engine/onnx/int8/weight";
import { Int8Weights, int8Inputs } from "../../../../src/engine/onnx/int8/weights";
import { elementTypes } from "../../../../src/engine/onnx/model";
import { attachSessions, refuseTwoTrainers } from "../../../../src/engine/onnx/open";
import { OnnxProgram } from "../../../../src/engine/onnx/program";
import { encodeModel, IR_VERSION, OPSET } from "../../../../src/engine/onnx/proto";
import {
  type OnnxRuntime,
  type OnnxTensor,
  tensorOf,
  WITHOUT_TELEMETRY,
} from "../../../../src/engine/onnx/runtime";
import { createSession, settleOptions } from "../../../../src/engine/onnx/session";
import { HostTraffic, hostBytes } from "../../../../src/engine/onnx/traffic";
import type { GraphDtype, GraphInput, GraphValue } from "../../../../src/graph/ir";
import { Calls } from "../../../support/calls";
import { GraphWriter } from "../support";
import { PlainTensor } from "./plainTensor";

/*
 * What is approved: bytes of models, what onnxruntime is asked for, and where state is in host memory. Nothing here runs it.
 */

const floats = (...numbers: number[]) => Float32Array.from(numbers);
const entry = (name: string, shape: number[], dtype: GraphDtype = "float32"): GraphInput => ({
  name,
  value: { id: 0, shape, dtype },
});

/** onnxruntime that writes down what it is asked; its results are `answer`'s. */
function imitation(
  log: string[],
  answer: (name: string) => OnnxTensor["data"] = () => floats(1),
  refuse?: string,
) {
  let count = 0;
  const create = async (model: Uint8Array, options: object) => {
    const nth = ++count;
    if (refuse && nth === 2) throw new Error(refuse);
    log.push(`create ${nth}, ${model.length > 0 ? "a model" : "nothing"}, ${JSON.stringify(options)}`);
    return {
      run: async (feeds: Record<string, OnnxTensor>, fetches: Record<string, OnnxTensor | null>) => {
        const fed = Object.entries(feeds).map(
          ([name, { data }]) => `${name}=${Array.from(data as Float32Array)}`,
        );
        const asked = Object.entries(fetches).map(([name, into]) => `${name}${into ? " in place" : ""}`);
        log.push(`run ${nth}: ${fed.join(" ")} -> ${asked.join(" ")}`);
        return Object.fromEntries(
          Object.keys(fetches).map((name) => [name, new PlainTensor("float32", answer(name), [1])]),
        );
      },
      release: async () => void log.push(`release ${nth}`),
    };
  };
  return { InferenceSession: { create }, Tensor: PlainTensor } as unknown as OnnxRuntime;
}

test("models as bytes, halves and what onnxruntime is asked for are approved", async () => {
  const calls = new Calls();
  calls.note("versions and types", [IR_VERSION, OPSET, elementTypes, WITHOUT_TELEMETRY]);
  const empty = { name: "m", nodes: [], inputs: [], outputs: [], initializers: [] };
  const bytes = (title: string, model: object) =>
    calls.does(title, () =>
      [...encodeModel({ ...empty, ...model } as never)]
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join(""),
    );
  await bytes("empty model", {});
  await bytes("inputs and outputs", {
    inputs: [
      { name: "x", shape: [2, 300], dtype: "float32" },
      { name: "s", shape: [], dtype: "int64" },
    ],
    outputs: [{ name: "y", dtype: "float16" }],
  });
  const node = { op: "Foo", domain: "", inputs: ["a", ""], outputs: ["b", "c"], attributes: {} };
  await bytes("nodes", { nodes: [node, { ...node, op: "Bar", domain: "com.microsoft" }] });
  await bytes("attributes", {
    nodes: [{ ...node, attributes: { i: 3, n: -1, list: [1, 200], none: [], text: "é", f: { float: 1.5 } } }],
  });
  for (const [dtype, data] of [
    ["float32", floats(1, -2)],
    ["int32", Int32Array.of(3, -4)],
    ["int64", BigInt64Array.of(5n, -6n)],
    ["bool", Uint8Array.of(1, 0)],
    ["uint8", Uint8Array.of(7, 255)],
    ["float16", Uint16Array.of(0x3c00, 1)],
  ] as const)
    await bytes(`numbers ${dtype}`, {
      initializers: [
        { name: "k", shape: [2], dtype, data },
        { name: "s", shape: [], dtype, data: data.slice(0, 1) },
      ],
    });
  await bytes("part of a buffer", {
    initializers: [{ name: "k", shape: [1], dtype: "float32", data: floats(9, 2, 9).subarray(1, 2) }],
  });
  for (const x of [
    0,
    -0,
    1,
    -1,
    0.1,
    2 ** -14,
    2 ** -15,
    2 ** -24,
    2 ** -25,
    1.5 * 2 ** -25,
    65504,
    65519.9,
    65520,
    -1e9,
    2049,
    2051,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ])
    await calls.of(halfBits, x);
  calls.title("options");
  for (const options of [
    { threads: 3 },
    { threads: 3, provider: "cuda" },
    { threads: 1, precision: "float32" },
    { threads: 1, provider: "webgpu", precision: "float16" },
    { threads: 2, frozen: "int8" },
    { precision: "bfloat16" },
    { precision: "float16" },
    { precision: "float16", provider: "cuda" },
    { frozen: "int8", provider: "cuda" },
    { frozen: "int8", provider: "webgpu" },
  ])
    await calls.of(settleOptions, options);
  const session = async (settings: object, reason?: string) => {
    const log: string[] = [];
    const runtime =
      reason === undefined
        ? imitation(log)
        : ({ InferenceSession: { create: () => Promise.reject(new Error(reason)) } } as never);
    await calls.does(`session ${JSON.stringify(settings)} ${reason ?? ""}`, async () => {
      await createSession(runtime, empty, settings as never);
      return log.pop();
    });
  };
  await session({ threads: 3, provider: "cpu", kept: ["a"] });
  await session({ threads: 1, provider: "webgpu", kept: ["a", "b"] });
  await session({ threads: 1, provider: "webgpu" });
  await session({ threads: 1, provider: "cuda" });
  for (const provider of ["cpu", "cuda", "webgpu"])
    for (const reason of [
      "it is wrong\nreally",
      "/a/b.cc:12 Check(x) x was false. It is small",
      "no fallback to CPU EP",
    ])
      await session({ threads: 1, provider }, reason);
  const traffic = new HostTraffic();
  const tensor = (location: string, size: number) =>
    ({ location, data: new Float32Array(size) }) as unknown as OnnxTensor;
  await calls.does("host bytes", () => [
    hostBytes([]),
    hostBytes([tensor("cpu", 3), tensor("gpu-buffer", 5), tensor("cpu", 1)]),
  ]);
  const log: string[] = [];
  const counted = await createSession(imitation(log), empty, { threads: 1, provider: "cpu", traffic });
  await calls.once("a counted run", async () => [
    Object.keys(await counted.run({ x: new PlainTensor("float32", floats(1, 2, 3), [3]) }, { y: null })),
    traffic.bytes,
  ]);
  await calls.once("and its release", async () => [await counted.release(), log.slice(1)]);
  for (const [dtype, data] of [
    ["float32", [1.5, 2]],
    ["int32", [1.5, -2.5]],
    ["bool", [1, 0]],
  ] as const)
    await calls.does(`tensor ${dtype}`, () =>
      tensorOf(imitation([]), entry("x", [2], dtype), floats(...data)),
    );
  const own = floats(1, 2);
  await calls.does(
    "a tensor over its own array",
    () => tensorOf(imitation([]), entry("x", [2]), own).data === own,
  );
  calls.approve("engine/onnx, models and sessions");
});

/** w takes a step; v is replaced by the graph where it says so. */
function programs(more: object = {}, replaces = false) {
  const g = new GraphWriter();
  const [x, rate, w] = [g.input("x", [2]), g.input("rate", [3]), g.state("w", [2])];
  const [average, squares] = [g.state("w.m", [2]), g.state("w.v", [2])];
  const [schedule] = g.node("Neg", { x: rate }, [{ shape: [3] }]);
  const [gradient] = g.node("Multiply", { a: x, b: w }, [{ shape: [2] }]);
  const rules = { beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay: 0, lrScale: 1 };
  const next = g.node(
    "LuvitAdamW",
    { parameter: w, gradient, average, squares, schedule },
    [0, 1, 2].map(() => ({ shape: [2] })),
    rules,
  );
  for (const [i, name] of ["w", "w.m", "w.v"].entries()) g.output(name, next[i]);
  g.output("loss", g.node("Sum", { x: gradient }, [{ shape: [] }], { axis: [0], keepDims: false })[0]);
  if (replaces) g.output("v", g.node("Add", { a: g.state("v", [2]), b: x }, [{ shape: [2] }])[0]);
  return { graph: g.finish("step"), guard: "loss", ...more };
}

function opened(program: ReturnType<typeof programs>, name = "step") {
  const { graph, updates } = splitUpdates(program.graph);
  return new OnnxProgram(
    name,
    program,
    { graph, updates, gradients: updates.map(({ gradient }) => gradient) },
    {},
  );
}

test("programs and state in host memory are approved", async () => {
  const calls = new Calls();
  const log: string[] = [];
  let loss = 5;
  const numbers: Record<string, number[]> = { "gradient of w'": [3, -4], "v'": [7, 8] };
  const runtime = imitation(log, (name) =>
    floats(...(name.startsWith("schedule") ? [0.1, 0.2, 0.1] : (numbers[name] ?? [loss]))),
  );
  const program = opened(programs({}, true));
  calls.note("program", [
    program.results,
    program.changed,
    program.gradients,
    program.kept,
    program.updates.length,
    program.clipGradNorm,
    program.lossScale,
    program.shared,
  ]);
  for (const more of [
    { clipGradNorm: 1 },
    { lossScale: "x" },
    { shared: "float32" },
    { guard: "lost" },
    { guard: "v" },
  ]) {
    await calls.does(
      `that changes state itself, ${JSON.stringify(more)}`,
      () => opened(programs(more, true)).name,
    );
    await calls.does(`that does not, ${JSON.stringify(more)}`, () => opened(programs(more)).name);
  }
  await calls.does("held back", () => program.expectHoldable());
  await calls.does("held back where that can be", () => opened(programs()).expectHoldable());
  const inputs = programs({}, true).graph.state;
  const pool = new AdamWPool(program.updates);
  const state = new HostState({
    runtime,
    inputs: [...inputs, entry("frozen", [2]), entry("n", [2], "int32")],
    written: new Set(["w", "w.m", "w.v", "v"]),
    pool,
    int8: new Int8Weights(runtime, [], new Set()),
  });
  const memory = new HostMemory(state, pool);
  await attachSessions(runtime, [program], { threads: 1, provider: "cpu" });
  const run = async (fetch: string[], hold = false) => {
    const feeds = { x: floats(1, 2), rate: floats(1, 2, 3) };
    const results = await program.run(runtime, feeds, fetch, memory);
    const good = program.isGood(results);
    return [good, await memory.take(program, results, feeds, hold), log.splice(0)];
  };
  log.length = 0;
  await calls.once("run without state", () => run(["loss"]));
  await calls.once("read without state", () => memory.read());
  await calls.once("moments without state", () => memory.read(["w.m"]));
  await calls.once("write", () =>
    memory.write({ w: floats(1, -1), v: floats(0.5, 0.25), frozen: floats(9, 8), n: Int32Array.of(3, -4) }),
  );
  await calls.once("holds", () => ["w", "v", "w.m", "frozen", "n", "loss"].map((name) => memory.holds(name)));
  await calls.once("run", () => run(["loss"]));
  await calls.once("read", () => memory.read());
  await calls.once("read others", () => memory.read(["n", "frozen"]));
  await calls.once("run for nothing", () => run([]));
  loss = Number.NaN;
  await calls.once("a bad run", () => run(["loss"]));
  loss = 5;
  numbers["gradient of w'"] = [3, -4];
  await calls.once("read after it", () => memory.read());
  await calls.once("hold", () => run(["loss"], true));
  await calls.once("read while held", () => memory.read(["w", "v"]));
  await calls.once("release", () => run(["loss"]));
  await calls.once("read after it", () => memory.read());
  await calls.once("what there is not", () => run(["lost"]));
  await calls.once("entries there are not", () => memory.read(["w", "z"]));
  await calls.once("what does not fit", () => memory.write({ w: floats(1), v: floats(1, 2) }));
  await calls.once("nothing has changed", () => memory.read(["w", "v"]));
  const view = await memory.view(["w", "frozen"]);
  await calls.once("views", () => [
    view.w === state.current("w")!.data,
    view.frozen === state.current("frozen")!.data,
  ]);
  const given = floats(1, 2);
  await memory.write({ v: given, frozen: given });
  given.fill(7);
  await calls.once("an array that was written changes", () => memory.read(["v", "frozen"]));
  await calls.once("dispose", () => memory.dispose());
  await calls.once("release", async () => [await program.release(), await program.release(), log.splice(0)]);
  calls.title("sessions and trainers");
  const failing = imitation(log, undefined, "it is wrong");
  await calls.once("the second is not accepted", () =>
    attachSessions(failing, [opened(programs()), opened(programs()), opened(programs())], {
      threads: 1,
      provider: "cpu",
    }),
  );
  calls.note(
    "the first is released",
    log.splice(0).map((line) => line.slice(0, 9)),
  );
  await calls.does("one trainer", () => refuseTwoTrainers([program]));
  await calls.does("two trainers", () => refuseTwoTrainers([program, opened(programs(), "more")]));
  calls.title("gradients that wait");
  const held = new HeldGradients();
  const of = (...lists: number[][]) => new Map(lists.map((list, i) => [`g${i}`, floats(...list)]));
  const release = (lists: number[][]) => {
    const gradients = of(...lists);
    return [held.release(gradients), [...gradients]];
  };
  await calls.once("none", () => release([[1, 2], [3]]));
  await calls.once("two", () => {
    const second = of([10, 20], [30]);
    held.add(of([1, 2], [3]), true);
    held.add(second, true);
    return [...second.values()].map(({ length }) => length);
  });
  await calls.once("and the last", () => release([[100, 200], [300]]));
  await calls.once("a bad one", () => {
    held.add(of([1]), false);
    held.add(of([1]), true);
    return release([[5]]);
  });
  await calls.once("afterwards", () => release([[5]]));
  const arrays = [floats(1, 2), floats(3)];
  await calls.once("freed", () => {
    freeArrays(new Set([arrays[0], arrays[1], arrays[0].subarray(1)]));
    return arrays.map(({ length }) => length);
  });
  calls.approve("engine/onnx, host memory");
});

test("weights in eight bits are approved", async () => {
  const calls = new Calls();
  const values = floats(1, -2, 0.5, 0, 0, 0, 64, -64, 1, -0.25, 0.1, 0.2);
  for (const layouts of [
    { rows: true, columns: true },
    { rows: true, columns: false },
    { rows: false, columns: true },
  ]) {
    await calls.of(quantizeWeight, values, 4, layouts);
    await calls.does(`back from ${JSON.stringify(layouts)}`, () =>
      dequantizeWeight(quantizeWeight(values, 4, layouts)),
    );
  }
  const many = Float32Array.from({ length: 130 * 3 }, (_, i) => Math.sin(1.3 * i));
  await calls.does("130 outputs, both ways", () => {
    const weight = quantizeWeight(many, 130, { rows: true, columns: true });
    const { rows, columns } = weight;
    return [
      weight.scales,
      rows,
      columns,
      many.every((_, i) => rows![i] === columns![(i % 3) * 130 + Math.floor(i / 3)]),
    ];
  });
  await calls.does("no number", () =>
    quantizeWeight(floats(1, Number.NaN, 2, 3), 2, { rows: true, columns: false }),
  );
  await calls.of(int8Inputs, entry("w", [50, 40]));
  const log: string[] = [];
  const runtime = imitation(log);
  const names = (needed: string[]) => new Int8Weights(runtime, [entry("w", [2, 3])], new Set(needed));
  for (const needed of [["w int8", "w int8 transposed"], ["w int8"], ["w int8 transposed"], []]) {
    const weights = names(needed);
    await calls.once(`before writing, needed ${needed}`, () => [
      weights.has("w"),
      weights.has("v"),
      weights.read("w"),
      weights.tensor("w int8 scales"),
      ["w int8", "w int8 scales", "w"].map((name) => weights.entryOf(name)),
    ]);
    await calls.once("written", () => weights.write("w", floats(1, -2, 0.5, 0.25, 4, -1)));
    await calls.once("read", () => weights.read("w"));
    await calls.once("tensors", () =>
      ["w int8", "w int8 transposed", "w int8 scales"].map((name) => weights.tensor(name)),
    );
  }
  const chosen = (
    title: string,
    ...writes: ((g: GraphWriter, product: (a: GraphValue, b: GraphValue, flags?: object) => void) => void)[]
  ) =>
    calls.does(title, () => [
      ...int8Entries(
        writes.map((write) => {
          const g = new GraphWriter();
          const product = (a: GraphValue, b: GraphValue, flags = {}) => {
            const [y] = g.node("BatchMatMul", { a, b }, [{ shape: [2, 2] }], {
              transposeA: false,
              transposeB: true,
              ...flags,
            });
            g.output("y", y);
          };
          write(g, product);
          return g.finish();
        }),
      ),
    ]);
  await chosen("a weight", (g, product) => product(g.input("x", [2, 40]), g.state("w", [50, 40])));
  await chosen("its gradient too", (g, product) => {
    const w = g.state("w", [50, 40]);
    product(g.input("x", [2, 40]), w);
    product(g.input("dy", [2, 50]), w, { transposeB: false });
  });
  for (const [side, other] of [
    [32, 40],
    [31, 40],
    [40, 32],
    [40, 31],
  ])
    await chosen(`a side of ${side} and ${other}`, (g, product) =>
      product(g.input("x", [2, other]), g.state("w", [side, other])),
    );
  await chosen("as the left factor", (g, product) => product(g.state("w", [50, 40]), g.input("x", [2, 40])));
  await chosen("with the left factor turned", (g, product) =>
    product(g.input("x", [40, 2]), g.state("w", [50, 40]), { transposeA: true }),
  );
  await chosen("of stacks", (g, product) => product(g.input("x", [3, 2, 40]), g.state("w", [50, 40])));
  await chosen("of three axes", (g, product) => product(g.input("x", [2, 40]), g.state("w", [1, 50, 40])));
  await chosen("of whole numbers", (g, product) =>
    product(g.input("x", [2, 40]), g.state("w", [50, 40], "int32")),
  );
  await chosen("used otherwise too", (g, product) => {
    const w = g.state("w", [50, 40]);
    product(g.input("x", [2, 40]), w);
    g.node("Neg", { x: w }, [{ shape: [50, 40] }]);
  });
  await chosen("given back", (g, product) => {
    const w = g.state("w", [50, 40]);
    product(g.input("x", [2, 40]), w);
    g.output("old", w);
  });
  await chosen(
    "changed by another program",
    (g, product) => product(g.input("x", [2, 40]), g.state("w", [50, 40])),
    (g) => g.output("w", g.node("Neg", { x: g.state("w", [50, 40]) }, [{ shape: [50, 40] }])[0]),
  );
  await chosen("of what was computed", (g, product) =>
    product(g.node("Exp", { x: g.input("x", [2, 40]) }, [{ shape: [2, 40] }])[0], g.state("w", [50, 40])),
  );
  await chosen("never used", (g) => void g.state("w", [50, 40]));
  calls.approve("engine/onnx, eight bits");
});
