import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type Graph, graphText, optimize, summarize, trace } from "../../../src/graph";
import { shareCommonSubexpressions } from "../../../src/graph/passes/commonSubexpressions";
import { foldConstants } from "../../../src/graph/passes/constants";
import { removeDeadCode } from "../../../src/graph/passes/deadCode";
import { simplify } from "../../../src/graph/passes/simplify";
import { summaryText } from "../../../src/graph/summary";
import { assertNoLeak, randomTensor } from "../nn/support";
import { traceOf, valuesOfGraph } from "./support";

before(async () => {
  await startBackend();
});

/** Applies passes to the trace of a function of x [2, 3]; checks that results and feeds stay; gives the node lines. */
function nodesAfter(
  passes: readonly ((graph: Graph) => Graph)[],
  make: (x: Tensor) => Tensor | Tensor[],
): string[] {
  const graph = traceOf([[2, 3]], make);
  const before = graphText(graph);
  let result = graph;
  assertNoLeak(() => {
    result = passes.reduce((current, pass) => pass(current), graph);
  });
  assert.equal(graphText(graph), before, "a pass changed its operand");
  const x = randomTensor([2, 3]);
  assert.deepEqual(valuesOfGraph(result, [x]), valuesOfGraph(graph, [x]));
  assert.deepEqual(result.inputs, graph.inputs);
  return graphText(result)
    .split("\n")
    .filter((line) => /^[%o]/.test(line));
}

/** x [2] of int32, and zero as int32 and as float32, whose bytes are the same. */
const zeros: Graph = {
  name: "zeros",
  inputs: [{ name: "x", value: { id: 0, shape: [2], dtype: "int32" } }],
  state: [],
  constants: [
    { value: { id: 1, shape: [2], dtype: "int32" }, data: Int32Array.of(0) },
    { value: { id: 2, shape: [2], dtype: "float32" }, data: Float32Array.of(0) },
  ],
  nodes: [1, 2].map((zero) => ({
    op: "Add",
    inputs: [0, zero],
    inputNames: ["a", "b"],
    outputs: [{ id: 2 + zero, shape: [2], dtype: zero === 1 ? "int32" : "float32" }],
    attributes: {},
  })),
  outputs: [
    { name: "whole", id: 3 },
    { name: "real", id: 4 },
  ],
};

