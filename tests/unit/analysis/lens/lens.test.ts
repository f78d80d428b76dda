import assert from "node:assert/strict";
import { before, test } from "node:test";
import { lens } from "../../../../src/analysis";
import { startBackend, tf } from "../../../../src/core/tf";
import { imageFolder, transforms } from "../../../../src/data";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { temporaryFolder, writeImages } from "../../train/support";
import { tinyLuvit } from "../support";

before(() => startBackend());

async function given() {
  const model = tinyLuvit();
  perturb(model);
  const set = await imageFolder(await writeImages(temporaryFolder(), 2), {
    transform: transforms.evaluation(16),
  });
  return { model, set };
}

test("the early exit at the last place is the answer; inside and behind the block say the same", async () => {
  const { model, set } = await given();
  const maps = await lens(model, set, { engine: "eager" });
  assert.equal(maps.length, set.length);
  for (const { sample, sites } of maps) {
    const answer = tf.tidy(() =>
      model
        .forward(tf.tensor(sample.image, [1, 3, 16, 16]))
        .dataSync()
        .slice(),
    );
    assertClose(sites.at(-1)!.pooled, answer, 1e-5);
    const [inside, behind] = sites.slice(-2);
    assert.deepEqual([inside.site, behind.site], ["llama.layers.0.out", "fusion.out"]);
    assertClose(inside.logits, behind.logits, 1e-5);
  }
});

test("a patch says a class with a probability; places are chosen by name", async () => {
  const { model, set } = await given();
  const [maps] = await lens(model, set.subset([0]), { sites: ["blocks.0.out"], engine: "eager" });
  assert.equal(maps.sites.length, 1);
  const { label, probability } = maps.at("blocks.0.out", 3);
  assert.ok(probability >= 0.5 && probability <= 1);
  assert.equal(maps.labels("blocks.0.out")[3], label);
  assert.throws(() => maps.at("embed", 0), isLuvitError("bad-argument", "embed", "blocks.0.out"));
  await assert.rejects(
    lens(model, set, { sites: ["blocks.9.out"] }),
    isLuvitError("bad-argument", "blocks.9.out"),
  );
});
