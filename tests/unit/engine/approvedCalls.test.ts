import { afterEach, before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import {
  chooseEngine,
  describeEngine,
  describeRunning,
  engineChoices,
  engineOf,
  GRADIENT_NORM,
  openEagerEngine,
  setEngineDefaults,
} from "../../../src/engine";
import {
  arrayTypes,
  checkArrays,
  expectEntries,
  expectNoneEmpty,
  expectOutputs,
} from "../../../src/engine/arrays";
import { CLIP_EPS, clipFactor, normOf, OVERFLOW_SCALE } from "../../../src/engine/clipGradNorm";
import { clipTensors } from "../../../src/engine/clipTensors";
import { InTurn } from "../../../src/engine/inTurn";
import { devicesFor } from "../../../src/engine/open";
import { engineOptions, expectEngineOptions } from "../../../src/engine/options";
import {
  changedState,
  commonState,
  expectOnlyUpdates,
  frozenFactors,
  programNamed,
  refuseLossScale,
  resultsOf,
} from "../../../src/engine/programs";
import { Message } from "../../../src/engine/protobuf";
import { EngineStatus, readyOptions } from "../../../src/engine/ready";
import { saveState } from "../../../src/engine/saveState";
import type { Graph, GraphInput } from "../../../src/graph/ir";
import { Calls } from "../../support/calls";
import { GraphWriter } from "./support";

/*
 * What is approved: checks, texts, choices and arithmetic of engines that no library takes part in.
 */

before(() => startBackend({ backend: "cpu" }));

afterEach(() => {
  setEngineDefaults({});
  for (const name of ["LUVIT_ENGINE", "LUVIT_PRECISION"]) delete process.env[name];
});

const input = (
  name: string,
  shape: number[],
  dtype: "float32" | "int32" | "bool" = "float32",
): GraphInput => ({ name, value: { id: 0, shape, dtype } });

/** y = x w, w replaced where it is to change, by way of what `op` says. */
function graphOf({
  changes = false,
  op = "BatchMatMul",
  dtype = "float32" as "float32" | "int32",
  name = "g",
} = {}): Graph {
  const g = new GraphWriter();
  const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2], dtype)];
  const [y] = g.node(op, { a: x, b: w }, [{ shape: [2, 2] }], { transposeA: false, transposeB: false });
  g.output("y", y);
  if (changes) g.output("w", y);
  g.state("other", [3]);
  return g.finish(name);
}

