import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { inBlock } from "../../../src/graph/scopes";
import { compile } from "../../../src/nn/compile";
import { Linear } from "../../../src/nn/layers";
import { assertClose, isLuvitError, randomArray, randomTensor } from "./support";

before(() => startBackend());

test("a function in tfjs becomes one graph that an engine runs", async () => {
  const double = await compile("double", {
    inputs: { x: { shape: [3] } },
    body: ({ x }) => ({ y: tf.mul(x, 2), total: tf.sum(x) }),
  });
  const { y, total } = await double.run({ x: [1, 2, 3] });
  assert.deepEqual(y, { shape: [3], data: Float32Array.of(2, 4, 6) });
  assert.deepEqual(total, { shape: [], data: Float32Array.of(6) });
  assert.deepEqual((await double.run({ x: tf.tensor([1, 1, 1]) })).total.data, Float32Array.of(3));
  assert.match(`${double}`, /^double: .+ \(.+float32\), one graph\ngraph "double": 2 nodes/);
  assert.match(double.text(), /Multiply/);
  await double.dispose();
});

test("what a run is fed may be a number, numbers, an array of them or a tensor, of either type", async () => {
  const join = await compile("join", {
    inputs: { x: { shape: [] }, rows: { shape: [2] }, id: { shape: [], dtype: "int32" } },
    body: ({ x, rows, id }) => ({ y: tf.add(tf.mul(rows, x), tf.cast(id, "float32")) }),
  });
  for (const feeds of [
    { x: 0.5, rows: [2, 4], id: 3 },
    { x: Float32Array.of(0.5), rows: Float32Array.of(2, 4), id: Int32Array.of(3) },
    { x: tf.scalar(0.5), rows: tf.tensor([2, 4]), id: tf.scalar(3, "int32") },
  ]) {
    assert.deepEqual((await join.run(feeds)).y.data, Float32Array.of(4, 5));
  }
  const wrong = () => join.run({ x: 1, rows: [1, 2], id: 0, row: 1 });
  await assert.rejects(wrong, isLuvitError("bad-argument", "join: no input row; it has x, rows, id"));
  await join.dispose();
});

test("a model's parameters are state: sent once, sent again by refresh", async () => {
  const linear = new Linear(3, 2, new Rng(1));
  const x = randomArray(6, 5);
  const forward = await compile("forward", {
    model: linear,
    inputs: { x: { shape: [2, 3] } },
    body: ({ x: rows }) => ({ y: linear.forward(rows) }),
  });
  const expected = () =>
    tf.tidy(() =>
      linear
        .forward(tf.tensor(x, [2, 3]))
        .dataSync()
        .slice(),
    );
  assertClose((await forward.run({ x })).y.data, expected(), 1e-6, "y");
  linear.weight.load({ shape: [2, 3], data: randomArray(6, 9) });
  await forward.refresh();
  assertClose((await forward.run({ x })).y.data, expected(), 1e-6, "y after refresh");
  await forward.dispose();
});

test("gradients and the update of a step are part of the graph; sync brings the model up to date", async () => {
  const linear = new Linear(3, 1, new Rng(1), { bias: false });
  const w = linear.weight;
  const start = (await w.read()).data;
  const step = await compile("descend", {
    model: linear,
    inputs: { x: { shape: [4, 3] } },
    body: ({ x }) => {
      const { value, grads } = tf.variableGrads(() => tf.mean(tf.square(linear.forward(x))), [w.value]);
      return { loss: value, weight: tf.sub(w.value, tf.mul(0.1, grads[w.value.name])) };
    },
  });
  const x = randomArray(12, 3);
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push((await step.run({ x })).loss.data[0]);
  assert.ok(losses[0] > losses[1] && losses[1] > losses[2]);
  assert.deepEqual((await w.read()).data, start, "not before sync");
  await step.sync();
  assert.notDeepEqual((await w.read()).data, start);
  await step.dispose();
});

test("sync brings back all that a body writes, frozen parameters too, and leaves what it only reads", async () => {
  const linear = new Linear(2, 2, new Rng(1)).freeze();
  linear.weight.source = "a file";
  const [start, bias] = [(await linear.weight.read()).data, linear.bias!.values];
  const spec = {
    model: linear,
    inputs: { x: { shape: [1] } },
    body: ({ x }: Readonly<Record<string, Tensor>>) => ({
      weight: tf.add(tf.mul(linear.weight.value, x), tf.sum(linear.bias!.value)),
    }),
  };
  const scale = await compile("scale", spec);
  assert.deepEqual(await scale.run({ x: [2] }), {}, "what is state is no result");
  await scale.sync();
  assertClose(
    (await linear.weight.read()).data,
    start.map((value) => 2 * value),
    1e-6,
  );
  assert.deepEqual([linear.counts().trainable, linear.weight.source], [0, "a file"]);
  assert.equal(linear.bias!.values, bias, "the same values");
  await scale.dispose();
  linear.dispose();
  await assert.rejects(compile("scale", spec), isLuvitError("bad-argument", "was disposed"));
});

