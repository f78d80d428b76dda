import { test } from "node:test";
import type { TfDtype } from "../../../../../src/engine/tensorflow/graphDef";
import { lowerGraph } from "../../../../../src/engine/tensorflow/lower";
import { TfBuilder, type TfValue, waitFor } from "../../../../../src/engine/tensorflow/lower/builder";
import { TfOps, typed } from "../../../../../src/engine/tensorflow/lower/ops";
import { rules } from "../../../../../src/engine/tensorflow/lower/rules";
import { type Products, Scope } from "../../../../../src/engine/tensorflow/lower/scope";
import type { GraphValue } from "../../../../../src/graph/ir";
import { Calls } from "../../../../support/calls";
import { errorText, valueText } from "../../../../support/valueText";
import { tensorflowLines } from "../../lower/loweredLines";
import { GraphWriter } from "../../support";

/*
 * What is approved: what the operators are written as, one by one, and graphs of several ops.
 */

const v = (name: string, shape: readonly number[], dtype: TfDtype = "float32"): TfValue => ({
  name: `${name}:0`,
  shape,
  dtype,
});

class Written extends Calls {
  /** An expression over operators: its value, and the nodes that it added. */
  ops<Ops extends TfBuilder>(ops: Ops, name: string, expression: (ops: Ops) => unknown): void {
    const nodes = ops.nodes.length;
    let result: string;
    try {
      result = `= ${valueText(expression(ops))}`;
    } catch (error) {
      result = `! ${errorText(error)}`;
    }
    this.lines.push(
      `${name} ${result}`,
      ...tensorflowLines(ops.nodes.slice(nodes)).map((line) => `  ${line}`),
    );
  }

  graph(title: string, write: (g: GraphWriter) => Record<string, GraphValue>, ...products: Products[]): void {
    for (const product of products.length > 0 ? products : (["float32"] as const)) {
      const g = new GraphWriter();
      for (const [name, value] of Object.entries(write(g))) g.output(name, value);
      const graph = g.finish();
      const ops = new TfOps();
      const declared = new Map([...graph.inputs, ...graph.state].map(({ name, value }) => [name, value]));
      const halved = (name: string) => product === "bfloat16" && name.startsWith("half");
      const given = (name: string) =>
        v(name, declared.get(name)!.shape, halved(name) ? "bfloat16" : declared.get(name)!.dtype);
      try {
        const outputs = [...lowerGraph(ops, graph, given, product)];
        const out = outputs.map(([name, value]) => `${name} = ${value.name} ${value.dtype}[${value.shape}]`);
        this.lines.push(
          `${title}, ${product}:`,
          ...[...tensorflowLines(ops.nodes), `out ${out.join(", ")}`].map((line) => `  ${line}`),
        );
      } catch (error) {
        this.lines.push(`${title}, ${product} ! ${errorText(error)}`);
      }
    }
  }
}

const [x, y, row, whole, yes] = [
  v("x", [2, 3]),
  v("y", [4, 1, 3]),
  v("row", [3]),
  v("n", [2, 3], "int32"),
  v("c", [2, 3], "bool"),
];