test("checks of arrays, entries and programs are approved", async () => {
  const calls = new Calls();
  calls.note(
    "array types",
    Object.entries(arrayTypes).map(([dtype, type]) => `${dtype} ${type.name}`),
  );
  const entries = [input("x", [2, 3]), input("s", []), input("none", [0, 4]), input("n", [2], "int32")];
  const fitting = {
    x: new Float32Array(6),
    s: new Float32Array(1),
    none: new Float32Array(0),
    n: new Int32Array(2),
  };
  await calls.of(checkArrays, "feeds", entries, fitting);
  await calls.of(checkArrays, "feeds", entries, { ...fitting, more: new Float32Array(1) });
  await calls.of(checkArrays, "feeds", entries, {});
  await calls.of(checkArrays, "feeds", entries, {
    ...fitting,
    x: new Float32Array(5),
    s: new Float32Array(0),
    n: new Int32Array(3),
  });
  await calls.of(checkArrays, "feeds", [], {});
  await calls.of(
    checkArrays,
    "many",
    Array.from({ length: 12 }, (_, i) => input(`x${i}`, [i])),
    {},
  );
  const known = new Map([
    ["a", 1],
    ["b", 2],
  ]);
  for (const names of [[], ["a"], ["c"], ["c", "a", "d"]]) await calls.of(expectEntries, names, known);
  for (const names of [[], ["a"], ["c", "b", "d"]])
    await calls.does(`expectOutputs ${names}`, () => expectOutputs(names, (name) => known.has(name)));
  for (const names of [[], ["a"], ["a", "b"]]) await calls.of(expectNoneEmpty, names);
  calls.title("programs");
  const [plain, changing] = [{ graph: graphOf() }, { graph: graphOf({ changes: true, name: "h" }) }];
  const names = (list: Iterable<string>) => [...list];
  await calls.does("commonState of none", () => commonState({}));
  await calls.does("commonState of two", () =>
    commonState({ plain, changing }).map(({ name, value }) => [name, value.shape, value.dtype]),
  );
  await calls.does("commonState that disagrees", () =>
    commonState({
      plain,
      whole: { graph: graphOf({ dtype: "int32" }) },
      wide: { graph: { ...graphOf(), state: [input("other", [4])] } },
    }),
  );
  await calls.does("resultsOf", () => [
    resultsOf(plain),
    resultsOf(changing),
    resultsOf({ ...changing, guard: "y" }),
  ]);
  for (const guard of ["w", "lost", ""])
    await calls.does(`resultsOf with the guard "${guard}"`, () => resultsOf({ ...changing, guard }));
  await calls.does("changedState", () => [changedState(plain.graph), changedState(changing.graph)]);
  await calls.does("frozenFactors", () => [
    names(frozenFactors({ plain })),
    names(frozenFactors({ plain, changing })),
    names(frozenFactors({ changing })),
  ]);
  await calls.does("frozenFactors of other ops and types", () => [
    names(frozenFactors({ sum: { graph: graphOf({ op: "Add" }) } })),
    names(frozenFactors({ whole: { graph: graphOf({ dtype: "int32" }) } })),
    names(frozenFactors({})),
  ]);
  await calls.does("expectOnlyUpdates", () => expectOnlyUpdates("clipping gradients", plain.graph));
  await calls.does("expectOnlyUpdates of a graph that changes state", () =>
    expectOnlyUpdates("clipping gradients", changing.graph),
  );
  await calls.does("refuseLossScale", () => refuseLossScale("the engine", { plain }));
  await calls.does("refuseLossScale of two", () =>
    refuseLossScale("the engine", { a: { ...plain, lossScale: "x" }, plain, b: { ...plain, lossScale: "" } }),
  );
  await calls.does("programNamed", () =>
    programNamed(
      new Map([
        ["a", 0],
        ["b", 2],
      ]),
      "a",
    ),
  );
  await calls.does("programNamed of none", () =>
    programNamed(
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
      "c",
    ),
  );
  await calls.does("programNamed where there are none", () => programNamed(new Map(), ""));
  calls.approve("engine, programs");
});

test("norms and factors of gradients are approved", async () => {
  const calls = new Calls();
  calls.note("constants", [CLIP_EPS, OVERFLOW_SCALE, GRADIENT_NORM]);
  for (const [norm, most] of [
    [0, 1],
    [1, 1],
    [0.5, 1],
    [2, 1],
    [2, 0.5],
    [1e30, 1],
    [Number.POSITIVE_INFINITY, 1],
    [Number.NaN, 1],
  ])
    await calls.of(clipFactor, norm, most);
  const arrays = (...lists: number[][]) => lists.map((list) => Float32Array.from(list));
  await calls.of(normOf, arrays());
  await calls.of(normOf, arrays([3], [4, 0]));
  await calls.of(normOf, arrays([1, -2, 3], [-4], []));
  await calls.of(normOf, arrays([1e30, 1e30]));
  await calls.of(normOf, arrays([1, Number.NaN]));
  const clipped = (title: string, most: number, ...lists: number[][]) =>
    calls.does(title, () =>
      tf.tidy(() => {
        const { norm, factor } = clipTensors(
          lists.map((list) => tf.tensor1d(list)),
          most,
        );
        return [norm.dataSync()[0], factor.dataSync()[0], norm.shape, factor.shape];
      }),
    );
  await clipped("tensors: none", 1);
  await clipped("tensors: 3 and 4", 1, [3], [4, 0]);
  await clipped("tensors: small", 10, [0.3, -0.4]);
  await clipped("tensors: zeros", 10, [0, 0]);
  await clipped("tensors: on the border", 1, [2 ** 50, 0]);
  await clipped("tensors: beyond the border", 1, [-(2 ** 51), 0]);
  await clipped("tensors: squares overflow", 2, [3e30, 0], [-4e30]);
  await clipped("tensors: infinite", 2, [Number.POSITIVE_INFINITY]);
  await clipped("tensors: not a number", 2, [Number.NaN, 1]);
  calls.approve("engine, clipping");
});