test("memory is traded for time where that is asked for, and what is computed stays the same", async () => {
  const weight = tf.variable(randomTensor([3, 3], 1));
  const layer = (name: string, x: Tensor) =>
    inBlock(name, () => tf.sigmoid(tf.matMul(tf.square(x) as tf.Tensor2D, weight as unknown as tf.Tensor2D)));
  const spec = {
    state: { weight },
    inputs: { x: { shape: [2, 3] } },
    body: ({ x }: Readonly<Record<string, Tensor>>) => {
      const loss = () => tf.mean(layer("second", layer("first", x))) as tf.Scalar;
      return { slope: tf.variableGrads(loss, [weight]).grads[weight.name] };
    },
  };
  const x = randomArray(6, 3);
  const results: [number, Float32Array][] = [];
  for (const memory of [undefined, "keep", "recompute"] as const) {
    const made = await compile("slope", spec, { memory, engine: "eager" });
    results.push([made.summary().nodes, (await made.run({ x })).slope.data as Float32Array]);
    await made.dispose();
  }
  const [[usual, slope], kept, [more, again]] = results;
  assert.deepEqual(kept, [usual, slope]);
  assert.ok(more > usual, `${more} nodes and ${usual}`);
  assert.deepEqual(again, slope);
});

test("variables named as state may be assigned to", async () => {
  const count = tf.variable(tf.zeros([]));
  const spec = {
    inputs: {},
    state: { count },
    body: () => ({ before: tf.clone(count), count: tf.add(count, 1) }),
  };
  const counter = await compile("counter", spec);
  for (let i = 0; i < 3; i++) assert.deepEqual((await counter.run()).before.data, Float32Array.of(i));
  await counter.sync();
  assert.equal(count.dataSync()[0], 3);
  await counter.dispose();
});

test("what the graph does not read is not sent, and what it has no input for is refused", async () => {
  const linear = new Linear(2, 2, new Rng(1));
  const half = await compile("half", {
    model: linear,
    inputs: { x: { shape: [1] } },
    body: ({ x }) => ({ y: tf.mul(x, tf.sum(linear.bias!.value)) }),
  });
  assert.deepEqual(
    half.graph.state.map(({ name }) => name),
    ["bias"],
  );
  await assert.rejects(half.run({ x: [1], z: [2] }), isLuvitError("bad-argument", "no input z", "it has x"));
  await assert.rejects(half.run({}), isLuvitError("bad-argument", "missing: x"));
  await half.dispose();
  const state = { weight: tf.variable(tf.zeros([1])) };
  await assert.rejects(
    compile("twice", { model: linear, state, inputs: {}, body: () => ({}) }),
    isLuvitError("bad-argument", "both state and parameter", "weight"),
  );
});

test("a guarded run whose result is not finite leaves the state as it was, an unguarded one does not", async () => {
  for (const guard of ["loss", undefined]) {
    const count = tf.variable(tf.tensor1d([1]));
    const step = await compile(
      "step",
      {
        inputs: { x: { shape: [1] } },
        state: { count },
        body: ({ x }) => ({ loss: tf.log(x), count: tf.add(count, x) }),
      },
      { guard },
    );
    await step.run({ x: [4] });
    await step.run({ x: [-1] });
    await step.sync();
    assert.deepEqual([...count.dataSync()], [guard ? 5 : 4]);
    count.assign(tf.tensor1d([10]));
    await step.refresh();
    await step.run({ x: [2] });
    await step.sync();
    assert.deepEqual([...count.dataSync()], [12], "a variable changed outside is sent again");
    await step.dispose();
  }
});

test("a variable that is only written is state too, and one that is neither read nor written is not", async () => {
  const [last, idle] = [tf.variable(tf.tensor1d([1, 2])), tf.variable(tf.tensor1d([3]))];
  const keep = await compile("keep", {
    inputs: { x: { shape: [2] } },
    state: { last, idle },
    body: ({ x }) => ({ last: tf.mul(x, 2), sum: tf.sum(x) }),
  });
  assert.deepEqual(
    keep.graph.state.map(({ name }) => name),
    ["last"],
  );
  assert.deepEqual(await keep.run({ x: [4, 5] }), { sum: { shape: [], data: Float32Array.of(9) } });
  await keep.sync();
  assert.deepEqual([[...last.dataSync()], last.shape, [...idle.dataSync()]], [[8, 10], [2], [3]]);
  idle.dispose();
  await keep.refresh();
  await keep.dispose();
});

test("a compiled function says on what it runs, takes whole numbers as such, and its engine can be asked for", async () => {
  const linear = new Linear(2, 1, new Rng(1), { bias: false });
  const spec = {
    model: linear,
    inputs: { ids: { shape: [2], dtype: "int32" as const } },
    body: ({ ids }: Readonly<Record<string, Tensor>>) => ({ y: tf.mul(tf.cast(ids, "float32"), 1.5) }),
  };
  const graph = await compile("rows", spec, { engine: "onnxruntime", threads: 1 });
  assert.deepEqual([graph.isGraph, graph.graph.state.length], [true, 0]);
  assert.match(graph.engine, /^onnxruntime cpu \(1 thread/);
  assert.match(graph.runsOn, /, one graph$/);
  assert.deepEqual((await graph.run({ ids: [2, 3] })).y.data, Float32Array.of(3, 4.5));
  assert.equal(graph.summary().nodes, graph.graph.nodes.length);
  await graph.dispose();
  const eager = await compile("rows", spec, { engine: "eager" });
  assert.equal(eager.isGraph, false);
  assert.match(eager.runsOn, /op by op \(asked for\)/);
  assert.deepEqual((await eager.run({ ids: tf.tensor1d([2, 3], "int32") })).y.data, Float32Array.of(3, 4.5));
  await eager.dispose();
  for (const [name, wrong, options] of [
    [1, spec, {}],
    ["a", { inputs: {} }, {}],
    ["a", { ...spec, body: 1 }, {}],
    ["a", spec, { guard: 1 }],
    ["a", spec, { guards: "y" }],
  ])
    await assert.rejects(
      compile(name as string, wrong as typeof spec, options as object),
      isLuvitError("bad-argument"),
    );
});
