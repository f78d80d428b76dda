import { test } from "node:test";
import { int8Inputs } from "../../../../../src/engine/onnx/int8/weights";
import { lowerGraph, type Target } from "../../../../../src/engine/onnx/lower";
import { OnnxBuilder, type OnnxValue } from "../../../../../src/engine/onnx/lower/builder";
import { windowAttributes } from "../../../../../src/engine/onnx/lower/convolutions";
import { int8Product } from "../../../../../src/engine/onnx/lower/int8";
import { OnnxOps } from "../../../../../src/engine/onnx/lower/ops";
import { rules } from "../../../../../src/engine/onnx/lower/rules";
import { inRunOrder } from "../../../../../src/engine/onnx/lower/runOrder";
import { Scope } from "../../../../../src/engine/onnx/lower/scope";
import { spreadConvolution } from "../../../../../src/engine/onnx/lower/webgpu/convolutions";
import { WebgpuOps } from "../../../../../src/engine/onnx/lower/webgpu/ops";
import { webgpuRules } from "../../../../../src/engine/onnx/lower/webgpu/rules";
import { cosine, sine } from "../../../../../src/engine/onnx/lower/webgpu/trigonometry";
import type { OnnxDtype } from "../../../../../src/engine/onnx/model";
import type { Graph, GraphValue } from "../../../../../src/graph/ir";
import { slidingWindows } from "../../../../../src/graph/shapes/windows";
import { Calls } from "../../../../support/calls";
import { errorText, valueText } from "../../../../support/valueText";
import { onnxLines, onnxNode } from "../../lower/loweredLines";
import { GraphWriter } from "../../support";

/*
 * What is approved: what the operators are written as, one by one, and graphs of several ops that become one.
 */

const v = (name: string, shape: readonly number[], dtype: OnnxDtype = "float32"): OnnxValue => ({
  name,
  shape,
  dtype,
});

class Written extends Calls {
  /** An expression over operators: its value, and the nodes and numbers that it added. */
  ops<Ops extends OnnxBuilder>(ops: Ops, name: string, expression: (ops: Ops) => unknown): void {
    const nodes = ops.nodes.length;
    const stored = ops.initializers.size;
    let result: string;
    try {
      result = `= ${valueText(expression(ops))}`;
    } catch (error) {
      result = `! ${errorText(error)}`;
    }
    this.lines.push(`${name} ${result}`);
    for (const [key, { dtype, shape, data }] of [...ops.initializers].slice(stored))
      this.lines.push(`  ${key} ${dtype}[${shape}] = ${valueText(Array.from(data, Number))}`);
    for (const node of ops.nodes.slice(nodes)) this.lines.push(`  ${onnxNode(node)}`);
  }

  graph(title: string, write: (g: GraphWriter) => Record<string, GraphValue>, ...targets: Target[]): void {
    for (const target of targets.length > 0 ? targets : [{}]) {
      const g = new GraphWriter();
      for (const [name, value] of Object.entries(write(g))) g.output(name, value);
      this.lowered(`${title} ${valueText(target)}`, g.finish(), target);
    }
  }

  lowered(title: string, graph: Graph, target: Target): void {
    try {
      const { model, outputNames } = lowerGraph(graph, target);
      this.lines.push(
        `${title}: ${model.name}, ${valueText(outputNames)}`,
        ...onnxLines(model).map((line) => `  ${line}`),
      );
    } catch (error) {
      this.lines.push(`${title} ! ${errorText(error)}`);
    }
  }
}

const [x, y, row, whole] = [v("x", [2, 3]), v("y", [4, 1, 3]), v("row", [3]), v("n", [2, 3], "int32")];