test("options, choices and what an engine is called are approved", async () => {
  const calls = new Calls();
  calls.note("choices", engineChoices);
  calls.note("options", [
    Object.keys(engineOptions.required ?? {}),
    Object.keys(engineOptions.optional),
    Object.keys(readyOptions.optional),
  ]);
  await calls.of(engineOf, {});
  await calls.of(engineOf, {
    engine: "eager",
    threads: 3,
    provider: "cpu",
    precision: "float32",
    frozen: "int8",
    tf32: false,
  });
  await calls.does("engineOf with more", () =>
    engineOf({ engine: undefined, threads: 0, epochs: 3, tf32: undefined } as never),
  );
  for (const options of [
    {},
    { engine: "auto" },
    { engine: "abacus" },
    { engine: "" },
    { precision: "float64", provider: "rocm", frozen: "int4", engine: "Eager" },
    { threads: 1 },
    { threads: 0 },
    { threads: -1 },
    { threads: 1.5 },
    { threads: Number.NaN },
    { threads: "2" },
    { frozen: null },
  ])
    await calls.of(expectEngineOptions, options);
  const describe = async (description: object) => {
    const full = { engine: "onnxruntime", device: "cpu", precision: "float32", ...description } as const;
    await calls.does(`described ${JSON.stringify(description)}`, () => [
      describeEngine(full as never),
      describeRunning(full as never),
    ]);
  };
  for (const description of [
    {},
    { threads: 1 },
    { threads: 2 },
    { adapter: "NVIDIA H200", device: "webgpu", precision: "float16", productError: 0.0123 },
    { productError: 0, tf32: true },
    { tf32: false, frozen: "int8", threads: 7 },
    { engine: "eager", device: "tfjs wasm", reason: "asked for" },
  ])
    await describe(description);
  calls.title("chosen");
  const chosen = (wish: object) =>
    calls.does(`chooseEngine ${JSON.stringify(wish)}`, () => chooseEngine(wish as never));
  await chosen({ engine: "eager" });
  await chosen({ engine: "eager", provider: "cpu", precision: "float32", threads: 2 });
  for (const wish of [
    { precision: "bfloat16" },
    { precision: "float16" },
    { tf32: true },
    { frozen: "int8" },
    { provider: "cuda" },
  ])
    await chosen({ engine: "eager", ...wish });
  for (const wish of [{ precision: "bfloat16" }, { precision: "float16", provider: "cpu" }, { tf32: true }])
    await chosen({ engine: "onnxruntime", ...wish });
  for (const wish of [{ precision: "float16" }, { frozen: "int8" }, { provider: "webgpu" }])
    await chosen({ engine: "tensorflow", ...wish });
  await chosen({ engine: "none" });
  await chosen({ threads: 0 });
  for (const wish of [
    { frozen: "int8", tf32: true },
    { provider: "webgpu", precision: "bfloat16" },
  ])
    await chosen(wish);
  setEngineDefaults({ engine: "eager", threads: 2, epochs: 3 } as never);
  await chosen({});
  await chosen({ threads: 5 });
  process.env.LUVIT_ENGINE = "tensorflow";
  process.env.LUVIT_PRECISION = "float32";
  await chosen({});
  setEngineDefaults({});
  process.env.LUVIT_ENGINE = "abacus";
  await chosen({});
  await chosen({ engine: "eager" });
  process.env.LUVIT_ENGINE = "eager";
  await chosen({});
  process.env.LUVIT_PRECISION = "float8";
  await chosen({});
  process.env.LUVIT_PRECISION = "bfloat16";
  await chosen({});
  for (const name of ["LUVIT_ENGINE", "LUVIT_PRECISION"]) process.env[name] = "";
  await chosen({ engine: "eager" });
  calls.title("devices");
  const devices = (engine: string, options: object) =>
    calls.does(`devicesFor ${engine} ${JSON.stringify(options)}`, () =>
      devicesFor({ engine, options, demanded: false, passedOver: [] } as never),
    );
  await devices("eager", {});
  await devices("tensorflow", { precision: "bfloat16" });
  await devices("onnxruntime", { provider: "cpu", threads: 2 });
  await devices("onnxruntime", { threads: 2 });
  await devices("onnxruntime", { frozen: "int8" });
  await devices("onnxruntime", { frozen: "int8", threads: 1 });
  calls.title("status");
  const cells = { toString: () => "tfjs wasm" } as never;
  const status = (engine: object, worker?: string) =>
    calls.does(
      `status ${JSON.stringify(engine)} ${worker}`,
      () =>
        `${new EngineStatus({ engine: "onnxruntime", device: "cpu", precision: "float32", ...engine } as never, cells, ["a", "b"], "1.2.3", worker)}`,
    );
  await status({ threads: 2 });
  await status({ engine: "eager", device: "tfjs wasm" }, "worker 2 of 4 (Open MPI 4.1.4)");
  calls.approve("engine, options");
});

