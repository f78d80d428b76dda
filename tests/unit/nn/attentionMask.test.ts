import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { scaledDotProductAttention } from "../../../src/nn/attention";
import { AttentionMask, prefixMask } from "../../../src/nn/attentionMask";
import { assertNoLeak, isLuvitError, randomTensor, valuesOf } from "./support";

before(() => startBackend());

/** One row of text per query: which keys it sees. */
const drawn = (mask: AttentionMask, sequence = 0) =>
  Array.from({ length: mask.tokens }, (_, query) =>
    Array.from({ length: mask.tokens }, (_, key) => (mask.sees(sequence, query, key) ? "x" : ".")).join(""),
  );

test("tokens of an image see each other, text sees what is before it", () => {
  assert.deepEqual(drawn(prefixMask({ image: [[0, 1, 1, 0]] })), ["x...", "xxx.", "xxx.", "xxxx"]);
});

test("an image does not see a later one, but one that touches it is the same", () => {
  assert.deepEqual(drawn(prefixMask({ image: [[1, 1, 0, 1]] })), ["xx..", "xx..", "xxx.", "xxxx"]);
  assert.deepEqual(drawn(prefixMask({ image: [[1, 1, 1]] })), ["xxx", "xxx", "xxx"]);
});

test("nothing sees what fills up a sequence, in each sequence its own", () => {
  const mask = prefixMask({
    image: [
      [0, 1, 1],
      [1, 1, 0],
    ],
    real: [
      [1, 1, 1],
      [1, 1, 0],
    ],
  });
  assert.deepEqual(drawn(mask), ["x..", "xxx", "xxx"]);
  assert.deepEqual(drawn(mask, 1), ["xx.", "xx.", "xx."]);
  assert.deepEqual(mask.tensor().shape, [2, 1, 3, 3]);
});

test("tokens of an image may see only earlier ones, or only themselves", () => {
  const image = [[1, 1, 1, 0]];
  assert.deepEqual(drawn(prefixMask({ image, within: "causal" })), ["x...", "xx..", "xxx.", "xxxx"]);
  assert.deepEqual(drawn(prefixMask({ image, within: "none" })), ["x...", ".x..", "..x.", "xxxx"]);
});

test("a window cuts what is far back, not the image", () => {
  assert.deepEqual(drawn(prefixMask({ image: [[1, 1, 1, 0, 0]], window: 2 })), [
    "xxx..",
    "xxx..",
    "xxx..",
    "..xx.",
    "...xx",
  ]);
});

test("the mask of text alone gives the numbers of causal attention, bit by bit", () => {
  const [q, k, v] = [1, 2, 3].map((seed) => randomTensor([2, 2, 5, 4], seed));
  const mask = prefixMask({ image: [[0, 0, 0, 0, 0]] }).tensor();
  const masked = valuesOf(() => scaledDotProductAttention(q, k, v, { mask }));
  assert.deepEqual(
    masked,
    valuesOf(() => scaledDotProductAttention(q, k, v, { causal: true })),
  );
  assertNoLeak(() => tf.dispose(tf.tidy(() => scaledDotProductAttention(q, k, v, { mask }))), 0);
});

test("a key that is not seen has no weight, whatever its score", () => {
  const [q, k, v] = [1, 2, 3].map((seed) => randomTensor([1, 1, 3, 4], seed, 30));
  const mask = new AttentionMask(Uint8Array.of(1, 0, 1, 0, 1, 0, 1, 1, 1), 1, 3).tensor();
  let pattern: Float32Array | undefined;
  const tap = (name: string, x: tf.Tensor) => {
    if (name.endsWith(".pattern")) pattern = x.dataSync<"float32">().slice();
  };
  tf.tidy(() => scaledDotProductAttention(q, k, v, { mask, context: { tap } }));
  for (const unseen of [1, 3, 5]) assert.equal(pattern![unseen], 0);
});

test("what cannot be a mask is refused by name", () => {
  const mask = prefixMask({ image: [[0, 1]] }).tensor();
  const x = randomTensor([1, 1, 3, 4]);
  assert.throws(
    () => scaledDotProductAttention(x, x, x, { mask }),
    isLuvitError("shape-mismatch", "[3, 3]", "[2, 2]"),
  );
  assert.throws(() => prefixMask({ image: [] }), isLuvitError("bad-argument", "image"));
  assert.throws(() => prefixMask({ image: [[0, 2]] }), isLuvitError("bad-argument", "image"));
  assert.throws(() => prefixMask({ image: [[0, 1], [0]] }), isLuvitError("bad-argument", "image"));
  const image = [[0, 1]];
  assert.throws(
    () => prefixMask({ image, real: [[1, 1, 1]] }),
    isLuvitError("bad-argument", "1 sequences of 3 tokens"),
  );
  assert.throws(
    () => new AttentionMask(new Uint8Array(5), 1, 2),
    isLuvitError("bad-argument", "5 entries, not 4"),
  );
});
