import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type Graph, graphText, interpret, optimize, summarize, trace } from "../../../src/graph";
import { atCallSite } from "../../../src/graph/callSite";
import { LIST_INPUT } from "../../../src/graph/recorder";
import { inBlock } from "../../../src/graph/scopes";
import { summaryText } from "../../../src/graph/summary";
import { assertNoLeak, isLuvitError, randomTensor } from "../nn/support";
import { traceOf } from "./support";

before(async () => {
  await startBackend({ backend: "cpu" });
});

const state = { w: { shape: [2, 3] } };
const traceUpdate = (body: (w: tf.Variable, x: Tensor) => Record<string, Tensor>) =>
  trace("step", { inputs: { x: { shape: [2, 3] } }, state, body: ({ x }, { w }) => body(w, x) });

function assigning(w: tf.Variable, value: Tensor): Record<string, Tensor> {
  w.assign(value as never);
  return {};
}

describe("an entry's new value", () => {
  test("has its element type and its shape, whichever way it is given", () => {
    for (const [what, make] of Object.entries({
      "int32[2, 3]": (x: Tensor) => tf.cast(x, "int32"),
      "bool[2, 3]": (x: Tensor) => tf.less(x, 0),
      "float32[3, 2]": (x: Tensor) => tf.transpose(x),
      "float32[2, 3, 1]": (x: Tensor) => tf.expandDims(x, -1),
      "float32[3]": (x: Tensor) => tf.sum(x, 0),
    }))
      assert.throws(
        () => traceUpdate((_, x) => ({ w: make(x) })),
        isLuvitError("shape-mismatch", `state "w" is float32[2, 3], its new value ${what}`),
      );
    assert.throws(
      () => traceUpdate((w, x) => assigning(w, tf.cast(x, "int32"))),
      isLuvitError("bad-argument", "must not assign int32[2,3] to float32[2,3]"),
    );
    assert.throws(
      () => traceUpdate((w, x) => assigning(w, tf.transpose(x))),
      isLuvitError("bad-argument", "must not assign float32[3,2] to float32[2,3]"),
    );
  });

  test("may be both assigned and returned where it is the same, and is one output then", () => {
    const same = traceUpdate((w, x) => {
      const y = tf.add(w, x);
      w.assign(y as never);
      return { w: y };
    });
    assert.deepEqual(
      same.outputs.map(({ name }) => name),
      ["w"],
    );
    assert.equal(same.outputs[0].id, same.nodes[0].outputs[0].id);
    assert.throws(
      () => traceUpdate((w, x) => ({ ...assigning(w, tf.add(w, x)), w: tf.sub(w, x) })),
      isLuvitError("bad-argument", 'state "w" is both assigned and returned, with different values'),
    );
  });

  test("is none where it stays as it is; read only, it is no output", () => {
    assert.deepEqual(traceUpdate((w, x) => ({ y: tf.add(w, x) })).outputs.length, 1);
  });
});

test("inputs keep their order, their element types and whether they are bytes", () => {
  const { inputs } = trace("all", {
    inputs: {
      z: { shape: [2], dtype: "int32" },
      a: { shape: [], isBytes: true },
      flags: { shape: [0, 3], dtype: "bool", isBytes: false },
    },
    state: {},
    body: ({ z }) => ({ z }),
  });
  assert.deepEqual(
    inputs.map(({ name, value: { shape, dtype }, isBytes }) => [name, shape, dtype, isBytes]),
    [
      ["z", [2], "int32", undefined],
      ["a", [], "float32", true],
      ["flags", [0, 3], "bool", undefined],
    ],
  );
});

test("what is no graph to trace, and what a body gives that is no tensor, is told", () => {
  const body = () => ({});
  const traced = (spec: object) => () => trace("odd", spec as never);
  for (const spec of [undefined, { state: {}, body }, { inputs: {}, body }, { inputs: {}, state: {} }])
    assert.throws(traced(spec as object), isLuvitError("bad-argument", "graph.trace"));
  const x = { shape: [1] };
  assert.throws(traced({ inputs: { x: {} }, state: {}, body }), isLuvitError("bad-argument", "inputs", "x"));
  const wrong = { inputs: { x }, state: {}, body: () => ({ loss: 3 }) };
  assert.throws(traced(wrong), isLuvitError("bad-argument", 'trace "odd": what the body returns', "loss"));
});

