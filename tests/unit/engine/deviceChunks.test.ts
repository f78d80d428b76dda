import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { openOnnxEngine } from "../../../src/engine";
import type { AdamWUpdate } from "../../../src/engine/adamw/splitUpdates";
import { DeviceAdamW } from "../../../src/engine/onnx/device/adamw";
import { chunksOf, joinGradients } from "../../../src/engine/onnx/device/chunks";
import { squaresModel, updateModel } from "../../../src/engine/onnx/device/models";
import { openOnDevice } from "../../../src/engine/onnx/device/open";
import { loadOnnxRuntime } from "../../../src/engine/onnx/runtime";
import { createSession } from "../../../src/engine/onnx/session";
import type { Graph } from "../../../src/graph/ir";
import { assertClose, isLuvitError, randomArray } from "../nn/support";
import { GraphWriter, withOnnxRuntime } from "./support";

const settings = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 1, schedule: "schedule" };

const update = (
  parameter: string,
  shape: readonly number[],
  more: Partial<AdamWUpdate> = {},
): AdamWUpdate => ({
  parameter,
  average: `${parameter}.exp_avg`,
  squares: `${parameter}.exp_avg_sq`,
  gradient: `gradient of ${parameter}`,
  shape,
  ...settings,
  ...more,
});

const namesOf = (updates: readonly AdamWUpdate[], bytes?: number) =>
  chunksOf(updates, bytes).map((chunk) => chunk.updates.map(({ parameter }) => parameter));

test("updates share a chunk where all their settings are the same, each lying behind the one before", () => {
  const other = Object.entries({
    beta1: 0.8,
    beta2: 0.9,
    eps: 1e-6,
    weightDecay: 0,
    lrScale: 0.7,
    schedule: "s",
  });
  const differing = other.map(([name, value]) => update(name, [2], { [name]: value }));
  const chunks = chunksOf([update("a", [2, 3]), ...differing, update("b", [4]), update("c", [])]);
  assert.deepEqual(
    chunks.map((chunk) => chunk.updates.map(({ parameter }) => parameter)),
    [["a", "b", "c"], ...differing.map(({ parameter }) => [parameter])],
  );
  assert.deepEqual([chunks[0].starts, chunks[0].size], [[0, 6, 10], 11]);
  assert.equal(new Set(chunks.map(({ name }) => name)).size, chunks.length);
});

test("a chunk holds as many updates as fit; one that is larger stands alone", () => {
  const updates = [
    update("a", [3]),
    update("b", [2]),
    update("large", [50]),
    update("c", [1]),
    update("d", [4]),
  ];
  assert.deepEqual(namesOf(updates, 20), [["a", "b"], ["large"], ["c", "d"]]);
  assert.deepEqual(namesOf(updates, 19), [["a"], ["b"], ["large"], ["c"], ["d"]]);
});

test(
  "joined gradients are those of the chunk's parameters, one after the other",
  withOnnxRuntime,
  async () => {
    const g = new GraphWriter();
    const [x, y] = [g.input("x", [2, 2]), g.input("y", [3])];
    g.output("loss", g.node("Square", { x }, [{ shape: [2, 2] }])[0]);
    g.output("gradient of a", g.node("Neg", { x }, [{ shape: [2, 2] }])[0]);
    g.output("gradient of b", g.node("Neg", { x: y }, [{ shape: [3] }])[0]);
    const updates = [update("a", [2, 2]), update("b", [3])];
    const { graph, gradients } = joinGradients({ graph: g.finish(), updates }, chunksOf(updates));
    assert.deepEqual(gradients, ["gradients 0"]);
    const engine = await openOnnxEngine({ step: { graph } }, { provider: "cpu", threads: 1 });
    const results = await engine.run("step", { x: Float32Array.of(1, 2, 3, 4), y: Float32Array.of(5, 6, 7) });
    assert.deepEqual(results["gradients 0"], Float32Array.of(-1, -2, -3, -4, -5, -6, -7));
    assert.deepEqual(Object.keys(results).sort(), ["gradients 0", "loss"]);
    await engine.dispose();
  },
);

test(
  "an update with and without decay is PyTorch's, for every parameter of its chunk",
  withOnnxRuntime,
  async () => {
    const runtime = loadOnnxRuntime();
    const tensor = (values: Float32Array, shape: readonly number[]) =>
      new runtime.Tensor("float32", values, shape);
    for (const weightDecay of [0.05, 0]) {
      const [chunk] = chunksOf([update("a", [2, 2], { weightDecay }), update("b", [3], { weightDecay })]);
      const session = await createSession(runtime, updateModel(chunk), { threads: 1, provider: "cpu" });
      const [old, g, m] = [1, 2, 3].map((seed) => randomArray(7, seed));
      const v = randomArray(7, 4).map(Math.abs);
      const [lr, c1, c2, factor] = [0.01, 0.1, 0.05, 0.5];
      const numbers = Float32Array.of(1 - lr * weightDecay, lr / c1, 1 / Math.sqrt(c2), factor);
      const results = await session.run(
        {
          a: tensor(old.slice(0, 4), [2, 2]),
          b: tensor(old.slice(4), [3]),
          average: tensor(m, [7]),
          squares: tensor(v, [7]),
          gradients: tensor(g, [7]),
          numbers: tensor(numbers, [4]),
        },
        { "a'": null, "b'": null, "average'": null, "squares'": null },
      );
      const average = m.map((x, i) => 0.9 * x + 0.1 * factor * g[i]);
      const squares = v.map((x, i) => 0.95 * x + 0.05 * (factor * g[i]) ** 2);
      const parameters = old.map((x, i) => {
        const change = ((lr / c1) * average[i]) / (Math.sqrt(squares[i] / c2) + 1e-8);
        return x * (1 - lr * weightDecay) - change;
      });
      assertClose(results["average'"].data as Float32Array, average, 1e-6, "average");
      assertClose(results["squares'"].data as Float32Array, squares, 1e-6, "squares");
      assertClose(results["a'"].data as Float32Array, parameters.slice(0, 4), 1e-6, "a");
      assertClose(results["b'"].data as Float32Array, parameters.slice(4), 1e-6, "b");
      assert.deepEqual(results["a'"].dims, [2, 2]);
      await session.release();
    }
  },
);

