import assert from "node:assert/strict";
import { test } from "node:test";
import { halvedValues } from "../../../src/engine/lower/halved";
import { lowerGraph } from "../../../src/engine/tensorflow/lower";
import { TfOps } from "../../../src/engine/tensorflow/lower/ops";
import type { GraphValue } from "../../../src/graph/ir";
import { GraphWriter } from "./support";

const shape = [4, 4];
const like = [{ shape }];
const plain = { transposeA: false, transposeB: false };

/** A graph whose input goes through `make`, and whether the value that it gives back first is kept in bfloat16. */
function isHalved(make: (g: GraphWriter, x: GraphValue) => GraphValue): boolean {
  const g = new GraphWriter();
  const value = make(g, g.input("x", shape));
  return halvedValues(g.finish()).has(value.id);
}

const multiply = (g: GraphWriter, a: GraphValue) =>
  g.node("BatchMatMul", { a, b: g.state("w", shape) }, like, plain)[0];

test("what only products take is kept in bfloat16, also where it is moved before", () => {
  const gelu = (g: GraphWriter, x: GraphValue) => g.node("LuvitGelu", { x }, like)[0];
  const direct = isHalved((g, x) => {
    const y = gelu(g, x);
    g.output("y", multiply(g, y));
    return y;
  });
  const moved = isHalved((g, x) => {
    const y = gelu(g, x);
    const [flat] = g.node("Reshape", { x: y }, like, { shape });
    g.output("y", multiply(g, flat));
    g.output("sum", g.node("LuvitSumRows", { x: flat }, [{ shape: [4] }])[0]);
    return y;
  });
  assert.deepEqual([direct, moved], [true, true]);
});

test("a gradient that a bias sums up beside the product is kept in bfloat16", () => {
  assert.ok(
    isHalved((g, x) => {
      const [dy] = g.node("LuvitGelu", { x }, like);
      g.output("dx", multiply(g, dy));
      g.output("bias", g.node("LuvitSumRows", { x: dy }, [{ shape: [4] }])[0]);
      return dy;
    }),
  );
});

test("what is added to something, given back or taken by nobody is not", () => {
  const residual = isHalved((g, x) => {
    const [y] = g.node("LuvitGelu", { x }, like);
    g.output("y", g.node("Add", { a: multiply(g, y), b: y }, like)[0]);
    return y;
  });
  const result = isHalved((g, x) => {
    const [y] = g.node("LuvitGelu", { x }, like);
    g.output("y", y);
    g.output("z", multiply(g, y));
    return y;
  });
  const unused = isHalved((g, x) => g.node("LuvitGelu", { x }, like)[0]);
  assert.deepEqual([residual, result, unused], [false, false, false]);
});

test("attention's weights are, for their gradient as for the product; what is multiplied otherwise is not", () => {
  const withGradient = (op: string, operand: string, attributes: Record<string, unknown>) =>
    isHalved((g, x) => {
      const [weights] = g.node(op, { [operand]: x }, like, attributes);
      g.output("y", multiply(g, weights));
      g.output("d", g.node("Multiply", { a: g.input("dy", shape), b: weights }, like)[0]);
      return weights;
    });
  assert.ok(withGradient("Softmax", "logits", { dim: 1 }));
  assert.ok(!withGradient("LuvitGelu", "x", {}));
});

test("a weight's gradient computes the activation anew in bfloat16, when the rest is there, and not in float32", () => {
  const g = new GraphWriter();
  const [hidden] = g.node("BatchMatMul", { a: g.input("x", shape), b: g.state("w", shape) }, like, plain);
  const [activation] = g.node("LuvitGelu", { x: hidden }, like);
  g.output("y", multiply(g, activation));
  const [dy] = g.node("Neg", { x: g.input("dy", shape) }, like);
  const transposed = { transposeA: true, transposeB: false };
  g.output("dw", g.node("BatchMatMul", { a: dy, b: activation }, like, transposed)[0]);
  const graph = g.finish();
  const lowered = (products: "float32" | "bfloat16") => {
    const ops = new TfOps();
    const given = (name: string) => ops.store(shape, "float32", new Float32Array(16).fill(name.length));
    lowerGraph(ops, graph, given, products);
    return ops.nodes.filter(({ op }) => op === "Erf").length;
  };
  assert.deepEqual([lowered("float32"), lowered("bfloat16")], [1, 2]);
});
