import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Engine, openEagerEngine, openOnnxEngine, type Programs } from "../../../src/engine";
import { chooseEngine } from "../../../src/engine/choose";
import { GRADIENT_NORM } from "../../../src/engine/executor";
import { halfError } from "../../../src/engine/onnx/device/halfTrial";
import { openOnDevice } from "../../../src/engine/onnx/device/open";
import type { OpenParts } from "../../../src/engine/onnx/open";
import { loadOnnxRuntime } from "../../../src/engine/onnx/runtime";
import { isLuvitError } from "../nn/support";
import { GraphWriter, withOnnxRuntime } from "./support";
import { webgpu } from "./webgpu";

const shape = [2, 2];
const like = [{ shape }];
const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 1 };
const product = { transposeA: false, transposeB: false };

/** A step of AdamW for w with gradient scale * (x frozen): what it is and what it is fed. */
function programs(clipGradNorm?: number): Programs {
  const g = new GraphWriter();
  const [x, scale, schedule] = [g.input("x", shape), g.input("scale", [1]), g.input("schedule", [3])];
  const [w, average, squares] = ["w", "w.exp_avg", "w.exp_avg_sq"].map((name) => g.state(name, shape));
  const [y] = g.node("BatchMatMul", { a: x, b: g.state("frozen", shape) }, like, product);
  const [gradient] = g.node("Multiply", { a: y, b: scale }, like);
  const operands = { parameter: w, gradient, average, squares, schedule };
  const next = g.node("LuvitAdamW", operands, [...like, ...like, ...like], rules);
  for (const [i, name] of ["w", "w.exp_avg", "w.exp_avg_sq"].entries()) g.output(name, next[i]);
  g.output("loss", g.node("Sum", { x: y }, [{ shape: [] }], { axis: [0, 1], keepDims: false })[0]);
  return { step: { graph: g.finish(), guard: "loss", lossScale: "scale", clipGradNorm } };
}

const zeros = new Float32Array(4);
const state = {
  w: Float32Array.of(1, 2, 3, 4),
  frozen: Float32Array.of(0.1, 1, 0.3, 0.7),
  "w.exp_avg": zeros,
  "w.exp_avg_sq": zeros,
};

async function open(clipGradNorm?: number, products: "float32" | "float16" = "float32"): Promise<Engine> {
  const onDevice = (parts: OpenParts) =>
    openOnDevice({ ...parts, settings: { ...parts.settings, products } });
  const engine = await openOnnxEngine(programs(clipGradNorm), { provider: "cpu", threads: 1 }, onDevice);
  await engine.writeState(state);
  return engine;
}

const feeds = (scale: number) => ({
  x: Float32Array.of(3, -1, 2, 5),
  scale: Float32Array.of(scale),
  schedule: Float32Array.of(0.01, 0.1, 0.05),
});

describe("a step whose loss was scaled", withOnnxRuntime, () => {
  test("is the step without scaling, and tells the norm of its gradients", async () => {
    const states = await Promise.all(
      [1, 1024].map(async (scale) => {
        const engine = await open();
        const results = await engine.run("step", feeds(scale));
        const [w] = Object.values(await engine.readState(["w"]));
        await engine.dispose();
        return { w: [...w], norm: results[GRADIENT_NORM][0] };
      }),
    );
    assert.deepEqual(states[0], states[1]);
    const gradient = [3 * 0.1 - 0.3, 3 - 0.7, 0.2 + 1.5, 2 + 3.5];
    assert.ok(Math.abs(states[0].norm - Math.hypot(...gradient)) < 1e-6);
    assert.notDeepEqual(states[0].w, [...state.w]);
  });

  test("is clipped by the norm without scaling", async () => {
    const averages = await Promise.all(
      [1, 4096].map(async (scale) => {
        const engine = await open(0.5);
        await engine.run("step", feeds(scale));
        const average = (await engine.readState(["w.exp_avg"]))["w.exp_avg"];
        await engine.dispose();
        return average;
      }),
    );
    assert.ok(Math.abs(Math.hypot(...averages[0]) - 0.1 * 0.5) < 1e-6);
    assert.ok(averages[0].every((x, i) => Math.abs(x - averages[1][i]) < 1e-8));
  });

  test("leaves the state as it was where a gradient is infinite, held ones with it", async () => {
    const engine = await open();
    await engine.run("step", feeds(1), { hold: true });
    const overflowed = await engine.run("step", feeds(3e38));
    assert.ok(Number.isFinite(overflowed.loss[0]));
    assert.ok(!Number.isFinite(overflowed[GRADIENT_NORM][0]));
    assert.deepEqual(await engine.readState(), { w: state.w, "w.exp_avg": zeros, "w.exp_avg_sq": zeros });
    const again = await engine.run("step", feeds(1));
    assert.ok(Math.abs(again[GRADIENT_NORM][0] - 6.2) < 0.1);
    await engine.dispose();
  });
});

