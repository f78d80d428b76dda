import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { permuteRowsHfToMeta } from "../../../src/io/llama/keymap";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { LlamaBlocks } from "../../../src/models/llamaBlock";
import { type LlamaConfig, swigluWidth } from "../../../src/models/llamaConfig";
import { rotate } from "../../../src/models/rotary";
import { linear, rmsNorm } from "../../../src/nn/ops";
import { assertClose, maxDifference, randomTensor, valuesOf } from "../nn/support";
import { perturb, tinyLlama } from "./support";

before(() => startBackend());

const tokens = 5;
const x = () => randomTensor([2, tokens, tinyLlama.dim], 3);

function blockWith(switches: Partial<LlamaConfig>): LlamaBlocks {
  const block = new LlamaBlocks({
    config: { ...tinyLlama, ...switches },
    depth: 1,
    rng: new Rng(1),
    origin: "a test",
  });
  perturb(block);
  return block;
}

/** The largest change of each token's output when the last token of the input changes. */
function reachOfLastToken(block: LlamaBlocks): number[] {
  const nudge = tf.concat(
    [tf.zeros([2, tokens - 1, tinyLlama.dim]), randomTensor([2, 1, tinyLlama.dim], 9)],
    1,
  );
  const change = tf.abs(tf.sub(block.forward(tf.add(x(), nudge)), block.forward(x())));
  return Array.from(tf.max(change, [0, 2]).dataSync());
}

test("a block is two residual branches, the second on what the first gave", () => {
  const block = blockWith({});
  const [{ attention, feed_forward: mlp, attention_norm: first, ffn_norm: second }] = block.layers;
  const expected = valuesOf(() => {
    const middle = tf.add(x(), attention.forward(rmsNorm(x(), first.weight.value, 1e-6), {}, "a"));
    const normed = rmsNorm(middle, second.weight.value, 1e-6);
    const gate = linear(normed, mlp.w1.weight.value);
    const inside = tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(normed, mlp.w3.weight.value));
    return tf.add(middle, linear(inside, mlp.w2.weight.value));
  });
  assertClose(
    valuesOf(() => block.forward(x())),
    expected,
    1e-5,
  );
});

test("without a mask every token hears the last one; with it only the last one itself", () => {
  assert.ok(reachOfLastToken(blockWith({})).every((change) => change > 1e-4));
  const causal = reachOfLastToken(blockWith({ causal: true }));
  assert.ok(causal.slice(0, -1).every((change) => change === 0) && causal.at(-1)! > 1e-4);
});

test("without positions the order of tokens does not matter, with rotary positions it does", () => {
  const order = tf.tensor1d([3, 0, 4, 1, 2], "int32");
  for (const rope of [false, true]) {
    const block = blockWith({ rope });
    const before = valuesOf(() => tf.gather(block.forward(x()), order, 1));
    const difference = maxDifference(
      valuesOf(() => block.forward(tf.gather(x(), order, 1))),
      before,
    );
    assert.equal(difference > 1e-3, rope, `${difference}`);
  }
});

for (const rope of [false, true]) {
  test(`q and k rows in Meta's order give the same block ${rope ? "with" : "without"} rotary positions`, async () => {
    const hf = blockWith({ rope, rowOrder: "hf" });
    const meta = blockWith({ rope, rowOrder: "meta" });
    const state = await hf.stateDict();
    for (const w of ["wq", "wk"]) {
      const path = `layers.0.attention.${w}.weight`;
      state.set(path, permuteRowsHfToMeta(state.get(path)!, tinyLlama.heads));
    }
    meta.loadStateDict(state);
    assertClose(
      valuesOf(() => meta.forward(x())),
      valuesOf(() => hf.forward(x())),
      1e-5,
    );
  });
}

test("a rotation keeps lengths, leaves position 0 alone, and products depend on the distance only", () => {
  for (const rowOrder of ["hf", "meta"] as const) {
    const vector = (seed: number) => tf.tile(randomTensor([1, 1, 1, 8], seed), [1, 1, 6, 1]);
    const [q, k] = [vector(1), vector(2)].map((v) => rotate(v, { ropeTheta: 100, rowOrder }));
    const first = (t: Tensor) => t.dataSync().slice(0, 8);
    assert.deepEqual(first(q), first(vector(1)));
    assertClose(tf.sum(tf.square(q), -1).dataSync(), tf.sum(tf.square(vector(1)), -1).dataSync(), 1e-5);
    const products = (tf.matMul(q, k, false, true).arraySync() as number[][][][])[0][0];
    for (let i = 1; i < 6; i++) {
      for (let j = 1; j < 6; j++) assertClose([products[i][j]], [products[i - 1][j - 1]], 1e-4);
    }
    assert.ok(Math.abs(products[0][3] - products[3][0]) > 1e-3);
  }
});

test("the hidden width is two thirds of four times the model's, rounded up to 256", () => {
  assert.deepEqual(
    [4096, 5120, 64].map((dim) => swigluWidth(dim)),
    [11008, 13824, 256],
  );
  assert.equal(swigluWidth(64, 16), 176);
});

test("a language model has the original release's names and gives a row of logits per token", () => {
  const config = { ...tinyLlama, causal: true, rope: true, depth: 2, vocabulary: 10 };
  const model = new LlamaLanguageModel(config);
  const outer = [...model.namedParameters()]
    .map(([path]) => path)
    .filter((path) => !path.startsWith("layers."));
  assert.deepEqual(outer.sort(), ["norm.weight", "output.weight", "tok_embeddings.weight"]);
  const ids = tf.tensor2d(
    [
      [1, 2, 3],
      [4, 5, 9],
    ],
    [2, 3],
    "int32",
  );
  assert.deepEqual(model.forward(ids).shape, [2, 3, 10]);
});
