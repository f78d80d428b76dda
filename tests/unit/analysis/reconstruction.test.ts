import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { backgroundReliance } from "../../../src/analysis/backgrounds";
import { type Reconstruction, reconstruct } from "../../../src/analysis/reconstruction";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import type { RgbImage } from "../../../src/data/pixels/rgbImage";
import * as transforms from "../../../src/data/transforms";
import { reconstructionGrid } from "../../../src/figures/maps";
import { mae } from "../../../src/models";
import type { MaeInputs } from "../../../src/models/mae";
import { tinyDecoder, tinyViT } from "../train/support";
import { assertRejects, temporaryFolder, tinyClassifier, tinyMae, writeImages } from "./support";

before(async () => void (await startBackend()));

const fourImages = async () =>
  imageFolder(await writeImages(temporaryFolder(), 2), { transform: transforms.evaluation(16) });

/** The bytes of patch `number` (8 pixels wide, row-major). */
function patch({ data, width }: RgbImage, number: number): number[] {
  const [top, left] = [8 * Math.floor(number / 2), 8 * (number % 2)];
  const rows = Array.from({ length: 8 }, (_, y) =>
    data.subarray(3 * ((top + y) * width + left)).subarray(0, 24),
  );
  return rows.flatMap((row) => [...row]);
}

const same = (a: RgbImage, b: RgbImage, number: number) =>
  patch(a, number).join() === patch(b, number).join();

/** Patches that were left visible: `masked` shows them as they are. */
const visiblePatches = ({ original, masked }: Reconstruction) =>
  [0, 1, 2, 3].filter((p) => same(original, masked, p));

test("visible patches of `combined` are the image's, removed ones the prediction's; removed ones are gray", async () => {
  for (const normPixLoss of [true, false]) {
    const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder, maskRatio: 0.5, normPixLoss });
    const results = await reconstruct(model, await fourImages());
    assert.equal(results.length, 4);
    for (const result of results) {
      const visible = visiblePatches(result);
      assert.equal(visible.length, 2);
      for (const p of [0, 1, 2, 3]) {
        assert.ok(same(result.combined, visible.includes(p) ? result.original : result.predicted, p));
        if (!visible.includes(p))
          assert.equal(new Set(patch(result.masked, p)).size, 3, "one color: the mean");
      }
      assert.deepEqual([result.predicted.width, result.predicted.height], [16, 16]);
    }
  }
});

test("what a fresh decoder makes is said to be that, where it is shown too, until the decoder has weights", async () => {
  const model = tinyMae();
  const fresh = await reconstruct(model, await fourImages());
  assert.ok(fresh.every(({ note }) => note === "fresh decoder, not trained"));
  const folder = temporaryFolder();
  await model.save(folder);
  assert.ok((await mae.load(folder)).decoderIsFresh);
  model.loadStateDict(await model.stateDict());
  const known = await reconstruct(model, await fourImages());
  assert.ok(known.every(({ note }) => note === undefined));
  const [with_, without] = [await reconstructionGrid(fresh), await reconstructionGrid(known)];
  assert.ok(with_.height > without.height, "a line below each row");
});

test("`original` is the image as the model gets it", async () => {
  const set = await fourImages();
  const [{ original }] = await reconstruct(tinyMae(), set);
  const pixels = await set.cache.get(set.path(0));
  assert.deepEqual(original, transforms.evaluation(16).pixels(pixels));
});

test("a model that predicts the target gives the image back, up to rounding", async () => {
  // In a patch of 12 numbers the biased deviation is off by 4 %, several levels.
  for (const [patchSize, normPixLoss] of [
    [8, true],
    [8, false],
    [2, true],
  ] as const) {
    const model = mae.create({ encoder: { ...tinyViT, patchSize }, decoder: tinyDecoder, normPixLoss });
    let images: Tensor | undefined;
    const oracle = Object.assign(model, {
      encode(inputs: MaeInputs) {
        images = inputs.images;
        return mae.MaskedAutoencoder.prototype.encode.call(model, inputs);
      },
      decode: () => model.target(images!),
    });
    for (const { original, predicted, combined } of await reconstruct(oracle, await fourImages())) {
      for (const image of [predicted, combined]) {
        for (const [i, byte] of image.data.entries()) assert.ok(Math.abs(byte - original.data[i]) <= 1);
      }
    }
  }
});

test("the seed decides the mask; nothing is left behind; images of another size are refused", async () => {
  const set = await fourImages();
  const model = tinyMae();
  const visible = async (seed?: number) => (await reconstruct(model, set, { seed })).map(visiblePatches);
  const first = await visible();
  const { numTensors } = tf.memory();
  assert.deepEqual(await visible(0), first);
  const others = [await visible(1), await visible(2), await visible(3)];
  assert.ok(others.some((other) => JSON.stringify(other) !== JSON.stringify(first)));
  assert.equal(tf.memory().numTensors, numTensors);
  const large = await imageFolder(set.root, { transform: transforms.evaluation(32) });
  await assertRejects(reconstruct(model, large), "bad-argument", "32 px", "16 px");
});

test("background reliance: accuracy per split, and same minus random as the gap", async () => {
  const set = await fourImages();
  const judge = Object.assign(tinyClassifier(), {
    forward: (images: Tensor) => {
      const [red, green] = tf.split(tf.mean(images, [2, 3]), 3, 1);
      return tf.concat([green, red], 1);
    },
  });
  const mislabeled = { ...set, length: 4, size: 16, classes: set.classes, load: flipped(set, 1) };
  const splits = { original: set, mixed_same: set, mixed_rand: mislabeled as unknown as typeof set };
  const result = await backgroundReliance(judge, splits);
  assert.deepEqual([result.original, result.mixedSame, result.mixedRand], [100, 100, 75]);
  assert.equal(result.backgroundGap, 25);
  assert.equal(
    inspect(result),
    "original 100.0 % · mixed_same 100.0 % · mixed_rand 75.0 % · background gap 25.0 points",
  );
});

test("background reliance refuses a model that tells other classes apart", async () => {
  const set = await fourImages();
  set.classes.push("blue");
  const splits = { original: set, mixed_same: set, mixed_rand: set };
  await assertRejects(
    backgroundReliance(tinyClassifier(), splits),
    "bad-argument",
    "original",
    "3 classes",
    "head 2",
  );
});

/** Loads as `set` does, with the label of one image turned round. */
function flipped(set: Awaited<ReturnType<typeof fourImages>>, index: number): typeof set.load {
  return async (at, rng) => {
    const sample = await set.load(at, rng);
    return at === index ? { ...sample, label: 1 - sample.label } : sample;
  };
}
