import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { AttentionPool } from "../../../src/models/attentionPool";
import { assertClose, valuesOf } from "../nn/support";

before(() => startBackend());

const [dim, heads, tokens] = [4, 2, 3];
const normEps = 1e-6;
const pool = (mlp?: string) =>
  new AttentionPool({ dim, heads, mlpRatio: 2, mlp, normEps } as never, new Rng(7));
const x = Array.from({ length: tokens * dim }, (_, i) => Math.sin(3 * i + 1));
const pooled = (model: AttentionPool) => valuesOf(() => model.forward(tf.tensor(x, [1, tokens, dim])));

type Matrix = { weight: { value: tf.Tensor }; bias?: { value: tf.Tensor } };

/** x W^T + b of one token. */
function linear({ weight, bias }: Matrix, input: readonly number[]): number[] {
  const [rows, offset] = [weight.value.arraySync() as number[][], bias?.value.arraySync() as number[]];
  return rows.map((row, i) => row.reduce((sum, w, j) => sum + w * input[j], offset?.[i] ?? 0));
}

test("a learned query looks at all tokens, and what it saw passes a norm and an MLP beside itself", () => {
  const model = pool();
  const q = linear(model.q as never, (model.latent.value.arraySync() as number[][][])[0][0]);
  const kv = Array.from({ length: tokens }, (_, t) =>
    linear(model.kv as never, x.slice(t * dim, (t + 1) * dim)),
  );
  const size = dim / heads;
  const seen = Array.from({ length: dim }, (_, c) => {
    const from = size * Math.floor(c / size);
    const score = (t: number) =>
      Array.from({ length: size }, (_, i) => q[from + i] * kv[t][from + i]).reduce((a, b) => a + b) /
      Math.sqrt(size);
    const weights = kv.map((_, t) => Math.exp(score(t)));
    const sum = weights.reduce((a, b) => a + b);
    return kv.reduce((total, one, t) => total + (weights[t] / sum) * one[dim + c], 0);
  });
  const attended = linear(model.proj as never, seen);
  const mean = attended.reduce((a, b) => a + b) / dim;
  const variance = attended.reduce((a, b) => a + (b - mean) ** 2, 0) / dim;
  const normed = tf.tensor(
    attended.map((value) => (value - mean) / Math.sqrt(variance + normEps)),
    [1, 1, dim],
  );
  const expanded = valuesOf(() => model.mlp.forward(normed, undefined as never, "mlp"));
  assertClose(
    pooled(model),
    Float32Array.from(attended, (value, i) => value + expanded[i]),
    1e-5,
  );
});

test("its MLP is GELU's where the ViT's is that or SwiGLU, and the ViT's own otherwise", () => {
  const usual = pooled(pool());
  assert.deepEqual(pooled(pool("swiglu")), usual);
  for (const mlp of ["quick-gelu", "gelu-tanh"]) assert.notDeepEqual(pooled(pool(mlp)), usual);
});