test("a body that fails asynchronously is refused as async, and its failure is nobody's", async () => {
  const failed: unknown[] = [];
  const note = (reason: unknown) => void failed.push(reason);
  process.on("unhandledRejection", note);
  try {
    const body = async () => {
      throw new Error("later");
    };
    assert.throws(
      () => trace("a", { inputs: {}, state: {}, body: body as never }),
      isLuvitError("bad-argument", "the body is async"),
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(failed, []);
  } finally {
    process.off("unhandledRejection", note);
  }
});

test("a trace inside a gradient or another op is refused, and nothing is left of it", () => {
  const inner = () => trace("inner", { inputs: {}, state: {}, body: () => ({}) });
  const x = randomTensor([2]);
  assertNoLeak(() => {
    const inGradient = () => tf.grad((y: Tensor) => tf.mul(inner().nodes.length, tf.sum(y)))(x);
    assert.throws(
      inGradient,
      isLuvitError("bad-argument", 'trace "inner": inside another trace or gradient'),
    );
  });
  assert.equal(inner().nodes.length, 0);
  x.dispose();
});

test("a step holds no texts", () => {
  const texts = () => traceOf([[1]], () => tf.tensor(["a"]));
  assert.throws(texts, isLuvitError("bad-argument", "a step cannot hold a string tensor"));
});

test("members of a list are operands of one name, absent operands and attributes are left out", () => {
  const graph = traceOf([[2], [2]], (a, b) => [tf.concat([a, b, a]), tf.addN([a, b]), tf.topk(a, 1).values]);
  const [concat, addN, topK] = graph.nodes;
  const [a, b] = graph.inputs.map(({ value }) => value.id);
  assert.deepEqual([concat.inputNames, concat.inputs], [Array(3).fill(LIST_INPUT), [a, b, a]]);
  assert.deepEqual([addN.inputs.length, addN.inputNames.length], [2, 2]);
  assert.deepEqual(Object.values(topK.attributes), [1, true]);
  const scaled = tf.engine();
  const called = traceOf([[2]], (x) =>
    scaled.runKernel(
      "Sum",
      { x, nothing: undefined } as never,
      { axis: Int32Array.of(0), keepDims: null } as never,
    ),
  );
  assert.deepEqual(called.nodes[0].inputNames, ["x"]);
  assert.deepEqual(called.nodes[0].attributes, { axis: [0], keepDims: false });
});

describe("interpreted", () => {
  test("results are the caller's, also where they are what was fed or one value under two names", () => {
    const graph = trace("same", {
      inputs: { x: { shape: [2] } },
      state: { w: { shape: [2] } },
      body: ({ x }, { w }) => {
        const y = tf.neg(x);
        return { x, y, again: y, w: tf.clone(w) };
      },
    });
    const [x, w] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
    assertNoLeak(() => {
      const results = interpret(optimize(graph), { inputs: { x }, state: { w } });
      results.y.dispose();
      assert.deepEqual([...results.again.dataSync()], [-1, -2]);
      tf.dispose(Object.values(results));
    });
    assert.deepEqual(
      [[...x.dataSync()], [...w.dataSync()]],
      [
        [1, 2],
        [3, 4],
      ],
    );
    tf.dispose([x, w]);
  });

  test("what nobody needs any more is given back on the way, and nothing that was fed", () => {
    let most = 0;
    const before = tf.memory().numTensors;
    const graph = traceOf(
      [[2]],
      (x) => Array.from({ length: 30 }).reduce((y: Tensor) => tf.sin(y), x) as Tensor,
    );
    const x = tf.tensor1d([1, 2]);
    const { runKernel } = tf.engine();
    tf.engine().runKernel = ((...call: Parameters<typeof runKernel>) => {
      most = Math.max(most, tf.memory().numTensors - before);
      return runKernel.apply(tf.engine(), call);
    }) as typeof runKernel;
    try {
      tf.dispose(interpret(graph, { inputs: { x0: x } }));
    } finally {
      Reflect.deleteProperty(tf.engine(), "runKernel");
    }
    assert.ok(most <= 3, `${most} tensors at once`);
    x.dispose();
  });

  test("what is no graph is refused", () => {
    for (const graph of [undefined, {}, { nodes: [] }])
      assert.throws(
        () => interpret(graph as never, { inputs: {} }),
        isLuvitError("bad-argument", "interpret"),
      );
  });

  test("feeds have the type, the rank and the name that the graph says; state too", () => {
    const graph = trace("fed", {
      inputs: { rows: { shape: [2], dtype: "int32" } },
      state: { w: { shape: [1] } },
      body: ({ rows }, { w }) => ({ y: tf.add(tf.cast(rows, "float32"), w) }),
    });
    const [rows, w] = [tf.tensor1d([1, 2], "int32"), tf.tensor1d([1])];
    const refused = (feeds: object) => () => interpret(graph, feeds as never);
    for (const [feeds, words] of [
      [{ inputs: { rows: tf.tensor1d([1, 2]) }, state: { w } }, '"rows" is float32[2], expected int32[2]'],
      [{ inputs: { rows: rows.expandDims() }, state: { w } }, '"rows" is int32[1, 2], expected int32[2]'],
      [{ inputs: { rows } }, '"w" is nothing, expected float32[1]'],
      [{ inputs: { rows }, state: { w: tf.scalar(1) } }, '"w" is float32[], expected float32[1]'],
    ] as const)
      assert.throws(refused(feeds), isLuvitError("bad-argument", `graph "fed": ${words}`));
    const wrong: Graph = {
      ...graph,
      nodes: graph.nodes.map((node) => ({
        ...node,
        outputs: node.outputs.map((y) => ({ ...y, dtype: "int32" })),
      })),
    };
    assert.throws(
      () => interpret(wrong, { inputs: { rows }, state: { w } }),
      isLuvitError("shape-mismatch", "interpret: Cast gave float32[2], the graph says int32[2]"),
    );
  });
});

test("as text: blocks, types, attributes by name, and of long constants the first eight numbers", () => {
  const graph = traceOf([[9]], (x) => {
    const y = inBlock("first", () => tf.mul(x, tf.tensor1d([1, 2, 3, 4, 5, 6, 7, 8, 9])));
    const z = tf.add(tf.slice(y, 1, 8), tf.tensor1d([8, 7, 6, 5, 4, 3, 2, -0]));
    return [
      tf.mul(tf.cast(z, "int32"), tf.fill([8], 3, "int32")),
      tf.engine().runKernel("LeakyRelu", { x }, { zeta: 1, alpha: 2, list: [1, "a"] } as never) as Tensor,
    ];
  });
  const lines = graphText(graph).trimEnd().split("\n");
  assert.deepEqual(
    lines.filter((line) => /^constant/.test(line)),
    ["constant #0 float32[9] = [1,2,3,4,5,6,7,8,…9 numbers]", "constant #1 float32[8] = [8,7,6,5,4,3,2,-0]"],
  );
  assert.deepEqual(
    lines.filter((line) => /Multiply|Leaky|Slice/.test(line)).map((line) => line.replace(/^%\d+ /, "")),
    [
      "float32[9] = Multiply(a=@x0, b=#0) in first",
      "float32[8] = Slice(x=%0) {begin=[1], size=[8]}",
      "int32[8] = Multiply(a=%3, b=%4)".replace(
        "%4",
        lines.find((line) => / Fill/.test(line))!.split(" ")[0],
      ),
      'float32[9] = LeakyRelu(x=@x0) {alpha=2, list=[1,"a"], zeta=1}',
    ],
  );
  const uniform = graphText(optimize(graph)).split("\n");
  assert.ok(uniform.some((line) => / Multiply\(a=%\d+, b=3:int32\[/.test(line)));
});

test("a summary counts what a graph trains, keeps, holds and costs", () => {
  const graph = trace("sums", {
    inputs: { x: { shape: [5, 4] } },
    state: { w: { shape: [4, 3] }, frozen: { shape: [7] } },
    body: ({ x }, { w, frozen }) => {
      const y = tf.matMul(x as tf.Tensor2D, w as unknown as tf.Tensor2D);
      const z = tf.matMul(y, x as tf.Tensor2D, true); // [3, 4]
      const signs = tf.less(z, tf.tensor2d([[1, 2, 3, 4]]));
      return { w: tf.transpose(z), signs, sum: tf.add(tf.sum(frozen), tf.sum(frozen)) };
    },
  });
  const { ops, ...counts } = summarize(graph);
  assert.deepEqual(Object.entries(ops), [
    ["BatchMatMul", 2],
    ["Sum", 2],
    ["Add", 1],
    ["Less", 1],
    ["Transpose", 1],
  ]);
  const results = 4 * (5 * 3 + 3 * 4 + 4 * 3 + 3) + 3 * 4;
  assert.deepEqual(
    { ...counts, peakBytes: 0 },
    {
      nodes: 7,
      matMulFlops: 2 * (5 * 4 * 3) + 2 * (3 * 5 * 4),
      trainedBytes: 4 * 12,
      frozenBytes: 4 * 7,
      constantBytes: 4 * 4,
      resultBytes: results,
      peakBytes: 0,
    },
  );
  const large = {
    ...graph,
    state: graph.state.map((one) => ({ ...one, value: { ...one.value, shape: [250, 1000] } })),
  };
  assert.match(
    summaryText(large),
    /^graph "sums": 7 nodes, .*0\.00 GFLOP\nstate 1\.0 MB trained, 1\.0 MB frozen; /,
  );
});

test("the caller's place is told by the three innermost frames outside of tfjs and the tracer", () => {
  const frames = [
    "Error: x",
    "    at Object.add (/p/node_modules/@tensorflow/tfjs-core/dist/x.js:1:2)",
    "    at Module.runInContext (node:vm:1:1)",
    "    at forward (/p/layer.js:20:7)",
    "    at /p/model.js:120:7",
    "    at async file:///p/step.js:3:4",
    "    at main (/p/main.js:9:9)",
  ];
  const place = atCallSite(frames.join("\n"));
  assert.match(place, /^ at \S*layer\.js:20:7 < \S*model\.js:120:7 < \S*step\.js:3:4$/);
  assert.equal(atCallSite(frames.slice(0, 3).join("\n")), "");
});
