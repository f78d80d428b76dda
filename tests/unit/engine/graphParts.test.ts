import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { splitUpdates } from "../../../src/engine/adamw/splitUpdates";
import { trialFeeds, trialPrograms, trialState } from "../../../src/engine/gpu/trial";
import { withoutCopies } from "../../../src/engine/lower";
import { interpret } from "../../../src/graph";
import type { Graph, GraphDtype, GraphValue } from "../../../src/graph/ir";
import "../../../src/nn/ops";
import { GraphWriter } from "./support";

before(() => startBackend({ backend: "cpu" }));

/** Ops that are left of one call over x of this shape and type. */
function left(
  op: string,
  from: readonly number[],
  to: readonly number[],
  [dtype, result = dtype]: readonly GraphDtype[] = ["float32"],
  attributes = {},
): string[] {
  const g = new GraphWriter();
  const [y] = g.node(op, { x: g.input("x", from, dtype) }, [{ shape: to, dtype: result }], attributes);
  g.output("y", y);
  return withoutCopies(g.finish()).nodes.map((node) => node.op);
}

test("a copy is what keeps shape, type and order of its operand, and has an op that only copies", () => {
  const perm = (...axes: number[]) => ({ perm: axes });
  for (const op of ["Identity", "Cast", "Reshape", "Tile"])
    assert.deepEqual(left(op, [2, 3], [2, 3]), [], op);
  for (const op of ["Neg", "Exp", "Slice", "Reverse"]) assert.deepEqual(left(op, [2, 3], [2, 3]), [op], op);
  assert.deepEqual(left("Reshape", [2, 3], [3, 2]), ["Reshape"]);
  assert.deepEqual(left("Tile", [1, 3], [2, 3]), ["Tile"]);
  assert.deepEqual(left("Cast", [2], [2], ["float32", "int32"]), ["Cast"]);
  assert.deepEqual(left("Identity", [], []), []);
  assert.deepEqual(left("Transpose", [2, 2], [2, 2], undefined, perm(1, 0)), ["Transpose"]);
  assert.deepEqual(left("Transpose", [2, 3, 2], [2, 3, 2], undefined, perm(2, 1, 0)), ["Transpose"]);
  assert.deepEqual(left("Transpose", [1, 1], [1, 1], undefined, perm(1, 0)), []);
  assert.deepEqual(left("Transpose", [1, 5, 1], [1, 5, 1], undefined, perm(2, 1, 0)), []);
  assert.deepEqual(left("Transpose", [1, 5], [5, 1], undefined, perm(1, 0)), ["Transpose"]);
});

test("users and results of a chain of copies take what it copies; what nobody needs goes with its operands", () => {
  const g = new GraphWriter();
  const [x, w] = [g.input("x", [2]), g.state("w", [2])];
  const copy = (value: GraphValue, op = "Identity") => g.node(op, { x: value }, [{ shape: [2] }])[0];
  const [y] = g.node("Add", { a: copy(copy(x), "Reshape"), b: copy(w) }, [{ shape: [2] }]);
  copy(g.node("Exp", { x: y }, [{ shape: [2] }])[0], "Sin");
  const parts = g.node("SplitV", { x: y }, [{ shape: [1] }, { shape: [1] }], { numOrSizeSplits: 2, axis: 0 });
  g.output("sum", copy(y));
  g.output("w", copy(w));
  g.output("second", parts[1]);
  const graph = g.finish();
  const { nodes, outputs } = withoutCopies(graph);
  assert.deepEqual(
    nodes.map(({ op, inputs }) => [op, inputs]),
    [
      ["Add", [x.id, w.id]],
      ["SplitV", [y.id]],
    ],
  );
  assert.deepEqual(outputs, [
    { name: "sum", id: y.id },
    { name: "w", id: w.id },
    { name: "second", id: parts[1].id },
  ]);
  assert.equal(graph.nodes.length, 9, "the graph itself stays as it is");
});

const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, lrScale: 0.5 };