for (const [title, make] of [
  ["CPU", () => new OnnxOps()],
  ["WebGPU", () => new WebgpuOps()],
] as const)
  test(`what the operators for the ${title} are written as is approved`, () => {
    const calls = new Written();
    const ops = make();
    const of = (name: string, expression: (given: OnnxOps) => unknown) => calls.ops(ops, name, expression);
    calls.note("about", [ops.engine, ops.advice, ops.givesInverseRms]);
    for (const op of ["add", "sub", "mul", "div"] as const) {
      of(`x ${op} y`, (o) => o[op](x, y));
      for (const number of [0, 1, -2]) {
        of(`x ${op} ${number}`, (o) => o[op](x, number));
        of(`${number} ${op} x`, (o) => o[op](o.scalar(number), x));
        of(`${number} ${op} n`, (o) => o[op](o.scalar(number, "int32"), whole));
      }
      of(`x ${op} 0 of more axes`, (o) => o[op](x, { ...v("zero", [1, 1, 1]), number: 0 }));
    }
    of("scalar float16", (o) => o.scalar(0.1, "float16"));
    of("scalar bool", (o) => o.scalar(1, "bool"));
    of("scalar int64", (o) => o.scalar(-3, "int64"));
    of("x + y again", (o) => o.add(x, y));
    of("sqrt", (o) => o.sqrt(x));
    of("rsqrt", (o) => o.rsqrt(x));
    of("square", (o) => o.square(y));
    of("sign", (o) => o.sign(whole));
    of("sign of floats", (o) => o.sign(x));
    of("remainder", (o) => o.wholeRemainder(whole, v("m", [3], "int32")));
    of("softmax", (o) => o.softmax(y));
    of("logSoftmax", (o) => o.logSoftmax(y));
    of("equal", (o) => o.compare("Equal", whole, 3));
    of("less", (o) => o.compare("Less", x, row));
    of("where", (o) => o.where(v("c", [4, 1, 1], "bool"), x, row));
    for (const [axes, keep] of [
      [[-1], false],
      [[0, 2], true],
      [[1], false],
      [[1], true],
      [[], false],
      [[0, 1, 2], false],
    ] as const) {
      of(`sum ${valueText(axes)} ${keep}`, (o) => o.sum(y, axes, keep));
      of(`mean ${valueText(axes)} ${keep}`, (o) => o.mean(y, axes, keep));
    }
    of("max", (o) => o.reduce("ReduceMax", whole, [-2], true));
    of("rowMean", (o) => o.rowMean(y));
    of("rows", (o) => o.rows(y));
    of("rows of a row", (o) => o.rows(row));
    of("sumRows", (o) => o.sumRows(y));
    of("sumRows of a row", (o) => o.sumRows(row));
    of("filled", (o) => [
      o.filled([2, 2], 3),
      o.filled([2, 2], 3),
      o.filled([2, 2], 3, "uint8"),
      o.filled([100], 0.5),
    ]);
    of("filled again", (o) => o.filled([100], 0.5));
    for (const dtype of ["float32", "float16", "int64", "bool", "uint8"] as const) {
      of(`cast to ${dtype}`, (o) => o.cast(x, dtype));
      of(`cast of 2.5 to ${dtype}`, (o) => o.cast(o.scalar(2.5), dtype));
      of(`cast of 2 int32 to ${dtype}`, (o) => o.cast(o.scalar(2, "int32"), dtype));
    }
    of("reshape", (o) => o.reshape(x, [3, 2]));
    of("reshape of it", (o) => o.reshape(o.reshape(x, [3, 2]), [6]));
    of("reshape of both back", (o) => o.reshape(o.reshape(o.reshape(x, [3, 2]), [6]), [2, 3]));
    of("transpose", (o) => o.transpose(y, [2, 0, 1]));
    of("transpose of nothing", (o) => o.transpose(y, [0, 1, 2]));
    of("slice", (o) => o.slice(y, [1, 0, 1], [2, 1, 2]));
    of("slice of one axis", (o) => o.slice(y, [0, 0, 1], [4, 1, 2]));
    of("slice of all", (o) => o.slice(y, [0, 0, 0], [4, 1, 3]));
    of("every second", (o) => o.sliceAlong(y, { axis: 0, start: 1, step: 2, length: 2 }));
    of("the first ones", (o) => o.sliceAlong(y, { axis: 0, start: 0, step: 1, length: 3 }));
    of("all of them", (o) => o.sliceAlong(y, { axis: 0, start: 0, step: 1, length: 4 }));
    of("backwards to the first", (o) => o.sliceAlong(y, { axis: 0, start: 3, step: -1, length: 4 }));
    of("backwards to the second", (o) => o.sliceAlong(y, { axis: 0, start: 3, step: -1, length: 3 }));
    of("backwards by two", (o) => o.sliceAlong(y, { axis: 2, start: 2, step: -2, length: 2 }));
    of("gather", (o) => o.gather(y, [2, 0, 0], 2));
    of("expand", (o) => o.expand(row, [2, 3]));
    of("expand to ones before", (o) => o.expand(row, [1, 3]));
    of("expand to itself", (o) => o.expand(x, [2, 3]));
    of("concat", (o) => o.concat([x, v("z", [2, 5])], -1));
    of("concat of rows", (o) => o.concat([x, v("z", [5, 3]), x], 0));
    of("concat of one", (o) => o.concat([x], 0));
    of("split", (o) => o.split(x, [1, 2], 1));
    of("split in one", (o) => o.split(x, [3], 1));
    const operand = (value: OnnxValue, transposed: boolean) => ({ value, transposed });
    const type = { shape: [2, 4, 6], dtype: "float32" } as const;
    for (const [a, b] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ])
      of(`product ${a} ${b}`, (o) =>
        o.fusedProduct(
          operand(v("a", a ? [2, 5, 4] : [2, 4, 5]), a),
          operand(v("b", b ? [2, 6, 5] : [2, 5, 6]), b),
          a ? 0.5 : 1,
          type,
        ),
      );
    of("Sin", (o) => sine(o, x));
    of("Cos", (o) => cosine(o, x));
    const weight = Object.fromEntries(
      Object.entries(int8Inputs({ name: "w", value: { id: 0, shape: [5, 3], dtype: "float32" } })),
    );
    of("product in eight bits", (o) => int8Product(o, x, weight as never, true));
    of("its gradient", (o) => int8Product(o, v("dy", [2, 5]), weight as never, false));
    const windows = slidingWindows([2, 5, 7, 3], [2, 3], { strides: [1, 2], pad: "same" });
    calls.note("windows", windowAttributes(windows));
    of("spread", (o) => spreadConvolution(o, v("dy", [2, 6, 5, 4]), v("filter", [6, 2, 2, 3]), windows, 3));
    calls.approve(`engine/onnx/lower, operators for the ${title}`);
  });

