import assert from "node:assert/strict";
import { before, test } from "node:test";
import { openHeadGates } from "../../../../src/analysis/interventions/headGates";
import { closed, headsOf } from "../../../../src/analysis/interventions/heads";
import { startBackend, tf } from "../../../../src/core/tf";
import { perturb } from "../../models/support";
import { assertClose } from "../../nn/support";
import { tinyLuvit } from "../support";

before(() => startBackend());

const data = Float32Array.from({ length: 3 * 16 * 16 }, (_, i) => Math.sin(i / 7));

test("with every head open an image gets the model's own logits, without one those of a model that lacks it", async () => {
  const model = tinyLuvit();
  perturb(model);
  const logits = () =>
    tf.tidy(() =>
      model
        .forward(tf.tensor(data, [1, 3, 16, 16]))
        .dataSync()
        .slice(),
    );
  const gates = await openHeadGates(
    "test",
    model,
    { data, height: 16, width: 16, context: {} },
    { engine: "eager" },
  );
  assertClose(await gates.without(), logits(), 1e-5);
  const { weight } = model.encoder.blocks[0].attn.proj;
  const columns = tf.tensor1d(Array.from({ length: 16 }, (_, column) => Number(column >= 8)));
  const found = await gates.without({ layer: "blocks.0", head: 0 });
  weight.value.assign(tf.mul(weight.value, columns));
  assertClose(found, logits(), 1e-5);
  await gates.dispose();
});

test("gates are one where a head is open, in the order of layers", () => {
  const heads = headsOf(tinyLuvit(), "test");
  assert.deepEqual(heads.layers, ["blocks.0", "blocks.1", "llama.layers.0"]);
  assert.deepEqual([heads.counts, heads.most, heads.places.length], [[2, 2, 2], 2, 6]);
  const gate = closed(heads, { layer: "blocks.1", head: 1 }, { layer: "llama.layers.0", head: 0 });
  assert.deepEqual([...gate], [1, 1, 1, 0, 0, 1]);
});