/** Steps of AdamW for `names` whose schedule the graph works out; `change` may spoil one. */
function steps(
  names: readonly string[],
  change: (g: GraphWriter, parts: Record<string, GraphValue>) => void = () => {},
): Graph {
  const g = new GraphWriter();
  const [schedule] = g.node("Exp", { x: g.input("x", [3]) }, [{ shape: [3] }]);
  for (const [i, name] of names.entries()) {
    const like = { shape: [i + 1] };
    const [parameter, average, squares] = [name, `${name}.m`, `${name}.v`].map((entry) =>
      g.state(entry, like.shape),
    );
    const [gradient] = g.node("Neg", { x: parameter }, [like]);
    const parts = { parameter, gradient, average, squares, schedule };
    if (i === 0) change(g, parts);
    const next = g.node("LuvitAdamW", parts, [like, like, like], rules);
    for (const [k, entry] of [name, `${name}.m`, `${name}.v`].entries()) g.output(entry, next[k]);
  }
  g.output("loss", schedule);
  return g.finish();
}

test("updates taken out of a graph leave their gradients and, once, a schedule that it works out as results", () => {
  const whole = steps(["a", "b"]);
  const { graph, updates } = splitUpdates(whole);
  const [{ schedule }] = updates;
  assert.deepEqual(
    updates,
    ["a", "b"].map((name, i) => ({
      ...rules,
      parameter: name,
      average: `${name}.m`,
      squares: `${name}.v`,
      gradient: `gradient of ${name}`,
      schedule,
      shape: [i + 1],
    })),
  );
  assert.deepEqual(
    graph.outputs.map(({ name }) => name),
    ["loss", "gradient of a", schedule, "gradient of b"],
  );
  const loss = whole.outputs.find(({ name }) => name === "loss")!;
  assert.equal(graph.outputs.find(({ name }) => name === schedule)!.id, loss.id);
  assert.deepEqual(
    graph.nodes.map(({ op }) => op),
    ["Exp", "Neg", "Neg"],
  );
  assert.equal(whole.nodes.length, 5);
});

test("an update stays where its results are used, are no state, or its operands are none", () => {
  const kept = (graph: Graph) => splitUpdates(graph).updates.map(({ parameter }) => parameter);
  assert.deepEqual(kept(steps(["a", "b"])), ["a", "b"]);
  const other = steps(["a", "b"], (g, parts) => {
    parts.parameter = g.node("Neg", { x: parts.parameter }, [{ shape: [1] }])[0];
  });
  assert.deepEqual(kept(other), ["b"]);
  const swapped = steps(["a", "b"]);
  const [a, m] = swapped.outputs;
  const outputs = [{ ...a, id: m.id }, { ...m, id: a.id }, ...swapped.outputs.slice(2)];
  assert.deepEqual(kept({ ...swapped, outputs }), ["b"], "a result under another's name");
  assert.deepEqual(
    kept({ ...swapped, outputs: swapped.outputs.slice(1) }),
    ["b"],
    "a result that is not given back",
  );
  const node = {
    op: "Neg",
    inputs: [a.id],
    inputNames: ["x"],
    outputs: [{ id: 999, shape: [1], dtype: "float32" }],
    attributes: {},
  } as const;
  assert.deepEqual(kept({ ...swapped, nodes: [...swapped.nodes, node] }), ["b"], "a result that is used");
});

test("the step that GPUs are tried with has the gradient of its loss, but for a factor", () => {
  const { graph } = trialPrograms().train;
  const { weight, scale } = trialState();
  const [out, width, rows] = [32, 64, 8];
  const { x, schedule } = trialFeeds(1);
  const run = (w: Float32Array) =>
    tf.tidy(() => {
      const like = () => tf.zeros([out, width]);
      const state = {
        weight: tf.tensor2d(w as Float32Array, [out, width]),
        average: like(),
        squares: like(),
        scale: tf.tensor1d(scale),
      };
      const inputs = { x: tf.tensor2d(x as Float32Array, [rows, width]), schedule: tf.tensor1d(schedule) };
      const { loss, average } = interpret(graph, { inputs, state });
      return { loss: loss.dataSync()[0], gradient: Array.from(average.dataSync(), (m) => m / 0.1) };
    });
  const { gradient } = run(weight as Float32Array);
  const step = 1e-2;
  for (const [i, direction] of [weight.map(() => 1), weight.map((_, k) => (k % 3) - 1)].entries()) {
    const moved = (sign: number) =>
      Float32Array.from(weight, (value, k) => value + sign * step * direction[k]);
    const slope = (run(moved(1)).loss - run(moved(-1)).loss) / (2 * step);
    // dy is y in place of 2 y / (rows * out).
    const along = (2 / (rows * out)) * gradient.reduce((sum, g, k) => sum + g * direction[k], 0);
    assert.ok(
      Math.abs(along / slope - 1) < 0.02,
      `direction ${i}: ${along} along it, ${slope} by differences`,
    );
  }
});
