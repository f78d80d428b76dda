import assert from "node:assert/strict";
import { before, test } from "node:test";
import { relevance } from "../../../../src/analysis";
import type { RelevanceMap, RelevanceMethod } from "../../../../src/analysis/relevance";
import { startBackend, tf } from "../../../../src/core/tf";
import { imageFolder, transforms } from "../../../../src/data";
import type { Classifier } from "../../../../src/models/classifier";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { temporaryFolder, writeImages } from "../../train/support";
import { tinyLuvit } from "../support";

before(() => startBackend());

const methods: RelevanceMethod[] = ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"];

function luvit(): Classifier {
  const model = tinyLuvit();
  perturb(model);
  return model;
}

const set = async () =>
  imageFolder(await writeImages(temporaryFolder(), 3), { transform: transforms.evaluation(16) });

for (const method of methods) {
  test(`${method} gives each image a map of the model's grid, the same op by op and as one graph`, async () => {
    const model = luvit();
    const images = await set();
    const [eager, graph] = await Promise.all(
      (["eager", "onnxruntime"] as const).map((engine) =>
        relevance(model, images, { method, engine, class: "label", batchSize: 2 }),
      ),
    );
    assert.deepEqual(
      eager.map(({ sample }) => sample.index),
      Array.from({ length: images.length }, (_, i) => i),
    );
    for (const [i, map] of eager.entries()) {
      assert.equal(map.label, images.label(i));
      assert.equal(map.patches.length, 4);
      assertClose(graph[i].patches, map.patches, 1e-5);
      const pixels = map.pixels();
      assert.equal(pixels.length, 256);
      assert.equal(Math.min(...pixels), 0);
      // Grad-CAM of nothing but negative evidence is empty, as in the official code.
      const most = map.patches.some((x) => x > 0) ? 1 : 0;
      assert.ok(Math.abs(Math.max(...pixels) - most) < 1e-5);
    }
  });
}

test("a class that the head does not look for has no evidence, of any other there is some", async () => {
  const model = luvit();
  const keep = tf.tensor2d([[0], [1]]);
  model.head.weight.value.assign(tf.mul(model.head.weight.value, keep));
  const images = (await set()).subset([0]);
  for (const method of methods.filter((name) => name !== "rollout")) {
    const of = async (label: number) =>
      (await relevance(model, images, { method, class: label, engine: "eager" }))[0];
    const isEven = ({ patches }: RelevanceMap) => patches.every((x) => x === patches[0]);
    assert.ok(isEven(await of(0)), method);
    if (method !== "gradcam") assert.ok(!isEven(await of(1)), method);
  }
});

test("by default the class that the model answers is explained, with its probability", async () => {
  const model = luvit();
  const maps = await relevance(model, await set(), { engine: "eager" });
  for (const { label, probability, sample } of maps) {
    const chances = tf.tidy(() =>
      tf
        .softmax(model.forward(tf.tensor(sample.image, [1, 3, 16, 16])))
        .dataSync<"float32">()
        .slice(),
    );
    assert.equal(label, chances.indexOf(Math.max(...chances)));
    assert.ok(Math.abs(probability - chances[label]) < 1e-6);
  }
});

test("single images of any size are taken as they are", async () => {
  const image = { data: new Uint8Array(3 * 40 * 30).map((_, i) => (7 * i) % 256), width: 40, height: 30 };
  const maps = await relevance(luvit(), [image, image], { engine: "eager" });
  assert.equal(maps.length, 2);
  assert.deepEqual(maps[0].patches, maps[1].patches);
});

test("layers and classes that are not there are refused by name", async () => {
  const images = await set();
  const refused = (options: object, ...texts: string[]) =>
    assert.rejects(relevance(luvit(), images, options), isLuvitError("bad-argument", ...texts));
  await refused({ layers: ["blocks.7", "llama.layers.0"] }, "blocks.7", "llama.layers.0");
  await refused({ class: 2 }, "class is 2", "0 to 1");
  await refused({ method: "lrp" }, "method", "chefer");
  const image = { data: new Uint8Array(3 * 256), width: 16, height: 16 };
  await assert.rejects(
    relevance(luvit(), image, { class: "label" }),
    isLuvitError("bad-argument", "label", "-1"),
  );
});
