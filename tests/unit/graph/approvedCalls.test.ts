import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type Graph, graphText, interpret, trace } from "../../../src/graph";
import { atCallSite, TRACE_STACK_DEPTH } from "../../../src/graph/callSite";
import { constantTensor, runNode } from "../../../src/graph/interpret";
import type { GraphConstant } from "../../../src/graph/ir";
import { withLeanGradients } from "../../../src/graph/leanGradients";
import { graphDtypes, LIST_INPUT, Recorder } from "../../../src/graph/recorder";
import { currentBlock, inBlock, withBlockMarks } from "../../../src/graph/scopes";
import { summarize, summaryText, valuesOf } from "../../../src/graph/summary";
import { missingKernel } from "../../../src/graph/traceBackend";
import { compactData, formatValue, sameShape, typedArray, uniformValue } from "../../../src/graph/values";
import "../../../src/nn/ops";
import { GraphCalls, unplaced } from "./graphCalls";

/*
 * What is approved: texts and counts of graphs, and what interpreting them gives.
 */

before(() => startBackend({ backend: "cpu" }));

test("texts, counts and results of graphs are approved", async () => {
  const calls = new GraphCalls();
  const graph = trace("parts", {
    inputs: {
      x: { shape: [2, 3, 4] },
      n: { shape: [2], dtype: "int32" },
      image: { shape: [2, 7, 10, 3] },
      filter: { shape: [3, 2, 3, 5] },
    },
    state: { w: { shape: [4, 5] }, frozen: { shape: [6] }, q: { shape: [2, 4, 3] } },
    body: ({ x, n, image, filter }, { w, q }) => {
      const product = tf.matMul(tf.reshape(x, [6, 4]), w as Tensor as tf.Tensor2D);
      const turned = tf.matMul(x, q as Tensor, true, true);
      const convolved = tf.conv2d(image as tf.Tensor4D, filter as tf.Tensor4D, [2, 3], "same");
      const convolvedBack = tf.conv2dTranspose(
        convolved,
        filter as tf.Tensor4D,
        [2, 7, 10, 3],
        [2, 3],
        "same",
      );
      return {
        loss: tf.add(tf.sum(product), tf.sum(turned)),
        yes: tf.greater(n, 1),
        w: tf.neg(w),
        convolvedBack,
      };
    },
  });
  await calls.of(summarize, graph);
  calls.note("summary in words", summaryText(graph).split("\n"));
  calls.note("values", valuesOf(graph).length);
  calls.note("text", graphText(graph).split("\n"));
  const empty: Graph = { name: "empty", inputs: [], state: [], constants: [], nodes: [], outputs: [] };
  await calls.of(summarize, empty);
  calls.note("summary of none", summaryText(empty).split("\n"));
  calls.note("text of none", graphText(empty));
  const value = (id: number, shape: number[] = [], dtype: "float32" | "int32" | "bool" = "float32") => ({
    id,
    shape,
    dtype,
  });
  const odd: Graph = {
    ...empty,
    constants: [
      { value: value(0), data: Float32Array.of(-0) },
      { value: value(1, [3]), data: Float32Array.of(1 / 3) },
      { value: value(2, [], "int32"), data: Int32Array.of(7) },
      { value: value(3, [8]), data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 0.1) },
      { value: value(4, [9], "bool"), data: Uint8Array.of(1, 0, 0, 1, 0, 0, 1, 0, 1) },
      { value: value(5, [0]), data: new Float32Array(0) },
    ],
    nodes: [
      {
        op: "Odd",
        inputs: [0, 3, 5],
        inputNames: ["b", "a", "c"],
        outputs: [value(9), value(8, [2])],
        attributes: { z: [1, [2]], a: "text", m: null, f: 0.5, t: true },
        block: "blocks.3",
      },
    ],
    outputs: [
      { name: "two", id: 8 },
      { name: "number", id: 1 },
    ],
  };
  calls.graph("constants of all kinds", () => odd);
  calls.note("their summary", summarize(odd));
  for (const other of [undefined, null, { nodes: [] }, "graph"]) {
    await calls.does(`summarize ${JSON.stringify(other)}`, () => summarize(other as never));
    await calls.does(`graphText ${JSON.stringify(other)}`, () => graphText(other as never));
    await calls.does(`interpret ${JSON.stringify(other)}`, () => interpret(other as never, { inputs: {} }));
  }
  calls.title("interpreted");
  const small = trace("small", {
    inputs: { x: { shape: [2, 3] } },
    state: { w: { shape: [3] } },
    body: ({ x }, { w }) => ({
      y: tf.sub(tf.mul(x, w), tf.tensor([1, 2, 3])),
      x,
      w: tf.add(w, 1),
      parts: tf.stack(tf.split(x, 3, 1).reverse()),
    }),
  });
  const [x, w] = [
    tf.tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]),
    tf.tensor([0.5, -1, 2]),
  ];
  const [turned, whole] = [tf.reshape(x, [3, 2]), tf.cast(x, "int32")];
  await calls.does("small", () => interpret(small, { inputs: { x }, state: { w } }));
  await calls.does("without state", () => interpret(small, { inputs: { x } }));
  await calls.does("without inputs", () => interpret(small, { inputs: {}, state: { w } }));
  await calls.does("another shape", () => interpret(small, { inputs: { x: turned }, state: { w } }));
  await calls.does("another type", () => interpret(small, { inputs: { x: whole }, state: { w } }));
  await calls.does("more than it takes", () =>
    interpret(small, { inputs: { x, more: x }, state: { w, other: w } }),
  );
  const wrong = {
    ...small,
    nodes: small.nodes.map((node) => ({
      ...node,
      outputs: node.outputs.map((output) => ({ ...output, shape: [7] })),
    })),
  };
  await calls.does("another shape than the kernel gives", () =>
    interpret(wrong, { inputs: { x }, state: { w } }),
  );
  const given = new Map([
    [0, x],
    [1, w],
  ]);
  const node = {
    op: "Multiply",
    inputs: [0, 1],
    inputNames: ["a", "b"],
    outputs: [value(2, [2, 3])],
    attributes: {},
  };
  await calls.once("one node", () => runNode(node, given));
  calls.note("its result", given.get(2));
  const list = {
    op: "Concat",
    inputs: [1, 1],
    inputNames: [LIST_INPUT, LIST_INPUT],
    outputs: [value(3, [6])],
    attributes: { axis: 0 },
  };
  await calls.once("one of a list", () => runNode(list, given));
  calls.note("its result", given.get(3));
  for (const constant of odd.constants) await calls.of(constantTensor, constant);
  calls.approve("graph/text, summary and interpret");
});

