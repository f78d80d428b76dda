import assert from "node:assert/strict";
import { test } from "node:test";
import type { Programs } from "../../../src/engine/executor";
import { openOnnxEngine } from "../../../src/engine/onnx/executor";
import type { Memory } from "../../../src/engine/onnx/memory";
import { attachSessions, type Opened, type OpenParts } from "../../../src/engine/onnx/open";
import type { OnnxProgram } from "../../../src/engine/onnx/program";
import type { OnnxRuntime } from "../../../src/engine/onnx/runtime";
import type { OpenOptions } from "../../../src/engine/options";
import { assertRejects } from "../io/support";
import { GraphWriter, withOnnxRuntime } from "./support";

/** y = -x', where x' is a copy of x. */
function programs(): Programs {
  const g = new GraphWriter();
  const [copy] = g.node("Identity", { x: g.input("x", [1]) }, [{ shape: [1] }]);
  g.output("y", g.node("Neg", { x: copy }, [{ shape: [1] }])[0]);
  return { step: { graph: g.finish(), guard: "y" } };
}

/** An engine whose programs and state note what is asked of them. */
async function noting(options: OpenOptions, told: Partial<Opened> = {}) {
  const asked: unknown[][] = [];
  const parts: OpenParts[] = [];
  const program = (name: string) => ({
    name,
    results: ["loss", "w"],
    expectHoldable: () => void asked.push(["expectHoldable"]),
    run: async (_: unknown, feeds: object, fetch: readonly string[]) => {
      asked.push(["run", name, feeds, fetch]);
      return new Map(fetch.map((one, i) => [one, { data: Int32Array.of(i + 1) }]));
    },
    release: async () => void asked.push(["release", name]),
  });
  const memory = {
    holds: (name: string) => name.startsWith("w"),
    take: async (_: unknown, results: Map<string, unknown>, feeds: object, hold: boolean) => {
      asked.push(["take", [...results.keys()], feeds, hold]);
      return { norm: Float32Array.of(9) };
    },
    read: async (names?: readonly string[]) => {
      asked.push(["read", names]);
      return Object.fromEntries((names ?? []).map((name) => [name, Float32Array.of(7)]));
    },
    view: async (names?: readonly string[]) => {
      asked.push(["view", names]);
      return {};
    },
    write: async (values: object) => void asked.push(["write", values]),
    dispose: async () => void asked.push(["dispose"]),
  };
  const open = async (given: OpenParts): Promise<Opened> => {
    parts.push(given);
    const opened = ["step", "other"].map(program) as unknown as OnnxProgram[];
    return { opened, memory: memory as unknown as Memory, ...told };
  };
  const engine = await openOnnxEngine(programs(), options, open);
  return { engine, asked, parts: parts[0] };
}

test(
  "an engine is described by what it was opened with; threads are the CPU's",
  withOnnxRuntime,
  async () => {
    for (const [options, told, description] of [
      [{ threads: 3 }, {}, { device: "cpu", threads: 3, precision: "float32" }],
      [
        { threads: 2, frozen: "int8" },
        {},
        { device: "cpu", threads: 2, precision: "float32", frozen: "int8" },
      ],
      [{ threads: 3, provider: "cuda" }, {}, { device: "cuda", precision: "float32" }],
      [
        { threads: 3, provider: "webgpu", precision: "float16" },
        { productError: 0.02 },
        { device: "webgpu", precision: "float16", productError: 0.02 },
      ],
    ] as const) {
      const { engine } = await noting(options, told);
      const nothing = { threads: undefined, productError: undefined, frozen: undefined };
      assert.deepEqual(engine.description, { engine: "onnxruntime", ...nothing, ...description });
    }
  },
);

test(
  "programs are opened without copies, as they are else; on a device what moves is counted",
  withOnnxRuntime,
  async () => {
    for (const [provider, device] of [
      ["cpu", 0],
      ["cuda", 12],
      ["webgpu", 12],
    ] as const) {
      const { engine, parts } = await noting({ provider, threads: 5 });
      const { traffic, ...settings } = parts.settings;
      assert.deepEqual(settings, { provider, threads: 5, frozen: undefined });
      assert.deepEqual(
        parts.programs.step.graph.nodes.map(({ op }) => op),
        ["Neg"],
      );
      assert.equal(parts.programs.step.guard, "y");
      traffic!.bytes += 12;
      assert.deepEqual(engine.traffic, { process: 0, device });
    }
  },
);

test(
  "a run gives what was asked for, what its state told and entries as they are afterwards",
  withOnnxRuntime,
  async () => {
    const { engine, asked } = await noting({});
    const x = { x: Float32Array.of(1) };
    assert.deepEqual(await engine.run("step", x), {
      norm: Float32Array.of(9),
      loss: Float32Array.of(1),
      w: Float32Array.of(7),
    });
    assert.deepEqual(asked.splice(0), [
      ["run", "step", x, ["loss"]],
      ["take", ["loss"], x, false],
      ["read", ["w"]],
    ]);
    const own = await engine.run("other", x, { fetch: ["a", "w2", "b"], hold: true });
    assert.deepEqual(own, {
      norm: Float32Array.of(9),
      a: Float32Array.of(1),
      b: Float32Array.of(2),
      w2: Float32Array.of(7),
    });
    assert.deepEqual(asked.splice(0), [
      ["expectHoldable"],
      ["run", "other", x, ["a", "b"]],
      ["take", ["a", "b"], x, true],
      ["read", ["w2"]],
    ]);
    await engine.readState(["w"]);
    await engine.viewState!(["v"]);
    await engine.writeState(x);
    await assertRejects(() => engine.run("none", x), "bad-argument", '"none"', "step, other");
    assert.deepEqual(asked.splice(0), [
      ["read", ["w"]],
      ["view", ["v"]],
      ["write", x],
    ]);
    await Promise.all([engine.dispose(), engine.dispose()]);
    assert.deepEqual(asked, [["dispose"], ["release", "step"], ["release", "other"]], "once");
    await assertRejects(() => engine.readState(), "engine", "onnxruntime cpu", "disposed");
  },
);

test("a model that is not accepted has the sessions of those before it released", async () => {
  const asked: unknown[] = [];
  const program = (name: string) => ({
    model: { name, nodes: [], inputs: [], outputs: [], initializers: [] },
    kept: [`${name}'`],
    attach: (session: unknown) => asked.push(["attach", name, session]),
    release: async () => asked.push(["release", name]),
  });
  const runtime = (accepts: number) => {
    let made = 0;
    const create = async (_: Uint8Array, options: { preferredOutputLocation: object }) => {
      asked.push(options.preferredOutputLocation);
      if (made++ >= accepts) throw new Error("not this one");
      return { made };
    };
    return { InferenceSession: { create } } as unknown as OnnxRuntime;
  };
  const attach = (accepts: number) =>
    attachSessions(runtime(accepts), ["a", "b"].map(program) as never, { threads: 1, provider: "webgpu" });
  await attach(2);
  const kept = [{ "a'": "gpu-buffer" }, { "b'": "gpu-buffer" }];
  assert.deepEqual(asked.splice(0), [
    kept[0],
    ["attach", "a", { made: 1 }],
    kept[1],
    ["attach", "b", { made: 2 }],
  ]);
  await assertRejects(() => attach(1), "engine", "not this one");
  assert.deepEqual(asked, [
    kept[0],
    ["attach", "a", { made: 1 }],
    kept[1],
    ["release", "a"],
    ["release", "b"],
  ]);
});
