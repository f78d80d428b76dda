import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import { decodeImage } from "../../../src/data/reading/decode";
import * as transforms from "../../../src/data/transforms";
import { classifier } from "../../../src/models";
import { classify } from "../../../src/train/classify";
import { finetune } from "../../../src/train/finetune";
import { assertRejects, finetuning, temporaryFolder, tinyClassifier, tinyViT, writeImages } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

test("an image is named by its likeliest classes, whether it is a file, bytes, pixels or values", async () => {
  const folder = await writeImages(temporaryFolder());
  const set = await imageFolder(folder, { transform: transforms.evaluation(16) });
  const options = { ...finetuning, epochs: 8, dropPath: 0, mix: null, engine: "eager", out: false } as const;
  const { model } = await finetune(tinyClassifier(), set, options).done;
  const path = join(folder, "red", "2.png");
  const red = await classify(model, path);
  assert.deepEqual(
    red.classes.map(({ name, label }) => [name, label]),
    [
      ["red", 1],
      ["green", 0],
    ],
  );
  assert.ok(red.best.probability > 0.5);
  assert.ok(Math.abs(red.classes[0].probability + red.classes[1].probability - 1) < 1e-6);
  assert.match(String(red), /^red \d+\.\d %, green \d+\.\d %$/);
  const bytes = readFileSync(path);
  const { image } = await set.load(8, new Rng(0));
  for (const form of [new Uint8Array(bytes), await decodeImage(path), image])
    assert.deepEqual(await classify(model, form), red);
  assert.equal((await classify(model, join(folder, "green", "0.png"), { topK: 1 })).classes.length, 1);
});

test("a model prepares images as it was trained to, also after it was saved and loaded", async () => {
  const folder = await writeImages(temporaryFolder());
  const root = temporaryFolder();
  const model = classifier.create({
    encoder: { ...tinyViT, imageSize: 24 },
    classes: 2,
    preprocessing: transforms.none(24).preprocessing,
  });
  await model.save(join(root, "model"));
  const loaded = await classifier.load(join(root, "model"));
  assert.deepEqual(loaded.preprocessing, model.preprocessing);
  const path = join(folder, "red", "2.png");
  const values = transforms.none(24).apply(await decodeImage(path), new Rng(0));
  assert.deepEqual(await classify(loaded, path), await classify(model, values));
  assert.equal((await classify(loaded, path)).best.name.slice(0, 6), "class ");
});

test("what cannot be classified, and so many classes as there are not, are refused", async () => {
  const model = tinyClassifier();
  const [folder, values] = [temporaryFolder(), new Float32Array(768)];
  writeFileSync(join(folder, "text.png"), "text");
  await assertRejects(classify(model, join(folder, "text.png")), "bad-image", "text.png");
  await assertRejects(classify(model, values.subarray(1)), "bad-argument", "767 values", "3 x 16 x 16 = 768");
  for (const topK of [0, 3, 1.5, Number.NaN])
    await assertRejects(classify(model, values, { topK }), "bad-argument", "expected 1 to 2");
  const preprocessing = { ...model.preprocessing, size: 32 };
  const other = classifier.create({ encoder: tinyViT, classes: 2, preprocessing });
  const raw = { width: 2, height: 1, data: new Uint8Array(6) };
  await assertRejects(classify(other, raw), "bad-argument", "32 px", "16 px");
});

test("images are normalized with the model's own mean and deviation", async () => {
  const preprocessing = { ...tinyClassifier().preprocessing, mean: [0.5, 0.25, 0], std: [0.5, 0.5, 2] };
  const model = classifier.create({ encoder: tinyViT, classes: 2, preprocessing });
  const [width, height] = [16, 16];
  const raw = { width, height, data: Uint8Array.from({ length: 3 * 256 }, (_, i) => [255, 51, 102][i % 3]) };
  const values = Float32Array.from({ length: 768 }, (_, i) => [1, -0.1, 0.2][Math.floor(i / 256)]);
  const said = async (image: typeof raw | Float32Array) => (await classify(model, image)).classes;
  const [fromPixels, fromValues] = [await said(raw), await said(values)];
  assert.ok(Math.abs(fromPixels[0].probability - fromValues[0].probability) < 1e-6);
  assert.equal(fromPixels[0].label, fromValues[0].label);
});

test("a model's own crop is taken, and pixels that are no image are refused", async () => {
  const preprocessing = transforms.evaluation(16, { cropRatio: 0.5 }).preprocessing!;
  const model = classifier.create({ encoder: tinyViT, classes: 2, preprocessing });
  const [width, height] = [40, 30];
  const raw = { width, height, data: Uint8Array.from({ length: 3600 }, (_, i) => (i * i) % 251) };
  const values = transforms.evaluation(16, { cropRatio: 0.5 }).apply(raw, new Rng(0));
  assert.deepEqual(await classify(model, raw), await classify(model, values));
  const wrong = [{ ...raw, width: 41 }, { ...raw, data: Array.from(raw.data) }, { width, height }, null, 7];
  for (const image of wrong)
    await assertRejects(classify(model, image as never), "bad-argument", "an image: a path, encoded bytes");
});

test("five classes are named where nothing is said, best first, those of equal probability in their order", async () => {
  const model = classifier.create({ encoder: tinyViT, classes: 7 });
  Object.assign(model, { forward: () => tf.tensor2d([[0, 3, 3, -1, 2, 1, 3]]) });
  const { classes, best } = await classify(model, new Float32Array(768));
  assert.deepEqual(
    classes.map(({ label }) => label),
    [1, 2, 6, 4, 5],
  );
  assert.deepEqual([best.label, best.name], [1, "class 1"]);
  assert.equal((await classify(model, new Float32Array(768), { topK: 7 })).classes.length, 7);
});
