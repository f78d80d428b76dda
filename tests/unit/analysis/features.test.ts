import assert from "node:assert/strict";
import { before, test } from "node:test";
import { extractFeatures } from "../../../src/analysis/features";
import { readable } from "../../../src/analysis/givenImages";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import { normalize } from "../../../src/data/pixels";
import * as transforms from "../../../src/data/transforms";
import { assertClose } from "../nn/support";
import { assertRejects, temporaryFolder, tinyLuvit, tinyMae, writeImages } from "./support";

before(async () => void (await startBackend()));

const folder = async () =>
  imageFolder(await writeImages(temporaryFolder()), { transform: transforms.evaluation(16) });

test("by default a classifier's features are what its head turns into logits", async () => {
  const [set, model] = [await folder(), tinyLuvit()];
  const { values, dim, labels, indices } = await extractFeatures(model, set, { batchSize: 5 });
  assert.equal(dim, 16);
  assert.deepEqual([...labels], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual([...indices], [...labels.keys()]);
  const { image } = await set.load(11, new Rng(0));
  const [logits, expected] = tf.tidy(() => [
    model.head.forward(tf.tensor(values.slice(11 * dim), [1, dim])).dataSync(),
    model.forward(tf.tensor(image, [1, 3, 16, 16])).dataSync(),
  ]);
  assertClose(logits, expected, 1e-5, "logits");
});

test("a layer's features are the mean of its patch tokens, of a pretrained encoder too", async () => {
  const set = await folder();
  for (const model of [tinyLuvit(), tinyMae()]) {
    const { values, dim } = await extractFeatures(model, set, { layer: "blocks.0", batchSize: 12 });
    const { image } = await set.load(3, new Rng(0));
    const expected = tf.tidy(() => {
      let out: Tensor | undefined;
      const tap = (name: string, value: Tensor) => {
        if (name === "blocks.0.out") out = value;
      };
      model.encoder.tokens(tf.tensor(image, [1, 3, 16, 16]), { tap });
      return tf.mean(tf.slice(out!, [0, 1, 0], [1, 4, dim]), 1).dataSync();
    });
    assertClose(values.slice(3 * dim, 4 * dim), expected, 1e-5, "features");
  }
});

test("a layer there is not is refused, naming those there are", async () => {
  const options = { layer: "blocks.7" };
  await assertRejects(
    extractFeatures(tinyLuvit(), await folder(), options),
    "bad-argument",
    "blocks.7",
    "blocks.1",
  );
});

test("an image is taken as it is where it fits on both sides, and is resized and cropped where it does not", async () => {
  const of = (width: number, height: number) => ({
    width,
    height,
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 31) % 256),
  });
  const loaded = async (...images: ReturnType<typeof of>[]) => {
    const set = readable(images.length === 1 ? images[0] : images, 16);
    assert.deepEqual([set.size, set.length], [16, images.length]);
    return Promise.all(images.map((_, index) => set.load(index, new Rng(0))));
  };
  const [fits] = await loaded(of(16, 16));
  assert.deepEqual({ ...fits, image: 0 }, { image: 0, label: -1, path: "image", index: 0 });
  assert.deepEqual(fits.image, normalize(of(16, 16)));
  for (const [width, height] of [
    [16, 24],
    [24, 16],
    [40, 40],
  ]) {
    // biome-ignore format: pairs
    const [one, other] = await loaded(of(width, height), of(16, 16));
    assert.deepEqual(
      one.image,
      normalize(transforms.evaluation(16).pixels(of(width, height))),
      `${width} x ${height}`,
    );
    assert.deepEqual([one.path, other.path, other.index], ["image 0", "image 1", 1]);
    assert.deepEqual(other.image, fits.image);
  }
});