test("what TensorFlow's operators are written as is approved", () => {
  const calls = new Written();
  const ops = new TfOps();
  const of = (name: string, expression: (given: TfOps) => unknown) => calls.ops(ops, name, expression);
  for (const op of ["add", "sub", "mul", "div"] as const) {
    of(`x ${op} y`, (o) => o[op](x, y));
    for (const number of [0, 1, -2]) {
      of(`x ${op} ${number}`, (o) => o[op](x, number));
      of(`${number} ${op} x`, (o) => o[op](o.scalar(number), x));
      of(`${number} ${op} n`, (o) => o[op](o.scalar(number, "int32"), whole));
    }
    of(`x ${op} 0 of more axes`, (o) => o[op](x, { ...v("zero", [1, 1, 1]), number: 0 }));
    of(`n ${op} x`, (o) => o[op](whole, x));
    of(`c ${op} n`, (o) => o[op](yes, whole));
  }
  of("x + y, later", (o) => o.add(x, y, { after: [row] }));
  of("x - row, later", (o) => o.sub(x, row, { after: [y, whole] }));
  of("x y, later", (o) => o.mul(x, y, { after: [row] }));
  of("less", (o) => o.binary("Less", x, row, { dtype: "bool" }));
  of("and", (o) => o.binary("LogicalAnd", yes, yes, { dtype: "bool" }));
  of("sqrt", (o) => o.sqrt(x));
  of("square", (o) => o.square(y));
  of("softmax", (o) => o.softmax(y));
  of("logSoftmax", (o) => o.logSoftmax(y));
  of("unary with attributes, later", (o) =>
    o.unary("LeakyRelu", x, { attributes: { alpha: { float: 0.5 } }, after: [y] }),
  );
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
  for (const op of ["All", "Any", "Max"]) of(op, (o) => o.reduce(op, op === "Max" ? whole : yes, [-2], true));
  of("rowMean", (o) => o.rowMean(y));
  of("rows", (o) => [o.rows(y), o.rows(row)]);
  of("sumRows", (o) => o.sumRows(y));
  of("addRow", (o) => o.addRow(y, row));
  of("addRow of a matrix", (o) => o.addRow(x, row));
  for (const dtype of ["float32", "bfloat16", "int32", "bool"] as const) {
    of(`cast to ${dtype}`, (o) => o.cast(x, dtype));
    of(`cast of 2.5 to ${dtype}`, (o) => o.cast(o.scalar(2.5), dtype));
    of(`cast of 2 int32 to ${dtype}, later`, (o) => o.cast(o.scalar(2, "int32"), dtype, { after: [x] }));
  }
  of("bitcast", (o) => [o.bitcast(whole, "float32"), o.bitcast(x, "float32")]);
  of("bytes", (o) => o.bytesOf(v("words", [5], "int32")));
  of("reshape", (o) => o.reshape(x, [3, 2]));
  of("reshape of it", (o) => o.reshape(o.reshape(x, [3, 2]), [6]));
  of("reshape of both back", (o) => o.reshape(o.reshape(o.reshape(x, [3, 2]), [6]), [2, 3]));
  of("transpose", (o) => o.transpose(y, [2, 0, 1]));
  of("transpose of nothing", (o) => o.transpose(y, [0, 1, 2]));
  of("slice", (o) => o.slice(y, [1, 0, 1], [2, 1, 2]));
  of("slice of all", (o) => o.slice(y, [0, 0, 0], [4, 1, 3]));
  of("strides", (o) => o.stridedSlice(y, [1, 0, 2], [2, 1, -1], [2, 1, 2]));
  of("strides backwards to the first", (o) => o.stridedSlice(y, [3, 0, 2], [-1, 1, -2], [4, 1, 2]));
  of("expand", (o) => o.expand(row, [2, 3]));
  of("expand to ones before", (o) => o.expand(row, [1, 3]));
  of("concat", (o) => o.concat([x, v("z", [2, 5])], -1));
  of("concat of other types", (o) => o.concat([v("h", [1, 3], "bfloat16"), x], 0));
  of("concat of halves", (o) => o.concat([v("h", [1, 3], "bfloat16"), v("i", [2, 3], "bfloat16")], 0));
  of("concat of one", (o) => o.concat([x], 0));
  of("split", (o) => o.split(x, [1, 2], 1));
  of("split in one", (o) => o.split(x, [3], 1));
  of("pad", (o) =>
    o.pad(
      x,
      [
        [1, 0],
        [0, 2],
      ],
      0.5,
    ),
  );
  of("pad of int32", (o) =>
    o.pad(
      whole,
      [
        [0, 0],
        [3, 0],
      ],
      7,
    ),
  );
  of("pad of nothing", (o) =>
    o.pad(
      x,
      [
        [0, 0],
        [0, 0],
      ],
      0.5,
    ),
  );
  calls.note("typed", [typed(x), typed(whole, "Tidx", "Tlen")]);
  calls.note("waitFor", [waitFor("n12:3"), waitFor("n12"), waitFor("")]);
  calls.approve("engine/tensorflow/lower, operators");
});