describe("passes", () => {
  test("types count: a zero of another type is another constant, and adding it is no copy", () => {
    const shared = shareCommonSubexpressions(zeros);
    assert.deepEqual(
      shared.nodes.map(({ inputs }) => inputs),
      [
        [0, 1],
        [0, 2],
      ],
    );
    const { nodes, outputs } = simplify(zeros);
    assert.deepEqual(
      nodes.map(({ outputs: [{ dtype }] }) => dtype),
      ["float32"],
    );
    assert.deepEqual(
      outputs.map(({ id }) => id),
      [0, 4],
    );
  });

  test("dead code: nodes and constants no output needs", () => {
    const unused = (x: Tensor) => {
      tf.add(tf.exp(x), tf.tensor([1, 2, 3]));
      return tf.neg(x);
    };
    assert.deepEqual(nodesAfter([removeDeadCode], unused), [
      "%0 float32[2,3] = Neg(x=@x0)",
      "output y0 = %0",
    ]);
    assert.equal(removeDeadCode(traceOf([[2, 3]], unused)).constants.length, 0);
  });

  test("simplify: what changes nothing goes", () => {
    const nothing = (x: Tensor) => [
      tf.clone(tf.clone(x)),
      tf.cast(x, "float32"),
      tf.reshape(tf.reshape(tf.expandDims(x, 0), [6]), [2, 3]),
      tf.transpose(tf.transpose(x)),
      tf.add(tf.mul(tf.div(tf.sub(x, 0), 1), 1), tf.zeros([2, 3])),
      tf.tile(
        tf.pad(tf.slice(x, 0), [
          [0, 0],
          [0, 0],
        ]),
        [1, 1],
      ),
      tf.sum(tf.expandDims(x, 1), 1),
    ];
    const names = nothing(tf.zeros([2, 3])).map((_, i) => `output y${i} = @x0`);
    assert.deepEqual(nodesAfter([simplify, removeDeadCode], nothing), names);
  });

  test("simplify: what only looks like nothing stays", () => {
    const something = (x: Tensor) => [
      tf.mul(tf.slice(x, [0, 0], [1, 3]), tf.ones([2, 3])),
      tf.cast(tf.cast(x, "int32"), "float32"),
      tf.sub(0, x),
      tf.div(1, x),
      tf.transpose(tf.reshape(x, [3, 2])),
    ];
    assert.equal(nodesAfter([simplify], something).length, 8 + 5);
  });

  test("simplify: transpositions compose, reshapes too", () => {
    const chain = (x: Tensor) => {
      const y = tf.transpose(tf.transpose(tf.reshape(tf.reshape(x, [6]), [1, 2, 3]), [1, 2, 0]), [1, 2, 0]);
      return tf.exp(y);
    };
    assert.deepEqual(nodesAfter([simplify, removeDeadCode], chain), [
      "%0 float32[1,2,3] = Reshape(x=@x0) {shape=[1,2,3]}",
      "%1 float32[3,1,2] = Transpose(x=%0) {perm=[2,0,1]}",
      "%2 float32[3,1,2] = Exp(x=%1)",
      "output y0 = %2",
    ]);
  });

  test("constants: uniform ones stay one number and become scalars where they can", () => {
    const uniform = (x: Tensor) => [
      tf.mul(x, tf.add(tf.mul(tf.onesLike(x), 3), tf.fill([2, 3], 0.5))),
      tf.mul(tf.slice(x, [0, 0], [1, 3]), tf.transpose(tf.tile(tf.ones([3, 1]), [1, 2]))),
      tf.neg(tf.zerosLike(x)),
    ];
    assert.deepEqual(nodesAfter([foldConstants, removeDeadCode], uniform), [
      "%0 float32[2,3] = Multiply(a=@x0, b=3.5)",
      "%1 float32[1,3] = Slice(x=@x0) {begin=[0,0], size=[1,3]}",
      "%2 float32[2,3] = Multiply(a=%1, b=1:float32[2,3])",
      "output y0 = %0",
      "output y1 = %2",
      "output y2 = -0:float32[2,3]",
    ]);
    const folded = foldConstants(traceOf([[2, 3]], uniform));
    assert.equal(summarize(removeDeadCode(folded)).constantBytes, 12);
  });

  test("constants: others are worked out, unless the result is large", () => {
    const table = (x: Tensor) => {
      const [first, second] = tf.split(tf.square(tf.tensor([0, 1, 2, 3])), 2);
      return [tf.mul(x, tf.sum(tf.concat([second, first]))), tf.gather(first, tf.tensor1d([1, 1], "int32"))];
    };
    assert.deepEqual(
      nodesAfter([foldConstants, removeDeadCode], table).map((line) => line.split(" ").at(-1)),
      ["b=14)", "%0", "1:float32[2]"],
    );
    const large = traceOf([[2]], () => tf.exp(tf.range(0, 1 << 17)));
    assert.equal(foldConstants(large).nodes.length, 2);
  });

  test("common subexpressions: nodes that differ in one thing alone, whichever, stay two", () => {
    const value = (id: number) => ({ id, shape: [2], dtype: "float32" }) as const;
    const node = {
      op: "Any",
      inputs: [0, 1],
      inputNames: ["a", "b"],
      attributes: { first: 1, list: [1, 2, 3], flag: true, nothing: null, last: "same" },
    };
    const others = [
      ...Object.entries({ first: 2, list: [1, 2, 4], flag: false, nothing: 0, last: "other" }).map(
        ([name, changed]) => ({ ...node, attributes: { ...node.attributes, [name]: changed } }),
      ),
      { ...node, attributes: { ...node.attributes, more: 0 } },
      { ...node, op: "Other" },
      { ...node, inputs: [0, 0] },
      { ...node, inputs: [1, 0] },
      { ...node, inputNames: ["a", "c"] },
    ];
    const nodesOf = (pair: readonly (typeof node)[]) => {
      const graph = {
        name: "pair",
        inputs: ["x", "y"].map((name, id) => ({ name, value: value(id) })),
        state: [],
        constants: [],
        nodes: pair.map((one, i) => ({ ...one, outputs: [value(2 + i)] })),
        outputs: pair.map((_, i) => ({ name: `o${i}`, id: 2 + i })),
      };
      return shareCommonSubexpressions(graph as unknown as Graph).nodes.length;
    };
    for (const other of others) assert.equal(nodesOf([node, other]), 2, JSON.stringify(other));
    const { attributes } = node;
    const turned = Object.fromEntries(Object.entries(attributes).reverse()) as typeof attributes;
    assert.equal(
      nodesOf([node, { ...node, attributes: turned }]),
      1,
      "the order of attributes does not count",
    );
  });

  test("common subexpressions: equal constants and equal nodes once", () => {
    const twice = (x: Tensor) => {
      const make = () => tf.mul(tf.exp(x), tf.tensor([1, 2, 3]));
      return [make(), make(), tf.sum(x, 0), tf.sum(x, 1)];
    };
    const lines = nodesAfter([shareCommonSubexpressions, removeDeadCode], twice);
    assert.equal(lines.filter((line) => line.startsWith("%")).length, 4);
    assert.deepEqual(lines.slice(4, 6), ["output y0 = %1", "output y1 = %1"]);
  });

  test("common subexpressions: of a node with several results each stands for its own", () => {
    const halves = (x: Tensor) => [...tf.split(x, [1, 2], 1), ...tf.split(x, [1, 2], 1)];
    const lines = nodesAfter([shareCommonSubexpressions, removeDeadCode], halves);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("output")),
      ["output y0 = %0", "output y1 = %1", "output y2 = %0", "output y3 = %1"],
    );
  });

  test("constants: a new one is taken for no value that is there, the last one neither", () => {
    const make = (x: Tensor) => [tf.zerosLike(x), tf.exp(x)];
    assert.deepEqual(nodesAfter([foldConstants, removeDeadCode], make), [
      "%0 float32[2,3] = Exp(x=@x0)",
      "output y0 = 0:float32[2,3]",
      "output y1 = %0",
    ]);
  });

  test("all together reach a fixed point", () => {
    const graph = traceOf([[2, 3], [3]], (x, w) =>
      tf.grads((a: Tensor, b: Tensor) => tf.mean(tf.softmax(tf.mul(a, b))) as tf.Scalar)([x, w]),
    );
    const best = optimize(graph);
    assert.ok(best.nodes.length < graph.nodes.length);
    assert.equal(graphText(optimize(best)), graphText(best));
    const inputs = [randomTensor([2, 3]), randomTensor([3])];
    assert.deepEqual(valuesOfGraph(best, inputs), valuesOfGraph(graph, inputs));
  });

  test("numbers as text can be told from their neighbors", () => {
    const near = [0.1, 0.10000001, 1 / 3, 16777215, 16777214, -0, 1e-30].map((x) => Math.fround(x));
    const texts = near.map((x) => /b=([^)]*)\)/.exec(graphText(traceOf([[2]], (y) => tf.mul(y, x))))![1]);
    assert.equal(new Set(texts).size, near.length);
    assert.deepEqual(
      texts.map((text) => Math.fround(Number(text))),
      near,
    );
  });

  test("an optimized gradient as text", () => {
    const graph = traceOf(
      [
        [2, 3],
        [4, 3],
      ],
      (x, w) =>
        tf.grad((v: Tensor) => tf.sum(tf.square(tf.matMul(x as tf.Tensor2D, v as tf.Tensor2D, false, true))))(
          w,
        ),
    );
    assert.equal(
      graphText(optimize(graph)),
      `graph sample
input @x0 float32[2,3]
input @x1 float32[4,3]
%0 float32[2,4] = BatchMatMul(a=@x0, b=@x1) {transposeA=false, transposeB=true}
%1 float32[2,4] = Multiply(a=%0, b=2)
%2 float32[4,3] = BatchMatMul(a=%1, b=@x0) {transposeA=true, transposeB=false}
output y0 = %2
`,
    );
    assert.equal(
      summaryText(optimize(graph)),
      `graph "sample": 3 nodes, matrix products 0.00 GFLOP
state 0.0 MB trained, 0.0 MB frozen; constants 0.0 MB; results 0.0 MB, 0.0 MB of them at once
2 BatchMatMul, 1 Multiply`,
    );
    const { resultBytes, peakBytes, matMulFlops } = summarize(optimize(graph));
    assert.deepEqual(
      { resultBytes, peakBytes, matMulFlops },
      {
        resultBytes: 4 * (2 * 4 + 2 * 4 + 4 * 3),
        peakBytes: 4 * (2 * 4 + 4 * 3), // %0 is gone when %2 is made
        matMulFlops: 2 * (2 * 3 * 4) + 2 * (4 * 2 * 3),
      },
    );
  });
});