test(
  "with products in float16 frozen factors are kept in it, trained weights in float32",
  withOnnxRuntime,
  async () => {
    const engine = await open(undefined, "float16");
    const { frozen, w } = await engine.readState(["frozen", "w"]);
    assert.deepEqual([...frozen], [0.0999755859375, 1, 0.300048828125, 0.7001953125]);
    assert.deepEqual(w, state.w);
    await engine.dispose();
  },
);

test("products in float16 are told by how much they are off", withOnnxRuntime, async () => {
  const error = await halfError(loadOnnxRuntime(), { threads: 1, provider: "cpu" });
  assert.ok(error < 1e-3, `${error}`);
});

test("a device that multiplies wrongly in float16, or not at all, is refused, and its session given back", async () => {
  let released = 0;
  /** Products of rows of 4096 numbers, each times `factor`; none where there is a failure. */
  const device = (factor: number, failure?: Error) => ({
    Tensor: class {
      constructor(
        _: string,
        readonly data: Float32Array,
      ) {}
    },
    InferenceSession: {
      create: async () => ({
        release: async () => void released++,
        run: async ({ x, w }: Record<string, { data: Float32Array }>, results: object) => {
          if (failure) throw failure;
          const y = Float32Array.from({ length: 16 * 16 }, (_, i) => {
            const [row, column] = [Math.floor(i / 16), i % 16];
            let sum = 0;
            for (let k = 0; k < 4096; k++) sum += x.data[row * 4096 + k] * w.data[column * 4096 + k];
            return factor * sum;
          });
          return { [Object.keys(results)[0]]: { data: y } };
        },
      }),
    },
  });
  const error = (factor: number, failure?: Error) =>
    halfError(device(factor, failure) as never, { threads: 1, provider: "webgpu" });
  assert.ok((await error(1)) < 1e-6);
  assert.ok(Math.abs((await error(0.96)) - 0.04) < 1e-6, "relative to the products");
  await assert.rejects(
    error(1.06),
    isLuvitError("engine", "products of 4096 numbers are off by 6.0 % here; use float32"),
  );
  await assert.rejects(error(Number.NaN), isLuvitError("engine", "are off by NaN %"));
  const failure = new Error("no shader-f16\nmore");
  await assert.rejects(
    error(1, failure),
    isLuvitError("engine", "cannot be had on this GPU; use float32 (no shader-f16)"),
  );
  assert.equal(released, 5);
});

describe("float16", () => {
  test("on a GPU without it is refused, with the reason", webgpu.options, async () => {
    if (process.env.LUVIT_TEST_GPU === "1") return;
    await assert.rejects(webgpu.open(programs(), { precision: "float16" }), (error: Error) => {
      return isLuvitError("engine")(error) && /float16" cannot be had on this GPU.*f16/.test(error.message);
    });
  });

  test("is refused where there is no WebGPU", () => {
    assert.throws(() => chooseEngine({ precision: "float16", provider: "cpu" }), isLuvitError("engine"));
    assert.throws(() => chooseEngine({ precision: "float16", engine: "tensorflow" }), /it has no float16/);
    assert.throws(() => chooseEngine({ precision: "float16", engine: "eager" }), /it has no float16/);
    assert.equal(chooseEngine({ precision: "float16" }).engine, "onnxruntime");
  });

  test("programs with a scaled loss are refused by engines that do not divide its gradients", async () => {
    await assert.rejects(openEagerEngine(programs()), /eager engine does not scale losses, which step needs/);
    await assert.rejects(
      openOnnxEngine(programs(), { provider: "cpu" }),
      /onnxruntime on cpu does not scale losses/,
    );
  });
});