test("what a builder keeps once and the names of rules are approved", () => {
  const calls = new Written();
  const of = (name: string, expression: (given: TfBuilder) => unknown) => calls.ops(ops, name, expression);
  const ops = new TfBuilder();
  const attributes = { T: { type: "float32" } } as const;
  of("a call", (o) => o.call("Foo", [x, row], [x, row], { attributes }));
  of("the same call", (o) => o.call("Foo", [x, row], [x, row], { attributes }));
  of("the same, later", (o) => o.call("Foo", [x, row], [x, row], { attributes, after: [y] }));
  of("another attribute", (o) => o.make("Foo", [x, row], x, { attributes: { T: { type: "int32" } } }));
  of("no attributes", (o) => o.make("Foo", [x, row], x));
  of("another order", (o) => o.make("Foo", [row, x], x));
  of("nodes with effects", (o) => [
    o.addNode("Assign", ["a:0", "^b"]),
    o.addNode("Assign", ["a:0", "^b"], attributes),
  ]);
  of("integers", (o) => [o.integers([1, 2]), o.integers([1, 2]), o.integers([12]), o.integers([])]);
  of("scalars", (o) => [
    o.scalar(1),
    o.scalar(1),
    o.scalar(1, "int32"),
    o.scalar(1, "bool"),
    o.scalar(-0),
    o.scalar(0),
  ]);
  for (const length of [64, 65])
    of(`${length} numbers twice`, (o) =>
      [0, 1].map(() => o.store([length], "float32", new Float32Array(length).fill(7)).name),
    );
  of("part of a buffer", (o) => o.store([2], "int32", Int32Array.of(9, 1, 2).subarray(1)));
  calls.note("rules", Object.keys(rules).sort().join(" "));
  const g = new GraphWriter();
  const [a, w] = [g.input("a", [2, 2]), g.state("w", [2, 2])];
  const [sum] = g.node("Add", { a, b: w }, [{ shape: [2, 2] }]);
  g.output("sum", sum);
  const scope = new Scope(new TfOps(), g.finish(), "float32");
  calls.note(
    "state before the run",
    [a, w, sum].map(({ id }) => scope.isResident(id)),
  );
  calls.approve("engine/tensorflow/lower, builder");
});