test("turns, messages and refusals of the eager engine are approved", async () => {
  const calls = new Calls();
  const told: string[] = [];
  const turns = new InTurn("the owner");
  const later =
    (name: string, fail = false) =>
    async () => {
      told.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      told.push(`${name} ends`);
      if (fail) throw new Error(`${name} failed`);
      return name;
    };
  const all = await Promise.allSettled([
    turns.do(later("one")),
    turns.do(later("two", true)),
    turns.do(() => "three"),
    turns.close(later("last") as never),
    turns.do(later("after")),
    turns.close(later("again") as never),
  ]);
  calls.note(
    "turns",
    all.map((one) => (one.status === "fulfilled" ? one.value : one.reason)),
  );
  calls.note("their order", told);
  await calls.does("a turn afterwards", () => turns.do(() => 1));
  await calls.does("closing afterwards", () => turns.close(() => undefined));
  const failing = new InTurn("another");
  await calls.does("an end that fails", () => failing.close(() => Promise.reject(new Error("it stays"))));
  calls.title("protocol buffers");
  const written = (name: string, make: (message: Message) => Message) =>
    calls.does(name, () => {
      const message = make(new Message());
      return [message.length, message.finish()];
    });
  for (const value of [0, 1, 127, 128, 300, 2 ** 31, 2 ** 53 - 1, -1, -2])
    await written(`integer ${value}`, (m) => m.integer(1, value));
  await written("integer of field 16", (m) => m.integer(16, 5));
  for (const value of [0, 1.5, -0.1, Number.NaN]) await written(`float ${value}`, (m) => m.float(2, value));
  await written("bytes", (m) => m.bytes(3, Uint8Array.of(1, 2, 3)));
  await written("no bytes", (m) => m.bytes(3, new Uint8Array(0)));
  await written("130 bytes", (m) => m.bytes(3, new Uint8Array(130).fill(7)));
  await written("text", (m) => m.text(4, "aé€😀"));
  await written("integers", (m) => m.integers(5, [1, 300, -1]));
  await written("no integers", (m) => m.integers(5, []));
  await written("message", (m) => m.message(6, new Message().integer(1, 2).text(2, "b")));
  await written("empty message", (m) => m.message(6, new Message()));
  await written("messages", (m) =>
    m.messages(7, [new Message().integer(1, 2), new Message(), new Message().float(3, 1)]),
  );
  await written("nothing", (m) => m);
  await written("a chain", (m) => m.integer(1, 2).float(2, 3).text(3, "x").integers(4, [5]));
  calls.title("the eager engine");
  const g = new GraphWriter();
  g.output("y", g.node("Neg", { x: g.input("x", [2]) }, [{ shape: [2] }])[0]);
  const step = { graph: g.finish() };
  for (const options of [{ precision: "bfloat16" }, { precision: "float16" }, { frozen: "int8" }])
    await calls.does(`opened with ${JSON.stringify(options)}`, () =>
      openEagerEngine({ step }, options as never),
    );
  await calls.does("opened with the scale of a loss", () =>
    openEagerEngine({ step: { ...step, lossScale: "x" } }),
  );
  await calls.does("opened for workers", () => openEagerEngine({ step: { ...step, shared: "float32" } }));
  await calls.does("described", async () => {
    const engine = await openEagerEngine({ step }, { precision: "float32" }, "so");
    await engine.dispose();
    return [engine.description, engine.traffic];
  });
  calls.title("saving");
  const places = new Map();
  const saves = (engine: object) =>
    calls.does(`by ${Object.keys(engine)}`, () => saveState(engine as never, "/nowhere/file", places));
  await saves({
    saveState: (path: string, given: Map<string, object>) => Promise.resolve([path, `${given.size}`]),
  });
  calls.approve("engine, turns and messages");
});
