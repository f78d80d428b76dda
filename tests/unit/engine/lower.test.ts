import assert from "node:assert/strict";
import { test } from "node:test";
import { lowerGraph } from "../../../src/engine/onnx/lower";
import type { OnnxNode } from "../../../src/engine/onnx/model";
import { GraphWriter } from "./support";

const plain = { transposeA: false, transposeB: false };

function nodesOf(g: GraphWriter): readonly OnnxNode[] {
  return lowerGraph(g.finish()).model.nodes;
}

const opsOf = (g: GraphWriter) => nodesOf(g).map(({ op }) => op);

/** (a scaled) times w, as one node each; the caller says what becomes of it. */
function product(g: GraphWriter, shape: number[], attributes = plain) {
  const [a, b] = [g.input("a", shape), g.input("b", shape)];
  const rows = shape.slice(0, -1);
  const [y] = g.node("BatchMatMul", { a, b }, [{ shape: [...rows, rows.at(-1)!] }], attributes);
  return { a, b, y };
}

test("a linear layer is one Gemm that takes weight and bias as they lie", () => {
  const g = new GraphWriter();
  const [x, weight, bias] = [g.input("x", [4, 3]), g.state("weight", [5, 3]), g.state("bias", [5])];
  const [flat] = g.node("BatchMatMul", { a: x, b: weight }, [{ shape: [4, 5] }], {
    transposeA: false,
    transposeB: true,
  });
  const [sum] = g.node("LuvitAddRow", { x: flat, row: bias }, [{ shape: [4, 5] }]);
  g.output("y", sum);
  const [gemm, ...more] = nodesOf(g);
  assert.deepEqual(more, []);
  assert.deepEqual([gemm.op, gemm.inputs, gemm.outputs], ["Gemm", ["x", "weight", "bias"], ["y'"]]);
  assert.deepEqual([gemm.attributes.transA, gemm.attributes.transB], [0, 1]);
});

test("a product that something else needs as well is not swallowed by the row added to it", () => {
  const g = new GraphWriter();
  const { y } = product(g, [4, 4]);
  g.output("sum", g.node("LuvitAddRow", { x: y, row: g.input("row", [4]) }, [{ shape: [4, 4] }])[0]);
  g.output("product", y);
  assert.deepEqual(opsOf(g), ["Gemm", "Add"]);
});

test("numbers multiplied to a product or to its operands become its alpha", () => {
  const g = new GraphWriter();
  const shape = [2, 4, 4];
  const [q, k] = [g.input("q", shape), g.input("k", shape)];
  const half = g.constant(Float32Array.of(0.5), []);
  const quarter = g.constant(Float32Array.of(0.25), shape);
  const [scaled] = g.node("Multiply", { a: q, b: half }, [{ shape }]);
  const [scores] = g.node("BatchMatMul", { a: scaled, b: k }, [{ shape }], {
    transposeA: false,
    transposeB: true,
  });
  g.output("scores", g.node("Multiply", { a: quarter, b: scores }, [{ shape }])[0]);
  const [fused, ...more] = nodesOf(g);
  assert.deepEqual(more, []);
  assert.deepEqual([fused.op, fused.domain, fused.inputs], ["FusedMatMul", "com.microsoft", ["q", "k"]]);
  assert.deepEqual(fused.attributes.alpha, { float: 0.125 });
});

test("uniform constants are single numbers, and neutral ones are not there", () => {
  const g = new GraphWriter();
  const x = g.input("x", [64, 64]);
  const full = (number: number) => g.constant(new Float32Array(64 * 64).fill(number), [64, 64]);
  const [same] = g.node("Multiply", { a: x, b: full(1) }, [{ shape: [64, 64] }]);
  const [still] = g.node("Add", { a: full(0), b: same }, [{ shape: [64, 64] }]);
  g.output("y", g.node("Add", { a: still, b: full(3) }, [{ shape: [64, 64] }])[0]);
  const { model } = lowerGraph(g.finish());
  assert.deepEqual(
    model.nodes.map(({ op, inputs }) => [op, inputs[0]]),
    [["Add", "x"]],
  );
  assert.deepEqual(
    model.initializers.map(({ shape, data }) => [shape, [...data]]),
    [[[], [3]]],
  );
});

test("the gradients of a LayerNorm take the statistics its forward operator made", () => {
  const g = new GraphWriter();
  const [x, dy] = [g.input("x", [4, 6]), g.input("dy", [4, 6])];
  const [weight, bias] = [g.state("weight", [6]), g.state("bias", [6])];
  const eps = { eps: 1e-6 };
  g.output("y", g.node("LuvitLayerNorm", { x, weight, bias }, [{ shape: [4, 6] }], eps)[0]);
  g.output("dw", g.node("LuvitLayerNormWeightGradient", { x, dy }, [{ shape: [6] }], eps)[0]);
  assert.deepEqual(opsOf(g), ["LayerNormalization", "Sub", "Mul", "Mul", "MatMul", "Reshape"]);
});

test("copies and what nothing needs are left out, with the inputs only they need", () => {
  const g = new GraphWriter();
  const [x, unused] = [g.input("x", [2, 3]), g.state("unused", [3])];
  g.node("Exp", { x: unused }, [{ shape: [3] }]);
  const [copy] = g.node("Identity", { x }, [{ shape: [2, 3] }]);
  const [same] = g.node("Reshape", { x: copy }, [{ shape: [2, 3] }], { shape: [2, 3] });
  g.output("y", g.node("Neg", { x: same }, [{ shape: [2, 3] }])[0]);
  const { model } = lowerGraph(g.finish());
  assert.deepEqual(
    model.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs]),
    [["Neg", ["x"], ["y'"]]],
  );
  assert.deepEqual(
    model.inputs.map(({ name }) => name),
    ["x"],
  );
});

