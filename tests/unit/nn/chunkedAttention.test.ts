import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { openEngine } from "../../../src/engine";
import { optimize, trace } from "../../../src/graph";
import { scaledDotProductAttention } from "../../../src/nn/attention";
import { addGridBias, attendInChunks } from "../../../src/nn/chunkedAttention";
import { assertClose, randomTensor } from "./support";

before(() => startBackend({ backend: "wasm" }));

const shapes = { query: [2, 3, 12, 4], key: [2, 3, 12, 4], value: [2, 3, 12, 5] };
const operandsOf = () =>
  [...Object.values(shapes), [2, 3, 12, 3], [2, 3, 12, 4]].map((shape, i) => randomTensor(shape, i + 1));

const all = (q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) => {
  const scores = tf.matMul(tf.mul(q, 0.5), k, false, true);
  return tf.matMul(tf.softmax(addGridBias(scores, rows, columns)), v);
};
const chunked = (mostScores: number) => (q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) =>
  attendInChunks(q, k, v, { bias: { rows, columns }, mostScores });

function resultsOf(attend: typeof all): number[][] {
  const operands = operandsOf();
  const upstream = randomTensor([2, 3, 12, 5], 9);
  const loss = (...x: Tensor[]) =>
    tf.sum(tf.mul(attend(...(x as [Tensor, Tensor, Tensor, Tensor, Tensor])), upstream));
  const gradients = (tf.grads(loss as never) as unknown as (x: Tensor[]) => Tensor[])(operands);
  const out = attend(...(operands as [Tensor, Tensor, Tensor, Tensor, Tensor]));
  return [out, ...gradients].map((x) => [...x.dataSync()]);
}

test("attention in chunks gives the numbers and gradients of all scores at once, biases too", () => {
  const expected = resultsOf(all);
  for (const mostScores of [1, 2 * 3 * 12 * 5, 1e9]) {
    const actual = resultsOf(chunked(mostScores));
    for (const [i, numbers] of expected.entries()) assertClose(actual[i], numbers, 1e-5);
  }
});

test("without a bias it is plain attention, with another number of keys", () => {
  const [query] = operandsOf();
  const few = [randomTensor([2, 3, 7, 4], 4), randomTensor([2, 3, 7, 5], 5)];
  const expected = tf.matMul(tf.softmax(tf.matMul(tf.mul(query, 0.5), few[0], false, true)), few[1]);
  const actual = attendInChunks(query, few[0], few[1], { mostScores: 2 * 3 * 7 * 5 });
  assertClose([...actual.dataSync()], [...expected.dataSync()], 1e-5);
});

/** The graph of attention with its gradients. */
function graphOf(mostScores: number) {
  const [tokens, width] = [96, 4];
  const shape = [1, 2, tokens, width];
  return optimize(
    trace("attention", {
      inputs: { q: { shape }, k: { shape }, v: { shape } },
      state: {},
      body: ({ q, k, v }) => {
        const loss = (...x: Tensor[]) => tf.sum(tf.square(attendInChunks(x[0], x[1], x[2], { mostScores })));
        const [dq] = (tf.grads(loss as never) as unknown as (x: Tensor[]) => Tensor[])([q, k, v]);
        return { dq };
      },
    }),
  );
}

test("no value of a graph is larger than a chunk's scores, and the gradients compute them again", async () => {
  const graph = graphOf(2 * 96 * 8);
  const largest = Math.max(
    ...graph.nodes.flatMap(({ outputs }) => outputs.map(({ shape }) => shape.reduce((a, b) => a * b, 1))),
  );
  assert.equal(largest, 2 * 96 * 8);
  const softmaxes = graph.nodes.filter(({ op }) => op === "Softmax").length;
  assert.equal(softmaxes, 2 * (96 / 8));
  const feeds = Object.fromEntries(
    ["q", "k", "v"].map((name, i) => [name, randomTensor([1, 2, 96, 4], i).dataSync() as Float32Array]),
  );
  const results: Float32Array[] = [];
  for (const one of [graph, graphOf(1e9)]) {
    const engine = await openEngine({ main: { graph: one } }, { engine: "onnxruntime" });
    results.push((await engine.run("main", feeds)).dq);
    await engine.dispose();
  }
  assertClose([...results[0]], [...results[1]], 1e-4);
});

test("usual attention goes in chunks by itself where the scores are many", () => {
  const [q, k, v] = [1, 2, 3].map((seed) => randomTensor([1, 1, 6000, 2], seed));
  const graph = trace("long", {
    inputs: { q: { shape: q.shape }, k: { shape: k.shape }, v: { shape: v.shape } },
    state: {},
    body: (fed) => ({ y: scaledDotProductAttention(fed.q, fed.k, fed.v) }),
  });
  const sizes = graph.nodes.flatMap(({ outputs }) =>
    outputs.map(({ shape }) => shape.reduce((a, b) => a * b, 1)),
  );
  assert.ok(Math.max(...sizes) <= 2 ** 25);
});

test("so many scores that they are made in chunks keep to their mask, which chunks do not know", () => {
  // 64 * 64 * 91 * 91 scores are just more than 2 ** 25.
  const [few, many] = [1, 64].map((times) => {
    const [query, key, value] = [1, 2, 3].map((seed) =>
      tf.tile(randomTensor([1, 1, 91, 1], seed), [times, times, 1, 1]),
    );
    const mask = tf.tensor2d(
      Float32Array.from({ length: 91 * 91 }, (_, i) => ((i % 91) % 3 === 0 ? 0 : -1e9)),
      [91, 91],
    );
    const out = scaledDotProductAttention(query, key, value, { mask });
    return [...tf.slice(out, [times - 1, times - 1, 0, 0], [1, 1, 91, 1]).dataSync()];
  });
  assertClose(many, few, 1e-5);
});