test("convolutions count a product for every place of their window, and so do their gradients", () => {
  const graph = trace("convolution", {
    inputs: { x: { shape: [2, 6, 5, 3] }, filter: { shape: [3, 3, 3, 4] } },
    state: {},
    body: ({ x, filter }) => {
      const loss = (a: Tensor, b: Tensor) =>
        tf.sum(tf.square(tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, "same")));
      const [dx, df] = (tf.grads(loss as never) as unknown as (values: Tensor[]) => Tensor[])([x, filter]);
      return { dx, df };
    },
  });
  const products = 2 * 6 * 5 * 4 * (3 * 3 * 3);
  assert.equal(summarize(graph).matMulFlops, 3 * 2 * products);
});

test("what is worked out of constants leaves no node behind", () => {
  const graph = traceOf([[2, 3]], (x) => {
    const two = tf.fill([2, 3], 2);
    return tf.add(x, tf.transpose(tf.reshape(two, [3, 2])));
  });
  const { nodes, constants } = foldConstants(graph);
  assert.deepEqual(
    nodes.map(({ op }) => op),
    ["Add"],
  );
  assert.ok(constants.every(({ data }) => data.length === 1));
});

/** x float32 [2, 2] through nodes of one result each, which are all outputs. */
function graphOf(
  nodes: { op: string; inputs: number[]; shape?: number[]; attributes?: Record<string, number> }[],
  constants: Graph["constants"] = [],
): Graph {
  const made = nodes.map(({ op, inputs, shape = [2, 2], attributes = {} }, i) => ({
    op,
    inputs,
    inputNames: ["a", "b"].slice(0, inputs.length),
    outputs: [{ id: 10 + i, shape, dtype: "float32" as const }],
    attributes,
  }));
  return {
    name: "made",
    inputs: [{ name: "x", value: { id: 0, shape: [2, 2], dtype: "float32" } }],
    state: [],
    constants,
    nodes: made,
    outputs: made.map(({ outputs: [{ id }] }) => ({ name: `y${id}`, id })),
  };
}

