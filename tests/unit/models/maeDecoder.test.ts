import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import * as mae from "../../../src/models/mae";
import { assertClose, isLuvitError, maxDifference, valuesOf } from "../nn/support";
import { perturb, tinyDecoder, tinyInputs, tinyViT } from "./support";

before(() => startBackend());

test("an edit at a place of the decoder changes the prediction as what it gives back says, one of the encoder does not reach it twice", () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  perturb(model);
  const inputs = tinyInputs(model);
  const latent = model.encode(inputs);
  const decode = (edit?: (name: string, value: tf.Tensor) => tf.Tensor) =>
    valuesOf(() => model.decode(latent, inputs.restoreRows, { edit }));
  const seen: string[] = [];
  const same = decode((name, value) => {
    seen.push(name);
    return value;
  });
  assert.deepEqual(same, decode());
  assert.ok(seen.length > 3 && seen.every((name) => name.startsWith("decoder_blocks.0.")), `${seen}`);
  // A last block whose output is a constant makes every patch's prediction the same.
  const flat = decode((name, value) => (name === "decoder_blocks.0.out" ? tf.onesLike(value) : value));
  const one = flat.slice(0, 48);
  for (let patch = 0; patch < 18; patch++) assertClose(flat.slice(48 * patch, 48 * patch + 48), one, 1e-6);
  assert.ok(maxDifference(flat, same) > 1e-3);
  const loss = (edit?: (name: string, value: tf.Tensor) => tf.Tensor) =>
    valuesOf(() => model.loss(inputs, { edit }))[0];
  const zero = (place: string) => (name: string, value: tf.Tensor) =>
    name === place ? tf.zerosLike(value) : value;
  assert.notEqual(loss(zero("decoder_blocks.0.out")), loss());
  assert.notEqual(loss(zero("blocks.1.out")), loss());
});

test("widths that have no table of positions are refused before anything is made, both at once", () => {
  const wide = (dim: number) => ({ dim, depth: 1, heads: 2, mlpRatio: 2 });
  const create = (encoder: number, decoder: number) => () =>
    mae.create({ encoder: { ...tinyViT, ...wide(encoder) }, decoder: wide(decoder) });
  assert.doesNotThrow(create(16, 8));
  for (const [encoder, decoder] of [
    [16, 10],
    [18, 8],
    [18, 10],
  ] as const)
    assert.throws(create(encoder, decoder), (error: Error) => {
      const named = [/encoder: expected dim a multiple of 4/, /decoder\.dim: expected a multiple of 4/];
      assert.deepEqual(
        named.map((one) => one.test(error.message)),
        [encoder === 18, decoder === 10],
      );
      return isLuvitError("bad-argument")(error);
    });
});
