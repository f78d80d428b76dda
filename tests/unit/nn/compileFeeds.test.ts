import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { Compiled, compile } from "../../../src/nn/compile";
import { Linear } from "../../../src/nn/layers";

before(() => startBackend());

type Fed = Readonly<Record<string, Tensor>>;

test("a feed of zero is a feed, whole numbers are taken as such however they are given, and results are float32", async () => {
  const inputs = { x: { shape: [] }, ids: { shape: [2], dtype: "int32" as const } };
  const body = ({ x, ids }: Fed) => ({
    sum: tf.add(x, tf.cast(tf.sum(ids), "float32")),
    twice: tf.add(ids, ids),
  });
  const made = await compile("sum", { inputs, body }, { engine: "eager" });
  for (const [x, ids, sum, twice] of [
    [0, [0, 0], 0, [0, 0]],
    [0, [3, -4], -1, [6, -8]],
    [-0.5, Int32Array.of(3, 4), 6.5, [6, 8]],
    [Float32Array.of(0), tf.tensor1d([1, 1], "int32"), 2, [2, 2]],
  ] as const) {
    assert.deepEqual(await made.run({ x, ids }), {
      sum: { shape: [], data: Float32Array.of(sum) },
      twice: { shape: [2], data: Float32Array.from(twice) },
    });
  }
  await made.dispose();
});

test("what a body hands on as it is, and what no input is needed for, comes back with its shape", async () => {
  const spec = {
    inputs: { x: { shape: [2, 1] } },
    body: ({ x }: Fed) => ({ same: x, fixed: tf.tensor([1, 2, 3, 4, 5, 6], [2, 3]), one: tf.scalar(7) }),
  };
  const made = await compile("same", spec, { engine: "eager" });
  assert.deepEqual(await made.run({ x: [8, 9] }), {
    same: { shape: [2, 1], data: Float32Array.of(8, 9) },
    fixed: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    one: { shape: [], data: Float32Array.of(7) },
  });
  await made.dispose();
});

test("whatever runs op by op is no graph, any other engine is", async () => {
  const made = await compile("a", { inputs: {}, body: () => ({ a: tf.scalar(1) }) }, { engine: "eager" });
  const on = (engine: string) => new Compiled(made.graph, { description: { engine } } as never, {} as never);
  assert.deepEqual(
    ["eager", "onnxruntime", "tensorflow"].map((engine) => on(engine).isGraph),
    [false, true, true],
  );
  await made.dispose();
});

test("an engine that cannot be given its state is closed again", async () => {
  const linear = new Linear(2, 1, new Rng(1), { bias: false });
  const lost = tf.variable(tf.zeros([1]));
  const spec = {
    model: linear,
    state: { lost },
    inputs: { x: { shape: [1] } },
    body: ({ x }: Readonly<Record<string, Tensor>>) => ({ lost: tf.add(x, tf.sum(linear.weight.value)) }),
  };
  linear.weight.value.dataSync();
  lost.dispose();
  const tensors = tf.memory().numTensors;
  await assert.rejects(compile("lost", spec, { engine: "eager" }), /disposed/);
  assert.equal(tf.memory().numTensors, tensors);
});
