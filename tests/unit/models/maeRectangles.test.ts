import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { create } from "../../../src/models/mae";
import { drawNoise, maskFromNoise } from "../../../src/models/masking";
import { maskedPatchLoss } from "../../../src/nn/losses";
import { randomTensor } from "../nn/support";

before(() => startBackend());

const encoder = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const maskOf = (patches: number) => maskFromNoise(drawNoise(2, patches, new Rng(3)), 2, 0.5);

test("the loss of a larger grid is that of a model made for it, where positions are the fixed ones", async () => {
  const small = create({ encoder, decoder, seed: 1 });
  const large = create({ encoder: { ...encoder, imageSize: 32 }, decoder, seed: 2 });
  const [state, own] = [await small.stateDict(), await large.stateDict()];
  for (const name of ["pos_embed", "decoder_pos_embed"]) state.set(name, own.get(name)!);
  large.loadStateDict(state);
  const images = randomTensor([2, 3, 32, 32], 5);
  const there = large.loss(large.inputs(images, maskOf(16)));
  const made = small.loss(small.inputs(images, maskOf(16)), { positions: "sincos" });
  assert.ok(Math.abs(made.dataSync()[0] - there.dataSync()[0]) < 1e-5);
});

test("rectangles have a loss where positions are said, and are refused without", () => {
  const model = create({ encoder, decoder, seed: 1 });
  const images = randomTensor([2, 3, 16, 24], 5);
  for (const positions of ["mae", "sincos"] as const) {
    const loss = tf.tidy(() => model.loss(model.inputs(images, maskOf(6)), { positions }).dataSync()[0]);
    assert.ok(loss > 0 && Number.isFinite(loss));
  }
  assert.throws(() => model.loss(model.inputs(images, maskOf(6))), /imageSize is 16/);
});

test("a low and wide image has a low and wide grid of positions", () => {
  const model = create({ encoder, decoder, seed: 1 });
  const images = randomTensor([2, 3, 16, 24], 5);
  const lossOf = (rows: number, columns: number) => {
    const inputs = model.inputs(images, maskOf(6));
    const context = { positions: "sincos" } as const;
    const latent = model.encode(inputs, context);
    const decoded = model.decode(latent, inputs.restoreRows, context, { rows, columns });
    return maskedPatchLoss(decoded, model.target(images), inputs.mask).dataSync()[0];
  };
  const inputs = model.inputs(images, maskOf(6));
  const loss = model.loss(inputs, { positions: "sincos" }).dataSync()[0];
  assert.equal(loss, lossOf(2, 3));
  assert.notEqual(loss, lossOf(3, 2));
});
