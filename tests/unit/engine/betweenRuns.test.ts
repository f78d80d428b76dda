import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { openOnnxEngine } from "../../../src/engine";
import "../../../src/nn/ops";
import { openOnDevice } from "../../../src/engine/onnx/device/open";
import { assertClose, isLuvitError } from "../nn/support";
import { engines, GraphWriter, type TestedEngine, withOnnxRuntime } from "./support";

before(() => startBackend());

/** What keeps state on a GPU, computed by the CPU: so it is tested wherever there is no Vulkan. */
const asOnDevice: TestedEngine = {
  engine: "onnxruntime",
  title: "onnxruntime, state as on a device",
  open: (programs, options) => openOnnxEngine(programs, { ...options, provider: "cpu" }, openOnDevice),
  options: withOnnxRuntime,
};

const shape = [2];
const attributes = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, lrScale: 1 };

/** A step whose gradient of w is 2 x, guarded by -x; a function 3 w; and a count that grows by x. */
function programs() {
  const step = new GraphWriter();
  const [x, schedule] = [step.input("x", shape), step.input("schedule", [3])];
  const [parameter, average, squares] = ["w", "w.exp_avg", "w.exp_avg_sq"].map((name) =>
    step.state(name, shape),
  );
  const operands = {
    parameter,
    gradient: step.node("Add", { a: x, b: x }, [{ shape }])[0],
    average,
    squares,
    schedule,
  };
  const changed = step.node("LuvitAdamW", operands, [{ shape }, { shape }, { shape }], attributes);
  step.output("loss", step.node("Neg", { x }, [{ shape }])[0]);
  for (const [i, name] of ["w", "w.exp_avg", "w.exp_avg_sq"].entries()) step.output(name, changed[i]);

  const look = new GraphWriter();
  const [w, three] = [look.state("w", shape), look.constant(Float32Array.of(3), [])];
  look.output("y", look.node("Multiply", { a: w, b: three }, [{ shape }])[0]);

  const count = new GraphWriter();
  const [counted, more] = [count.state("counted", shape), count.input("x", shape)];
  count.output("counted", count.node("Add", { a: counted, b: more }, [{ shape }])[0]);
  return {
    step: { graph: step.finish(), guard: "loss" },
    look: { graph: look.finish() },
    count: { graph: count.finish() },
  };
}

for (const { title, open, options } of [...engines, asOnDevice]) {
  const opened = async () => {
    const engine = await open(programs(), { threads: 1 });
    await engine.writeState({ w: Float32Array.of(1, 2), counted: Float32Array.of(10, 20) });
    return engine;
  };
  const feeds = { x: Float32Array.of(1, -3), schedule: Float32Array.of(0.5, 0.1, 0.05) };

  describe(title, options, () => {
    test("what another program runs meanwhile takes nothing from gradients that are held", async () => {
      const engine = await opened();
      await engine.run("step", feeds, { hold: true });
      assert.deepEqual((await engine.run("look", {})).y, Float32Array.of(3, 6), "held, not done");
      await engine.run("count", { x: feeds.x });
      await engine.run("step", feeds);
      const state = await engine.readState();
      assert.deepEqual(state.counted, Float32Array.of(11, 17));
      // Two gradients of (2, -6) in all; a tenth of their sum is their average after one step.
      assertClose(state["w.exp_avg"], [0.4, -1.2], 1e-6);
      assertClose(state["w.exp_avg_sq"], [0.05 * 16, 0.05 * 144], 1e-6);
      // The first step goes by the whole rate against the sign.
      assertClose(state.w, [0.5, 2.5], 1e-5);
      assertClose((await engine.run("look", {})).y, [1.5, 7.5], 1e-5);
      await engine.dispose();
    });

    test("another program goes on with its state where held gradients were not finite", async () => {
      const engine = await opened();
      await engine.run("step", { ...feeds, x: Float32Array.of(Number.NaN, 0) }, { hold: true });
      await engine.run("count", { x: feeds.x });
      await engine.run("step", feeds);
      const state = await engine.readState(["w", "counted"]);
      assert.deepEqual(state, { w: Float32Array.of(1, 2), counted: Float32Array.of(11, 17) });
      await engine.run("step", feeds);
      assertClose((await engine.readState(["w"])).w, [0.5, 2.5], 1e-5, "only that group was spoiled");
      await engine.dispose();
    });

    test("what is refused has changed nothing: state of which one entry does not fit, a result that is none", async () => {
      const engine = await opened();
      const fits = { w: Float32Array.of(7, 7), "w.exp_avg": Float32Array.of(7, 7) };
      for (const wrong of [{ counted: Float32Array.of(7) }, { none: Float32Array.of(7, 7) }])
        for (const values of [
          { ...fits, ...wrong },
          { ...wrong, ...fits },
        ])
          await assert.rejects(
            engine.writeState(values as never),
            isLuvitError("bad-argument", Object.keys(wrong)[0]),
          );
      await assert.rejects(
        engine.run("count", { x: feeds.x }, { fetch: ["counted", "lost"] }),
        isLuvitError("bad-argument", "lost"),
      );
      await assert.rejects(engine.run("count", { x: Float32Array.of(1) }), isLuvitError("bad-argument", "x"));
      const state = await engine.readState(["w", "counted"]);
      assert.deepEqual(state, { w: Float32Array.of(1, 2), counted: Float32Array.of(10, 20) });
      await engine.dispose();
    });
  });
}