test("what a builder keeps once, the order of nodes and the names of rules are approved", async () => {
  const calls = new Written();
  const ops = new OnnxBuilder();
  const of = (name: string, expression: (given: OnnxBuilder) => unknown) => calls.ops(ops, name, expression);
  of("a call", (o) =>
    o.call(
      "Foo",
      [x, undefined, row],
      [x, row],
      { a: 1, b: [2, 3], c: { float: 1 }, d: "e" },
      "com.microsoft",
    ),
  );
  of("the same call", (o) =>
    o.call(
      "Foo",
      [x, undefined, row],
      [x, row],
      { a: 1, b: [2, 3], c: { float: 1 }, d: "e" },
      "com.microsoft",
    ),
  );
  of("the same with fewer results", (o) =>
    o.call("Foo", [x, undefined, row], [x], { a: 1, b: [2, 3], c: { float: 1 }, d: "e" }, "com.microsoft"),
  );
  of("the same with more results", (o) =>
    o.call(
      "Foo",
      [x, undefined, row],
      [x, row, y],
      { a: 1, b: [2, 3], c: { float: 1 }, d: "e" },
      "com.microsoft",
    ),
  );
  of("another domain", (o) =>
    o.make("Foo", [x, undefined, row], x, { a: 1, b: [2, 3], c: { float: 1 }, d: "e" }),
  );
  of("another attribute", (o) => o.make("Foo", [x, undefined, row], x, { a: 2 }));
  of("another order", (o) => o.make("Foo", [row, undefined, x], x, { a: 2 }));
  of("no attributes", (o) => o.make("Bar", [x], row));
  of("integers", (o) => [o.integers([1, 2]), o.integers([1, 2]), o.integers([12]), o.integers([])]);
  of("scalars", (o) => [
    o.scalar(1),
    o.scalar(1),
    o.scalar(1, "int32"),
    o.scalar(1, "uint8"),
    o.scalar(-0),
    o.scalar(0),
  ]);
  for (const length of [64, 65])
    of(`${length} numbers twice`, (o) =>
      [0, 1].map(() => o.store([length], "float32", new Float32Array(length).fill(7)).name),
    );
  const node = (name: string, inputs: string[], outputs: string[]) => ({
    op: name,
    domain: "",
    inputs,
    outputs,
    attributes: {},
  });
  const order = (...nodes: ReturnType<typeof node>[]) =>
    inRunOrder(nodes)
      .map(({ op }) => op)
      .join(" ");
  await calls.does("ends come last, the first last", () =>
    order(
      node("a", ["x"], ["1"]),
      node("end1", ["1"], ["2"]),
      node("b", ["1"], ["3"]),
      node("end2", ["3"], ["4"]),
      node("c", ["3"], ["5", "6"]),
      node("end3", ["6"], ["7"]),
    ),
  );
  await calls.does("results without names", () =>
    order(node("a", [""], ["1", ""]), node("b", ["1"], ["", "2"]), node("c", ["2"], ["3"])),
  );
  await calls.does("no nodes", () => order());
  calls.note("rules", Object.keys(rules).sort().join(" "));
  calls.note(
    "not on WebGPU",
    Object.keys(rules).filter((op) => !Object.hasOwn(webgpuRules, op)),
  );
  calls.note(
    "otherwise on WebGPU",
    Object.keys(rules).filter((op) => webgpuRules[op] && webgpuRules[op] !== rules[op]),
  );
  const g = new GraphWriter();
  const a = g.input("a", [2, 2]);
  const [squared] = g.node("Square", { x: a }, [{ shape: [2, 2] }]);
  const [sum] = g.node("Add", { a: squared, b: squared }, [{ shape: [2, 2] }]);
  g.output("sum", sum);
  g.output("squared", squared);
  const scope = new Scope(new OnnxOps(), g.finish(), "float32");
  calls.note(
    "uses",
    [a, squared, sum, { id: 99 }].map(({ id }) => scope.usesOf(id)),
  );
  calls.note(
    "producers",
    [a, squared, sum].map(({ id }) => scope.producerOf(id)?.op),
  );
  calls.approve("engine/onnx/lower, builder and order");
});

