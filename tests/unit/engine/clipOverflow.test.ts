import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { type OpenEngine, openOnnxEngine } from "../../../src/engine";
import { clipTensors } from "../../../src/engine/clipTensors";
import "../../../src/nn/ops";
import { openOnDevice } from "../../../src/engine/onnx/device/open";
import { engines, GraphWriter, openGraph, withOnnxRuntime } from "./support";

before(() => startBackend());

const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 1 };

/** A step of AdamW for w [2] and b [1] whose gradients are size * (3, 0) and size * -4. */
function step() {
  const g = new GraphWriter();
  const [size, schedule] = [g.input("size", [1]), g.input("schedule", [3])];
  for (const [name, numbers] of Object.entries({ w: [3, 0], b: [-4] })) {
    const like = { shape: [numbers.length] };
    const direction = g.constant(Float32Array.from(numbers), like.shape);
    const [gradient] = g.node("Multiply", { a: size, b: direction }, [like]);
    const names = [name, `${name}.exp_avg`, `${name}.exp_avg_sq`];
    const [parameter, average, squares] = names.map((entry) => g.state(entry, like.shape));
    const operands = { parameter, gradient, average, squares, schedule };
    const next = g.node("LuvitAdamW", operands, [like, like, like], rules);
    for (const [i, entry] of names.entries()) g.output(entry, next[i]);
  }
  return g.finish();
}

const two = new Float32Array(2);
const one = new Float32Array(1);
const state = {
  w: two,
  "w.exp_avg": two,
  "w.exp_avg_sq": two,
  b: one,
  "b.exp_avg": one,
  "b.exp_avg_sq": one,
};
const schedule = Float32Array.of(1e-3, 1 - 0.9, 1 - 0.95);

/** The gradients that AdamW saw, of a run with `size` after as many held as `held` says. */
async function seen(open: OpenEngine, clipGradNorm: number, size: number, held = 0): Promise<number[]> {
  const engine = await openGraph(step(), state, { open, threads: 1, clipGradNorm });
  const feeds = { size: Float32Array.of(size), schedule };
  for (let i = 0; i < held; i++) await engine.run("step", feeds, { hold: true });
  await engine.run("step", feeds);
  const after = await engine.readState();
  await engine.dispose();
  return ["w", "b"].flatMap((name) => [...after[`${name}.exp_avg`]].map((value) => value / (1 - 0.9)));
}

test("the norm is that of all numbers, of whatever sign and size; what is smaller stays as it is", () => {
  const clip = (most: number, ...rows: number[][]) => {
    const tensors = rows.map((row) => tf.tensor1d(row));
    const { norm, factor } = clipTensors(tensors, most);
    const found = [norm.dataSync()[0], factor.dataSync()[0]];
    tf.dispose([...tensors, norm, factor]);
    return found;
  };
  const before = tf.memory().numTensors;
  for (const size of [1, -1, 1e15, -1e16, 1e30, -1e30, -1e37]) {
    const [norm, factor] = clip(2, [3 * size, 0], [4 * size]);
    assert.ok(Math.abs(norm / (5 * Math.abs(size)) - 1) < 1e-6, `${size}: ${norm}`);
    assert.ok(Math.abs((factor * norm) / 2 - 1) < 1e-5, `${size}: ${factor}`);
  }
  assert.deepEqual(clip(5, [3], [-4])[1] > 1 - 1e-6, true);
  assert.deepEqual(clip(6, [3], [-4]), [5, 1]);
  assert.deepEqual(clip(2, [0, 0]), [0, 1]);
  assert.deepEqual(clip(2), [0, 1]);
  assert.equal(tf.memory().numTensors, before);
});

const onDevice = {
  title: "onnxruntime with state on the device",
  open: (...[programs, options]: Parameters<OpenEngine>) =>
    openOnnxEngine(programs, { ...options, provider: "cpu" }, openOnDevice),
  options: withOnnxRuntime,
};

for (const { title, open, options } of [...engines, onDevice])
  test(
    `${title}: finite gradients are clipped to the norm that is asked for, however large they are`,
    options,
    async () => {
      for (const size of [1, 1e15, 1e19, 1e25, 1e33]) {
        for (const held of [0, 2]) {
          const gradients = await seen(open, 2, size, held);
          for (const [i, expected] of [1.2, 0, -1.6].entries())
            assert.ok(Math.abs(gradients[i] - expected) < 1e-5, `${size}, ${held} held: ${gradients}`);
        }
      }
      const small = await seen(open, 2, 0.25);
      for (const [i, expected] of [0.75, 0, -1].entries()) assert.ok(Math.abs(small[i] - expected) < 1e-6);
      for (const broken of [Number.POSITIVE_INFINITY, Number.NaN])
        assert.ok((await seen(open, 2, broken)).some(Number.isNaN), "what is not finite stays so");
    },
  );