test("values, blocks, places and the recorder's own words are approved", async () => {
  const calls = new GraphCalls();
  calls.note("types", [graphDtypes, LIST_INPUT, TRACE_STACK_DEPTH]);
  for (const dtype of ["float32", "int32", "bool"] as const) {
    await calls.of(typedArray, dtype, dtype === "bool" ? [1, 0, 1] : [1.7, -2.5, 0]);
    await calls.of(typedArray, dtype, [true, false]);
    await calls.of(formatValue, { dtype, shape: [2, 3] });
  }
  await calls.of(formatValue, { dtype: "bool", shape: [] });
  for (const data of [[], [3], [3, 3], [3, 3, 4], [0, -0], [Number.NaN, Number.NaN], [4, 3, 3]])
    await calls.of(compactData, Float32Array.from(data));
  const constant = (shape: number[], ...data: number[]): GraphConstant => ({
    value: { id: 0, shape, dtype: "float32" },
    data: Float32Array.from(data),
  });
  for (const one of [
    constant([], 2),
    constant([2, 3], 2),
    constant([0], 2),
    constant([2], 2, 2),
    constant([0]),
  ])
    await calls.of(uniformValue, one);
  for (const [a, b] of [
    [[], []],
    [
      [2, 3],
      [2, 3],
    ],
    [
      [2, 3],
      [3, 2],
    ],
    [[2], [2, 1]],
    [[2, 1], [2]],
    [[], [1]],
  ])
    await calls.of(sameShape, a, b);
  calls.title("blocks");
  await calls.does("outside a trace", () => [inBlock("a", () => currentBlock()), currentBlock()]);
  await calls.does("inside", () =>
    withBlockMarks(() => {
      const seen = [
        currentBlock(),
        inBlock("a", () => [currentBlock(), inBlock("b", () => currentBlock()), currentBlock()]),
        currentBlock(),
      ];
      try {
        inBlock("a", () => {
          throw new Error("within");
        });
      } catch {
        seen.push(currentBlock());
      }
      return [
        ...seen,
        inBlock("a", () => currentBlock()),
        inBlock("b", () => currentBlock()),
        currentBlock(),
      ];
    }),
  );
  await calls.does("a body that throws", () =>
    withBlockMarks(() => {
      throw new Error("within");
    }),
  );
  await calls.does("afterwards", () => inBlock("a", () => currentBlock()));
  calls.title("places");
  const here = process.cwd();
  const machinery = join(__dirname, "..", "..", "..", "src", "graph", "trace.js");
  const frames = (...places: string[]) =>
    ["Error: at nothing:1:2", ...places.map((place) => `    at ${place}`)].join("\n");
  for (const [title, stack] of Object.entries({
    "three of four": frames(
      `f (${here}/src/a.ts:1:2)`,
      `g (${here}/b.ts:33:4)`,
      `${here}/c.ts:5:6`,
      `${here}/d.ts:7:8`,
    ),
    "a file's address": frames(`file://${here}/m.mjs:1:2`, `async Promise.all (index 0)`),
    "machinery only": frames(
      `run (${machinery}:1:2)`,
      `x (${here}/node_modules/@tensorflow/tfjs-core/dist/engine.js:1:2)`,
      "node:internal/modules/cjs/loader:1:2",
      "new Promise (<anonymous>)",
      `tidy (${here}/src/core/tf.js:3:4)`,
    ),
    "other packages": frames(`x (${here}/node_modules/other/index.js:1:2)`),
    "machinery between": frames(`run (${machinery}:1:2)`, `mine (${here}/mine.ts:9:9)`),
    none: "",
  }))
    await calls.does(title, () => atCallSite(stack));
  calls.title("kernels that are missing");
  for (const message of [
    "Kernel 'Fft' not registered for backend 'luvit-trace'",
    "Kernel 'Fft' not registered for backend 'cpu'",
    "about Kernel 'Fft' not registered for backend 'luvit-trace'",
  ])
    await calls.does(message, () => missingKernel(new Error(message)));
  await calls.does("no error", () => missingKernel("Kernel 'Fft' not registered for backend 'luvit-trace'"));
  calls.title("gradients");
  const had = tf.getGradient("Tile");
  await calls.does("of tiles in the body", () => withLeanGradients(() => tf.getGradient("Tile") === had));
  await calls.does("of a tile", () =>
    withLeanGradients(() =>
      tf.tidy(() =>
        tf.grad((x) => tf.sum(tf.mul(tf.tile(x, [2, 3]), tf.range(0, 24).reshape([4, 6]))))(
          tf.tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
      ),
    ),
  );
  await calls.does("of a body that throws", () =>
    withLeanGradients(() => {
      throw new Error("within");
    }),
  );
  calls.note("afterwards as before", tf.getGradient("Tile")?.gradFunc === had?.gradFunc);
  calls.title("the recorder");
  const recorder = new Recorder("own");
  const [a, b] = [{}, {}];
  await calls.once("declare", () => recorder.declare(a, { shape: [2], dtype: "int32" }, "a"));
  await calls.once("constant", () => recorder.addConstant(b, [5, 5], { shape: [2], dtype: "float32" }));
  const info = (dataId: object) => ({ dataId, shape: [2], dtype: "float32" as const });
  const given = {
    typed: Int32Array.of(1, 2),
    nested: [[1], Float32Array.of(0.5)],
    absent: undefined,
    none: null,
    zero: 0,
  };
  const [sum] = recorder.addNode("Add", { a: info(a), b: info(b) } as never, given);
  calls.note("node", sum);
  await calls.once("node of a list", () => recorder.addNode("Concat", [info(a), info(b)], { axis: -1 }));
  await calls.once("node with an operand left out", () =>
    recorder.addNode("Prelu", { x: info(b), alpha: undefined } as never, {}),
  );
  await calls.does("what a constant stands for", () => recorder.valueOf(info(b), "b"));
  await calls.once("rebind", () => recorder.rebind(a, info(b)));
  await calls.does("what it stands for now", () => recorder.valueOf(info(a), "a"));
  await calls.does("of a stranger", () =>
    unplaced(() => recorder.valueOf({ ...info({}), shape: [2, 3] }, "it")),
  );
  await calls.does("read", () =>
    [a, b, sum.dataId, {}].map((id) => {
      try {
        return unplaced(() => {
          throw recorder.readError(id);
        });
      } catch (error) {
        return (error as Error).message;
      }
    }),
  );
  await calls.does("an op of strangers", () =>
    unplaced(() => recorder.addNode("Add", { a: info({}), b: info(b) } as never, {})),
  );
  await calls.does("an op that does not fit", () =>
    unplaced(() => recorder.addNode("BatchMatMul", { a: info(a), b: info(b) } as never, {})),
  );
  calls.note("nodes", recorder.nodes);
  calls.note("constants", recorder.constants);
  calls.approve("graph/values, scopes and recorder");
});