test("squares are summed in rows, whatever is left over", withOnnxRuntime, async () => {
  const runtime = loadOnnxRuntime();
  for (const size of [5, 1024, 2048, 2500]) {
    const [chunk] = chunksOf([update("a", [size])]);
    const session = await createSession(runtime, squaresModel(chunk), { threads: 1, provider: "cpu" });
    const values = randomArray(size, size);
    const { squares } = await session.run(
      { gradients: new runtime.Tensor("float32", values, [size]) },
      { squares: null },
    );
    assert.equal(squares.data.length, Math.ceil(size / 1024));
    const sum = (squares.data as Float32Array).reduce((a, b) => a + b, 0);
    const expected = values.reduce((a, x) => a + x * x, 0);
    assert.ok(Math.abs(sum / expected - 1) < 1e-5, `${size}: ${sum}, expected ${expected}`);
    await session.release();
  }
});

/** Two parameters in one chunk, of which a step changes nothing else. */
function twoParameters() {
  const g = new GraphWriter();
  const schedule = g.input("schedule", [3]);
  const shape = [2];
  for (const name of ["a", "b"]) {
    const parameter = g.state(name, shape);
    const [average, squares] = [g.state(`${name}.exp_avg`, shape), g.state(`${name}.exp_avg_sq`, shape)];
    const [gradient] = g.node("Multiply", { a: parameter, b: parameter }, [{ shape }]);
    const { schedule: _, ...rules } = settings;
    const operands = { parameter, gradient, average, squares, schedule };
    const results = g.node("LuvitAdamW", operands, [{ shape }, { shape }, { shape }], rules);
    for (const [i, entry] of [name, `${name}.exp_avg`, `${name}.exp_avg_sq`].entries())
      g.output(entry, results[i]);
  }
  return g.finish();
}

const opening = (graph: Graph) =>
  openOnnxEngine({ step: { graph } }, { provider: "cpu", threads: 1 }, openOnDevice);

test("after a step that ended half-way the state is refused, not handed on", withOnnxRuntime, async () => {
  const engine = await opening(twoParameters());
  await engine.writeState({ a: Float32Array.of(1, 2), b: Float32Array.of(3, 4) });
  const failing = mock.method(DeviceAdamW.prototype, "step", () =>
    Promise.reject(new Error("no memory left")),
  );
  const broken = isLuvitError("engine", "in the middle of a step", "no memory left", "checkpoint", '"cpu"');
  const schedule = Float32Array.of(0.1, 0.1, 0.05);
  await assert.rejects(engine.run("step", { schedule }), broken);
  failing.mock.restore();
  await assert.rejects(engine.run("step", { schedule }), broken);
  await assert.rejects(engine.readState(["a"]), broken);
  await engine.dispose();
});

test(
  "a program that reads moments itself is refused by its name and theirs, one that reads weights is not",
  withOnnxRuntime,
  async () => {
    const open = (...read: string[]) => {
      const g = new GraphWriter();
      for (const name of read)
        g.output(`of ${name}`, g.node("Neg", { x: g.state(name, [2]) }, [{ shape: [2] }])[0]);
      const programs = { step: { graph: twoParameters() }, look: { graph: g.finish() } };
      return openOnnxEngine(programs, { provider: "cpu", threads: 1 }, openOnDevice);
    };
    for (const moments of [["a.exp_avg"], ["b.exp_avg_sq"], ["b.exp_avg", "a.exp_avg_sq"]])
      await assert.rejects(
        open("a", ...moments),
        isLuvitError("engine", `program "look" reads moments of AdamW (${moments.join(", ")})`, '"cpu"'),
      );
    await (await open("a", "b")).dispose();
  },
);

test("moments are written and read one by one, in any order, between steps", withOnnxRuntime, async () => {
  const open = () => opening(twoParameters());
  const schedule = (step: number) => Float32Array.of(0.1, 1 - 0.9 ** step, 1 - 0.95 ** step);
  const engine = await open();
  await engine.writeState({ a: Float32Array.of(1, 2), b: Float32Array.of(3, 4) });
  assert.deepEqual(await engine.readState(["b.exp_avg"]), { "b.exp_avg": Float32Array.of(0, 0) });
  await engine.run("step", { schedule: schedule(1) });
  const first = await engine.readState();
  assertClose(first["a.exp_avg"], [0.1, 0.4], 1e-6, "a");
  assertClose(first["b.exp_avg"], [0.9, 1.6], 1e-6, "b");
  await engine.writeState({ "b.exp_avg": Float32Array.of(7, 8) });
  const changed = await engine.readState(["a.exp_avg", "b.exp_avg"]);
  assert.deepEqual(changed, { "a.exp_avg": first["a.exp_avg"], "b.exp_avg": Float32Array.of(7, 8) });
  await engine.writeState({ "b.exp_avg": first["b.exp_avg"] });

  const second = await open();
  for (const name of Object.keys(first).reverse()) await second.writeState({ [name]: first[name] });
  for (const one of [engine, second]) await one.run("step", { schedule: schedule(2) });
  assert.deepEqual(await second.readState(), await engine.readState());
  await Promise.all([engine.dispose(), second.dispose()]);
});