test("what several ops become together is approved", () => {
  const calls = new Written();
  type G = GraphWriter;
  const both = ["float32", "bfloat16"] as const;
  const matmul = (g: G, left: GraphValue, right: GraphValue, shape: number[], flags = {}) =>
    g.node("BatchMatMul", { a: left, b: right }, [{ shape }], {
      transposeA: false,
      transposeB: false,
      ...flags,
    })[0];
  const two = (g: G, w = "w") => [g.input("x", [2, 3]), g.state(w, [3, 4])] as const;
  const one = (g: G, op: string, value: GraphValue, attributes = {}) =>
    g.node(op, { x: value }, [{ shape: value.shape }], attributes)[0];
  calls.graph(
    "a product",
    (g) => {
      const [a, w] = two(g);
      return { y: matmul(g, a, w, [2, 4]) };
    },
    ...both,
  );
  calls.graph(
    "a product with a weight in half",
    (g) => {
      const [a, w] = two(g, "half");
      return { y: matmul(g, a, w, [2, 4]) };
    },
    ...both,
  );
  calls.graph(
    "a product of weights",
    (g) => ({ y: matmul(g, g.state("u", [2, 3]), g.state("w", [3, 4]), [2, 4]) }),
    ...both,
  );
  calls.graph(
    "a product of what was computed",
    (g) => {
      const [a, w] = two(g);
      return { y: matmul(g, one(g, "Exp", a), one(g, "Neg", w), [2, 4]) };
    },
    ...both,
  );
  calls.graph(
    "a linear layer between activations",
    (g) => {
      const [a, w] = two(g);
      const [out] = g.node(
        "LuvitAddRow",
        { x: matmul(g, one(g, "Tanh", a), w, [2, 4]), row: g.state("row", [4]) },
        [{ shape: [2, 4] }],
      );
      return { y: one(g, "Exp", out) };
    },
    ...both,
  );
  calls.graph("rows of several stacks times a matrix", (g) => ({
    y: matmul(g, g.input("x", [5, 2, 3]), g.state("w", [4, 3]), [5, 2, 4], { transposeB: true }),
  }));
  calls.graph("a weight's gradient", (g) => ({
    y: matmul(g, g.input("dy", [1, 6, 4]), g.input("x", [1, 6, 3]), [1, 4, 3], { transposeA: true }),
  }));
  calls.graph(
    "stacks",
    (g) => ({
      y: matmul(g, g.input("a", [2, 1, 4, 3]), g.input("b", [5, 6, 4]), [2, 5, 3, 6], {
        transposeA: true,
        transposeB: true,
      }),
    }),
    ...both,
  );
  calls.graph(
    "attention",
    (g) => {
      const [q, k, w] = [g.input("q", [2, 3, 5, 4]), g.input("k", [2, 3, 6, 4]), g.input("v", [2, 3, 6, 4])];
      const [p] = g.node(
        "Softmax",
        { logits: matmul(g, q, k, [2, 3, 5, 6], { transposeB: true }) },
        [{ shape: [2, 3, 5, 6] }],
        { dim: 3 },
      );
      return { y: matmul(g, p, w, [2, 3, 5, 4]) };
    },
    ...both,
  );
  for (const [activation, operands] of [
    ["LuvitGelu", ["x"]],
    ["LuvitGatedSilu", ["gate", "up"]],
    ["Tanh", ["x"]],
  ] as const)
    calls.graph(
      `a gradient that needs ${activation}`,
      (g) => {
        const made = operands.map(
          (name, i) =>
            [name, matmul(g, g.input(`in${i}`, [6, 3]), g.state(`w${i}`, [3, 4]), [6, 4])] as const,
        );
        const [hidden] = g.node(activation, Object.fromEntries(made), [{ shape: [6, 4] }]);
        const [shaped] = g.node("Reshape", { x: hidden }, [{ shape: [1, 6, 4] }], { shape: [1, 6, 4] });
        return {
          y: matmul(g, hidden, g.state("u", [4, 5]), [6, 5]),
          dw: matmul(g, one(g, "Exp", g.input("dy", [1, 6, 5])), shaped, [1, 5, 4], { transposeA: true }),
        };
      },
      ...both,
    );
  for (const kind of ["Layer", "Rms"] as const)
    calls.graph(`${kind}Norm with its gradients`, (g) => {
      const [a, weight] = [g.input("x", [2, 3, 5]), g.state("w", [5])];
      const more: Record<string, GraphValue> = kind === "Layer" ? { bias: g.state("b", [5]) } : {};
      const [out] = g.node(`Luvit${kind}Norm`, { x: a, weight, ...more }, [{ shape: [2, 3, 5] }], {
        eps: 0.5,
      });
      const dy = one(g, "Exp", out);
      const [dx] = g.node(`Luvit${kind}NormInputGradient`, { x: a, weight, dy }, [{ shape: [2, 3, 5] }], {
        eps: 0.5,
      });
      const [dw] = g.node(`Luvit${kind}NormWeightGradient`, { x: a, dy }, [{ shape: [5] }], { eps: 0.25 });
      return { out, dx, dw };
    });
  calls.graph("what waits for a signal", (g) => {
    const [a, w] = two(g);
    return { y: g.node("LuvitAfter", { x: w, signal: one(g, "Exp", a) }, [{ shape: [3, 4] }])[0] };
  });
  calls.graph("results that are operands, state and constants", (g) => {
    const [a, w] = two(g);
    return {
      a,
      w: one(g, "Neg", w),
      old: w,
      number: g.constant(Float32Array.of(2), [2, 2]),
      numbers: g.constant(Float32Array.of(1, 2), [2]),
    };
  });
  calls.graph("numbers of other types", (g) => ({
    y: g.node("Add", { a: g.input("n", [3], "int32"), b: g.constant(Int32Array.of(2), [3], "int32") }, [
      { shape: [3], dtype: "int32" },
    ])[0],
    z: g.node(
      "Select",
      { condition: g.input("c", [3], "bool"), t: g.constant(Float32Array.of(1), [3]), e: g.input("e", [3]) },
      [{ shape: [3] }],
    )[0],
  }));
  calls.graph("ops without rules", (g) => ({ y: one(g, "Fft", one(g, "Zeta", g.input("x", [2]))) }));
  calls.graph("a condition of lower rank", (g) => ({
    y: g.node(
      "Select",
      { condition: g.input("c", [3], "bool"), t: g.input("t", [2, 3]), e: g.input("e", [2, 3]) },
      [{ shape: [2, 3] }],
    )[0],
  }));
  const windows = { strides: [1, 2], pad: "valid", dilations: 1, dataFormat: "NHWC" };
  calls.graph("windows of each channel that move otherwise down than across", (g) => ({
    y: g.node(
      "DepthwiseConv2dNative",
      { x: g.input("x", [1, 4, 5, 2]), filter: g.input("f", [2, 2, 2, 1]) },
      [{ shape: [1, 3, 2, 2] }],
      windows,
    )[0],
  }));
  calls.graph("the filter's gradient of single places", (g) => ({
    y: g.node(
      "Conv2DBackpropFilter",
      { x: g.input("x", [1, 5, 5, 2]), dy: g.input("dy", [1, 3, 2, 4]) },
      [{ shape: [1, 1, 2, 4] }],
      { strides: [2, 3], pad: "valid", dilations: 1, dataFormat: "NHWC" },
    )[0],
  }));
  calls.approve("engine/tensorflow/lower, graphs");
});