test("what several ops become together is approved", () => {
  const calls = new Written();
  type G = GraphWriter;
  const matmul = (g: G, left: GraphValue, right: GraphValue, shape: number[], flags = {}) =>
    g.node("BatchMatMul", { a: left, b: right }, [{ shape }], {
      transposeA: false,
      transposeB: false,
      ...flags,
    })[0];
  const times = (g: G, value: GraphValue, number: number, side: "a" | "b" = "b") => {
    const constant = g.constant(Float32Array.of(number), []);
    const operands = side === "b" ? { a: value, b: constant } : { a: constant, b: value };
    return g.node("Multiply", operands, [{ shape: value.shape }])[0];
  };
  const two = (g: G) => [g.input("x", [2, 3]), g.state("w", [3, 4])] as const;
  calls.graph("(a b) 2", (g) => {
    const [a, w] = two(g);
    return { y: times(g, matmul(g, a, w, [2, 4]), 2) };
  });
  calls.graph("2 (a b)", (g) => {
    const [a, w] = two(g);
    return { y: times(g, matmul(g, a, w, [2, 4]), 2, "a") };
  });
  calls.graph("(a b) 2, where a b is used otherwise too", (g) => {
    const [a, w] = two(g);
    const p = matmul(g, a, w, [2, 4]);
    return { y: times(g, p, 2), p };
  });
  calls.graph("(3 a)(b 0.5)", (g) => {
    const [a, w] = two(g);
    return { y: matmul(g, times(g, a, 3, "a"), times(g, w, 0.5), [2, 4]) };
  });
  calls.graph("((3 a)(b 0.5)) 4", (g) => {
    const [a, w] = two(g);
    return { y: times(g, matmul(g, times(g, a, 3), times(g, w, 0.5, "a"), [2, 4]), 4) };
  });
  calls.graph("a number over more axes", (g) => {
    const [a, w] = two(g);
    const wide = g.node("Multiply", { a, b: g.constant(Float32Array.of(3), [5, 2, 3]) }, [
      { shape: [5, 2, 3] },
    ])[0];
    return { y: matmul(g, wide, w, [5, 2, 4]) };
  });
  calls.graph("a b times rows", (g) => {
    const [a, w] = two(g);
    return {
      y: g.node("Multiply", { a: matmul(g, a, w, [2, 4]), b: g.input("f", [4]) }, [{ shape: [2, 4] }])[0],
    };
  });
  calls.graph(
    "a linear layer",
    (g) => {
      const [a, w] = two(g);
      return {
        y: g.node("LuvitAddRow", { x: matmul(g, a, w, [2, 4]), row: g.state("row", [4]) }, [
          { shape: [2, 4] },
        ])[0],
      };
    },
    {},
    { provider: "webgpu", products: "float16", halved: new Set(["w"]) },
  );
  calls.graph("a linear layer whose product is used too", (g) => {
    const [a, w] = two(g);
    const p = matmul(g, a, w, [2, 4]);
    return { y: g.node("LuvitAddRow", { x: p, row: g.state("row", [4]) }, [{ shape: [2, 4] }])[0], p };
  });
  calls.graph("a row added to stacks of products", (g) => ({
    y: g.node(
      "LuvitAddRow",
      { x: matmul(g, g.input("x", [5, 2, 3]), g.input("z", [5, 3, 4]), [5, 2, 4]), row: g.state("row", [4]) },
      [{ shape: [5, 2, 4] }],
    )[0],
  }));
  calls.graph("a weight's gradient", (g) => ({
    y: matmul(g, g.input("dy", [1, 6, 4]), g.input("x", [1, 6, 3]), [1, 4, 3], { transposeA: true }),
  }));
  calls.graph("rows of several stacks times a matrix", (g) => ({
    y: matmul(g, g.input("x", [5, 2, 3]), g.state("w", [4, 3]), [5, 2, 4], { transposeB: true }),
  }));
  calls.graph(
    "attention",
    (g) => {
      const [q, k, w] = [g.input("q", [2, 3, 5, 4]), g.input("k", [2, 3, 6, 4]), g.input("v", [2, 3, 6, 4])];
      const [p] = g.node(
        "Softmax",
        { logits: times(g, matmul(g, q, k, [2, 3, 5, 6], { transposeB: true }), 0.5) },
        [{ shape: [2, 3, 5, 6] }],
        { dim: 3 },
      );
      return { y: matmul(g, p, w, [2, 3, 5, 4]) };
    },
    {},
    { provider: "webgpu" },
    { provider: "webgpu", products: "float16" },
  );
  const int8 = { int8: new Set(["w"]) };
  const eight = (g: G) => [g.input("x", [2, 40]), g.state("w", [50, 40])] as const;
  calls.graph(
    "a product in eight bits",
    (g) => {
      const [a, w] = eight(g);
      return { y: matmul(g, a, w, [2, 50], { transposeB: true }) };
    },
    int8,
  );
  calls.graph(
    "a linear layer in eight bits, times 2",
    (g) => {
      const [a, w] = eight(g);
      const p = matmul(g, a, w, [2, 50], { transposeB: true });
      return {
        y: g.node("LuvitAddRow", { x: p, row: g.state("row", [50]) }, [{ shape: [2, 50] }])[0],
        z: times(g, matmul(g, a, w, [2, 50], { transposeB: true }), 2),
      };
    },
    int8,
  );
  calls.graph(
    "both products in eight bits",
    (g) => {
      const [a, w] = eight(g);
      return {
        y: matmul(g, a, w, [2, 50], { transposeB: true }),
        dx: matmul(g, g.input("dy", [2, 50]), w, [2, 40]),
      };
    },
    int8,
  );
  const norm = (g: G, kind: "Layer" | "Rms", eps = 0.5) => {
    const [a, weight] = [g.input("x", [2, 3, 5]), g.state("w", [5])];
    const more: Record<string, GraphValue> = kind === "Layer" ? { bias: g.state("b", [5]) } : {};
    const attributes = { eps };
    const [out] = g.node(`Luvit${kind}Norm`, { x: a, weight, ...more }, [{ shape: [2, 3, 5] }], attributes);
    const dy = g.input("dy", [2, 3, 5]);
    const [dx] = g.node(
      `Luvit${kind}NormInputGradient`,
      { x: a, weight, dy },
      [{ shape: [2, 3, 5] }],
      attributes,
    );
    const [dw] = g.node(`Luvit${kind}NormWeightGradient`, { x: a, dy }, [{ shape: [5] }], {
      eps: kind === "Layer" ? eps : 0.25,
    });
    return { out, dx, dw };
  };
  calls.graph("LayerNorm with its gradients", (g) => norm(g, "Layer"), {}, { provider: "webgpu" });
  calls.graph(
    "RMSNorm with its gradients, one of another eps",
    (g) => norm(g, "Rms"),
    {},
    { provider: "webgpu" },
  );
  calls.graph("results that are operands, state and constants", (g) => {
    const [a, w] = two(g);
    const [negative] = g.node("Neg", { x: w }, [{ shape: [3, 4] }]);
    return {
      a,
      again: a,
      w: negative,
      old: w,
      number: g.constant(Float32Array.of(2), [2, 2]),
      numbers: g.constant(Float32Array.of(1, 2), [2]),
    };
  });
  calls.graph("one of several parts", (g) => ({
    y: g.node("SplitV", { x: g.input("x", [3, 2]) }, [{ shape: [1, 2] }, { shape: [2, 2] }], {
      numOrSizeSplits: [1, 2],
      axis: 0,
    })[1],
    z: g.node("TopK", { x: g.input("v", [4]) }, [{ shape: [2] }, { shape: [2], dtype: "int32" }], {
      k: 2,
      sorted: true,
    })[0],
  }));
  calls.graph("what nothing needs", (g) => {
    const [a, w] = two(g);
    matmul(g, a, w, [2, 4]);
    g.state("unused", [3]);
    return { y: g.node("Exp", { x: a }, [{ shape: [2, 3] }])[0] };
  });
  calls.graph(
    "ops without rules",
    (g) => ({
      y: g.node("Fft", { x: g.node("Zeta", { x: g.input("x", [2]) }, [{ shape: [2] }])[0] }, [
        { shape: [2] },
      ])[0],
    }),
    {},
    { provider: "webgpu" },
  );
  calls.graph("a condition of lower rank", (g) => ({
    y: g.node(
      "Select",
      { condition: g.input("c", [3], "bool"), t: g.input("t", [2, 3]), e: g.input("e", [2, 3]) },
      [{ shape: [2, 3] }],
    )[0],
  }));
  calls.graph("a look-up of batches along another axis", (g) => ({
    y: g.node(
      "GatherV2",
      { x: g.input("x", [2, 3, 4]), indices: g.input("n", [2, 5], "int32") },
      [{ shape: [2, 3, 5] }],
      { axis: 2, batchDims: 1 },
    )[0],
  }));
  calls.graph("an operand that the trace does not have", (g) => ({
    y: g.node("LuvitGelu", { z: g.input("x", [2]) }, [{ shape: [2] }])[0],
  }));
  const moves = { dilations: 1, dataFormat: "NHWC" };
  for (const [batch, strides, pad] of [
    [16, 1, "same"],
    [64, [2, 1], "valid"],
    [300, 1, "valid"],
  ] as const)
    calls.graph(`a filter's gradient of ${batch} images`, (g) => {
      const [rows, columns] = pad === "same" ? [32, 32] : [typeof strides === "number" ? 30 : 15, 30];
      const [x, dy] = [g.input("x", [batch, 32, 32, 8]), g.input("dy", [batch, rows, columns, 5])];
      const attributes = { strides, pad, ...moves };
      return { y: g.node("Conv2DBackpropFilter", { x, dy }, [{ shape: [3, 3, 8, 5] }], attributes)[0] };
    });
  calls.approve("engine/onnx/lower, graphs");
});
