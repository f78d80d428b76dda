import assert from "node:assert/strict";
import { before, test } from "node:test";
import { openHeadGates } from "../../../../src/analysis/interventions/headGates";
import { closed, headsOf } from "../../../../src/analysis/interventions/heads";
import { logitsWithoutEach } from "../../../../src/analysis/interventions/withoutEach";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { openForward } from "../../../../src/train/forward";
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

for (const engine of ["eager", "onnxruntime"] as const) {
  test(`every head off in one graph is every head off alone, of an image of any shape: ${engine}`, async () => {
    const model = tinyLuvit();
    perturb(model);
    for (const [height, width] of [
      [16, 16],
      [8, 24],
    ]) {
      const values = data.slice(0, 3 * height * width);
      const context = { positions: "mae" } as const;
      const gates = await openHeadGates("test", model, { data: values, height, width, context }, { engine });
      const heads = headsOf(model, "test");
      const shape = [1, 3, height, width];
      const body = ({ images }: Readonly<Record<string, Tensor>>) =>
        logitsWithoutEach(model, images, heads, context);
      const forward = await openForward("test", model, { inputs: { images: { shape } }, body }, { engine });
      const all = await forward.run({ images: { data: values, shape } });
      for (const { layer, head } of heads.places) {
        const own = all[layer].slice(head * model.classes, (head + 1) * model.classes);
        assertClose(own, await gates.without({ layer, head }), 1e-5, `${layer}, head ${head}`);
      }
      await gates.dispose();
      await forward.dispose();
    }
  });
}
