import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type Graph, graphText, optimize } from "../../../src/graph";
import { recomputeBlocks } from "../../../src/graph/passes/recompute";
import { inBlock } from "../../../src/graph/scopes";
import "../../../src/nn";
import { randomTensor } from "../nn/support";
import { traceOf, valuesOfGraph } from "./support";

before(async () => {
  await startBackend();
});

const layer = (name: string) => (x: Tensor, w: Tensor) =>
  inBlock(name, () => tf.add(x, tf.sigmoid(tf.matMul(tf.square(x) as tf.Tensor2D, w as tf.Tensor2D))));

/** Loss of layers in a row, differentiated by its weights [3, 3]. */
function stack(layers: readonly ((x: Tensor, w: Tensor) => Tensor)[], read: (x: Tensor) => Tensor = tf.sin) {
  return (x: Tensor, ...weights: Tensor[]) => {
    const loss = (...ws: Tensor[]) =>
      tf.mean(read(layers.reduce((h, run, i) => run(h, ws[i]), tf.neg(x)))) as tf.Scalar;
    return tf.grads(loss)(weights);
  };
}

const shapesOf = (layers: number) => [[2, 3], ...Array.from({ length: layers }, () => [3, 3])];

function traceStack(...names: string[]): Graph {
  return optimize(traceOf(shapesOf(names.length), stack(names.map(layer))));
}

function checkSameValues(graph: Graph, other: Graph, layers: number): void {
  const inputs = shapesOf(layers).map((shape, i) => randomTensor(shape, i + 1));
  assert.deepEqual(valuesOfGraph(other, inputs), valuesOfGraph(graph, inputs));
}

const linesOf = (graph: Graph, op: string) =>
  graphText(graph)
    .split("\n")
    .filter((line) => line.includes(` ${op}(`));

describe("blocks of a trace", () => {
  test("mark the nodes of their forward pass and no others", () => {
    const blocks = traceStack("first", "second").nodes.map(({ op, block }) => `${op} ${block ?? "-"}`);
    const inside = (name: string) => ["Square", "BatchMatMul", "Sigmoid", "Add"].map((op) => `${op} ${name}`);
    assert.deepEqual(blocks.slice(0, 9), ["Neg -", ...inside("first"), ...inside("second")]);
    assert.ok(blocks.slice(9).every((line) => line.endsWith(" -")));
  });

  test("a name used twice makes two blocks; a block inside a block belongs to the outer one", () => {
    const graph = traceOf([[2]], (x) => {
      const once = () => inBlock("layer", () => tf.exp(x));
      return [once(), once(), inBlock("outer", () => inBlock("inner", () => tf.neg(x)))];
    });
    assert.deepEqual(
      graph.nodes.map(({ block }) => block),
      ["layer", "layer#2", "outer"],
    );
  });

  test("outside a trace, and after one that failed, a block is the call alone", () => {
    const failing = () => traceOf([[2]], () => inBlock("broken", () => tf.tensor([1]).dataSync() as never));
    assert.throws(failing, /must not read tensor values/);
    assert.equal(
      inBlock("layer", () => 7),
      7,
    );
    assert.equal(traceOf([[2]], (x) => tf.exp(x)).nodes[0].block, undefined);
  });
});

describe("recomputing blocks", () => {
  test("as text: the insides again after the gradient has arrived, the last block as it was", () => {
    const graph = traceStack("first", "second");
    const recomputed = recomputeBlocks(graph);
    const [, ...after] = graphText(recomputed).split(/^(?=.*LuvitAfter)/m);
    assert.equal(after.length, 1);
    assert.equal(
      after[0],
      `%19 float32[2,3] = LuvitAfter(x=%0, signal=%18)
%20 float32[2,3] = Square(x=%19)
%21 float32[2,3] = BatchMatMul(a=%20, b=@x1) {transposeA=false, transposeB=false}
%22 float32[2,3] = Sigmoid(x=%21)
%23 float32[2,3] = Sub(a=1, b=%22)
%24 float32[2,3] = Multiply(a=%22, b=%23)
%25 float32[2,3] = Multiply(a=%18, b=%24)
%26 float32[3,3] = BatchMatMul(a=%20, b=%25) {transposeA=true, transposeB=false}
output y0 = %26
output y1 = %15
`,
    );
    checkSameValues(graph, recomputed, 2);
  });

  test("again changes nothing more, and nothing is changed where no block is marked", () => {
    const once = recomputeBlocks(traceStack("first", "second", "third"));
    assert.equal(graphText(recomputeBlocks(once)), graphText(once));
    const unmarked = optimize(
      traceOf(shapesOf(2), stack([(x, w) => tf.mul(x, tf.sum(w)), (x, w) => tf.exp(tf.mul(x, tf.sum(w)))])),
    );
    assert.equal(recomputeBlocks(unmarked), unmarked);
  });

  test("each block waits for its own gradient", () => {
    const graph = traceStack("a", "b", "c", "d");
    const recomputed = recomputeBlocks(graph);
    const waits = linesOf(recomputed, "LuvitAfter");
    assert.equal(waits.length, 3);
    assert.equal(new Set(waits.map((line) => /signal=(%\d+)/.exec(line)![1])).size, 3);
    checkSameValues(graph, recomputed, 4);
  });

  test("what a later part of the forward pass reads from inside a block is kept", () => {
    let inner: Tensor;
    const first = (x: Tensor, w: Tensor) =>
      inBlock("first", () => {
        inner = tf.exp(x);
        return tf.mul(inner, tf.sum(w));
      });
    const second = (x: Tensor, w: Tensor) => inBlock("second", () => tf.mul(tf.add(x, inner), tf.sum(w)));
    const graph = optimize(traceOf(shapesOf(3), stack([first, second, layer("third")])));
    const recomputed = optimize(graph, { memory: "recompute" });
    assert.equal(linesOf(recomputed, "Exp").length, 1);
    checkSameValues(graph, recomputed, 3);
  });
});
