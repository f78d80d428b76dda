import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { randomBlock } from "../../../src/models/baselines";
import * as classifier from "../../../src/models/classifier";
import { mlp, through } from "../../../src/models/fusion";
import { attach } from "../../../src/models/lora";
import { copiedVisionQkv } from "../../../src/models/visionQkv";
import type { Context } from "../../../src/nn/context";
import { assertClose } from "../nn/support";
import { perturb, tinyImages, tinyLlama, tinyViT } from "./support";

before(() => startBackend());

const block = (options: object = {}, depth = 1) => randomBlock({ ...tinyLlama, ...options }, { depth });
const adapted = () => {
  const made = block();
  attach(made, { rank: 2 });
  return made;
};

const fusions = {
  "no fusion": undefined,
  "a language block": through(block(), { residual: true }),
  "two blocks and a norm before them": through(block({}, 2), { normFirst: true }),
  "grouped heads of keys": through(block({ heads: 4, kvHeads: 2 })),
  "low-rank updates of queries and values": through(adapted()),
  "biases of queries, keys and values": through(block({ qkvBias: true })),
  "norms of queries and keys": through(block({ qkNorm: true })),
  "rotated queries and keys": through(block({ rope: true })),
  "a causal mask": through(block({ causal: true })),
  "a block in the middle": through(block(), { after: 1 }),
  "mappers alone": mlp(20, { residual: true }),
};

for (const [name, fusion] of Object.entries(fusions)) {
  for (const registers of [0, 2]) {
    test(`the class token alone answers as all tokens do: ${name}, ${registers} registers`, () => {
      const encoder = { ...tinyViT, registers, layerScale: 0.5 };
      const model = classifier.create({ encoder, fusion, classes: 3, pooling: "cls" });
      perturb(model);
      const images = tinyImages();
      const seen = new Map<string, number[]>();
      const tap = (place: string, { shape }: Tensor) => void seen.set(place, shape);
      const whole = model.forward(images).dataSync();
      assertClose(model.forward(images, { lastQueries: 1, tap }).dataSync(), whole, 1e-5);
      assert.equal(seen.get("tokens")![1], 1);
      const slope = (context: Context) =>
        tf
          .grad((x) => tf.sum(tf.square(model.forward(x, context))))(images)
          .dataSync();
      assertClose(slope({ lastQueries: 1 }), slope({}), 1e-4);
    });
  }
}

test("a head that is switched off there changes the answer as with all tokens", () => {
  const model = classifier.create({
    encoder: tinyViT,
    fusion: through(adapted()),
    classes: 3,
    pooling: "cls",
  });
  perturb(model);
  const images = tinyImages(1);
  const edit = (place: string, value: Tensor) =>
    place === "llama.layers.0.attention.heads" ? tf.mul(value, tf.tensor([0, 1], [1, 2, 1, 1])) : value;
  const answers = [{}, { edit }, { edit, lastQueries: 1 }].map((context) =>
    model.forward(images, context).dataSync(),
  );
  assertClose(answers[2], answers[1], 1e-5);
  assert.ok(Math.abs(answers[1][0] - answers[0][0]) > 1e-4);
});

for (const site of ["scores", "pattern"]) {
  test(`an edit of the ${site} that makes several passes of one is followed in each of them`, () => {
    const fusion = through(block({ heads: 2 }));
    const model = classifier.create({ encoder: tinyViT, fusion, classes: 3, pooling: "cls" });
    perturb(model);
    const images = tinyImages(1);
    const gates = tf.tensor([1, 1, 0, 1, 1, 0], [3, 2, 1, 1]);
    const edit = (place: string, value: Tensor) =>
      place === `llama.layers.0.attention.${site}` ? tf.mul(value, gates) : value;
    const answers = model.forward(images, { edit, lastQueries: 1 });
    assert.deepEqual(answers.shape, [3, 3]);
    assertClose(answers.dataSync(), model.forward(images, { edit }).dataSync(), 1e-5);
    const [all, ...others] = tf.split(answers, 3, 0).map((one) => one.dataSync());
    assertClose(all, model.forward(images).dataSync(), 1e-5, "nothing is gated in the first");
    for (const other of others) assert.ok(Math.abs(other[0] - all[0]) > 1e-5);
  });
}

test("a first token of an image is attended to by the projections of images, alone as among all", async () => {
  const { attention } = block().layers[0];
  attention.vision = await copiedVisionQkv(attention);
  perturb(attention, (path) => path.startsWith("vision_"));
  const x = tf.randomNormal([2, 5, 24], 0, 1, "float32", 3);
  for (const visual of [undefined, [{ start: 0, end: 3 }], [{ start: 1, end: 4 }]]) {
    const all = attention.forward(x, { visual }, "attention");
    const alone = attention.forward(x, { visual }, "attention", 1);
    assert.deepEqual(alone.shape, [2, 1, 24]);
    assertClose(alone.dataSync(), tf.slice(all, [0, 0, 0], [2, 1, 24]).dataSync(), 1e-5);
  }
});