test("only what has the same op, operands in their order and attributes is computed once", () => {
  const leaky = (alpha: number) => ({ op: "LeakyRelu", inputs: [0], attributes: { alpha } });
  const sub = (a: number, b: number) => ({ op: "Sub", inputs: [a, b] });
  const nodes = [
    leaky(1),
    leaky(2),
    leaky(1),
    sub(10, 11),
    sub(11, 10),
    sub(12, 11),
    { op: "Elu", inputs: [0] },
  ];
  const { nodes: left, outputs } = shareCommonSubexpressions(graphOf(nodes));
  assert.deepEqual(
    left.map((node) => node.outputs[0].id),
    [10, 11, 13, 14, 16],
  );
  assert.deepEqual(
    outputs.map(({ id }) => id),
    [10, 11, 10, 13, 14, 13, 16],
  );
});

test("constants are one where type, shape and every number are the same, however long they are", () => {
  const constant = (id: number, shape: number[], data: Float32Array) => ({
    value: { id, shape, dtype: "float32" as const },
    data,
  });
  const long = Float32Array.from({ length: 40 }, (_, i) => i);
  const other = long.slice();
  other[39] = -1;
  const within = new Float32Array(50);
  within.set(long, 7);
  const constants = [
    constant(1, [40], long),
    constant(2, [40], other),
    constant(3, [40], within.subarray(7, 47)),
    constant(4, [4, 10], long),
    constant(5, [1], Float32Array.of(0)),
    constant(6, [1], Float32Array.of(-0)),
    constant(7, [1], Float32Array.of(0)),
  ];
  const nodes = constants.map(({ value }) => ({ op: "Mod", inputs: [0, value.id] }));
  const { outputs, nodes: left } = shareCommonSubexpressions(graphOf(nodes, constants));
  assert.deepEqual(
    outputs.map(({ id }) => id),
    [10, 11, 10, 13, 14, 15, 14],
  );
  assert.equal(left.length, 5);
});

test("the peak of a graph is what is there at once: operands until their last use, unused results while they are made", () => {
  const steps = [
    { op: "Exp", inputs: [0] }, // 10
    { op: "Sin", inputs: [10] }, // 11
    { op: "Cos", inputs: [10] }, // 12: 10 and 11 are there too
    { op: "Sum", inputs: [0], shape: [] }, // 13, which nobody needs
    { op: "Add", inputs: [11, 12] }, // 14
  ];
  const graph = graphOf(steps);
  const inner = { ...graph, outputs: graph.outputs.slice(4) };
  assert.deepEqual([summarize(inner).peakBytes, summarize(inner).resultBytes], [3 * 16, 4 * 16 + 4]);
  assert.equal(summarize(graph).peakBytes, 4 * 16 + 4, "outputs stay");
  const kept = { ...graph, outputs: [graph.outputs[0], graph.outputs[4]] };
  assert.equal(summarize(kept).peakBytes, 4 * 16);
});