test("all parts of a Split are named, also one that nothing needs: onnxruntime has no optional parts", () => {
  const g = new GraphWriter();
  const parts = g.node(
    "SplitV",
    { x: g.input("x", [2, 3]) },
    [1, 1, 1].map(() => ({ shape: [2, 1] })),
    {
      numOrSizeSplits: [1, 1, 1],
      axis: 1,
    },
  );
  g.output("y", parts[1]);
  const [split] = lowerGraph(g.finish()).model.nodes;
  assert.equal(split.op, "Split");
  assert.ok(split.outputs.every((name) => name !== ""));
});

test("an input, a constant and one value under two names can be results", () => {
  const g = new GraphWriter();
  const x = g.state("x", [3]);
  const [y] = g.node("Neg", { x }, [{ shape: [3] }]);
  g.output("x", x);
  g.output("first", y);
  g.output("second", y);
  g.output("two", g.constant(Float32Array.of(2), [3]));
  const { model, outputNames } = lowerGraph(g.finish());
  assert.deepEqual(
    model.outputs.map(({ name, shape }) => [name, ...shape]),
    ["x'", "first'", "second'", "two'"].map((name) => [name, 3]),
  );
  assert.equal(outputNames.get("second"), "second'");
  const made = model.nodes.flatMap(({ outputs }) => outputs);
  assert.equal(new Set(made).size, made.length);
});

test("results that nothing else takes are at the end, the first of them last: onnxruntime begins there", () => {
  const g = new GraphWriter();
  const x = g.input("x", [3]);
  const once = (op: string, operand: typeof x) => g.node(op, { x: operand }, [{ shape: [3] }])[0];
  const inner = once("Exp", x);
  g.output("first", once("Neg", inner));
  g.output("second", once("Sin", inner));
  assert.deepEqual(opsOf(g), ["Exp", "Sin", "Neg"]);
});

/** What becomes of (p a) times (q b), the product times r: its ops and its alpha. */
function scaledProduct(
  factors: readonly ({ number: number; shape: number[] } | undefined)[],
  results: { product?: boolean } = {},
) {
  const g = new GraphWriter();
  const shape = [2, 3, 3];
  const times = (x: ReturnType<GraphWriter["input"]>, i: number) => {
    const factor = factors[i];
    if (!factor) return x;
    const size = factor.shape.reduce((product, length) => product * length, 1);
    const number = g.constant(new Float32Array(size).fill(factor.number), factor.shape);
    const whole = factor.shape.length > x.shape.length ? factor.shape : x.shape;
    return g.node("Multiply", i === 1 ? { a: number, b: x } : { a: x, b: number }, [{ shape: whole }])[0];
  };
  const [a, b] = ["a", "b"].map((name, i) => times(g.input(name, shape), i));
  const result = a.shape.length > 3 ? a.shape : shape;
  const [product] = g.node("BatchMatMul", { a, b }, [{ shape: result }], plain);
  g.output("y", times(product, 2));
  if (results.product) g.output("product", product);
  const nodes = nodesOf(g);
  return {
    ops: nodes.map(({ op }) => op),
    alpha: nodes.find(({ op }) => op === "FusedMatMul")?.attributes.alpha,
  };
}

test("numbers on either side and behind a product are one factor; what is no number stays where it is", () => {
  const number = (value: number, shape: number[] = []) => ({ number: value, shape });
  assert.deepEqual(scaledProduct([number(2), number(3), number(5)]), {
    ops: ["FusedMatMul"],
    alpha: { float: 30 },
  });
  assert.deepEqual(scaledProduct([number(-2), undefined, number(0.5, [3])]).alpha, { float: -1 });
  assert.deepEqual(scaledProduct([]), { ops: ["MatMul"], alpha: undefined });
  assert.deepEqual(scaledProduct([undefined, undefined, number(4)], { product: true }).ops.sort(), [
    "MatMul",
    "Mul",
  ]);
  const larger = scaledProduct([number(2, [4, 2, 3, 3])]);
  assert.ok(larger.ops.includes("Expand") || larger.ops.includes("Mul"), `${larger.ops}`);
  assert.equal(larger.alpha, undefined, "what makes its operand larger is more than a factor");
});

test("weights of eight bits, of fewer bits and inputs that nothing needs are declared as they are fed", () => {
  const g = new GraphWriter();
  const [x, w] = [g.input("x", [4, 32]), g.state("w", [64, 32])];
  g.input("unused", [1]);
  const attributes = { transposeA: false, transposeB: true };
  g.output("y", g.node("BatchMatMul", { a: x, b: w }, [{ shape: [4, 64] }], attributes)[0]);
  const graph = g.finish();
  const inputs = (target: Parameters<typeof lowerGraph>[1]) =>
    lowerGraph(graph, target).model.inputs.map(({ name, shape, dtype }) => [name, dtype, ...shape]);
  assert.deepEqual(inputs({}), [
    ["x", "float32", 4, 32],
    ["w", "float32", 64, 32],
  ]);
  assert.deepEqual(inputs({ int8: new Set(["w"]) }), [
    ["x", "float32", 4, 32],
    ["w int8 transposed", "int8", 32, 64],
    ["w int8 scales", "float32", 64],
  ]);
  const half = { products: "float16", halved: new Set(["w"]) } as const;
  assert.deepEqual(inputs(half), [
    ["x", "float32", 4, 32],
    ["w", "float16", 64, 32],
  ]);
  assert.deepEqual(inputs({ products: "float16" }), [
    ["x", "float32", 4, 32],
    ["w", "float32", 64, 32],
  ]);
});
