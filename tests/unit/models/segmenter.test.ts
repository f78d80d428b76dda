import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { classifier, mae, segmenter } from "../../../src/models";
import {
  addPixel,
  addPixels,
  emptyPixelCounts,
  iousOf,
  meanOf,
  sumOfCounts,
} from "../../../src/models/pixelCounts";
import { segmentTargets } from "../../../src/models/segmentTargets";
import { assertRejects, temporaryFolder } from "../io/support";
import { assertClose, isLuvitError, randomTensor } from "../nn/support";
import { hostGradients, perturb, tinyBlock, tinyDecoder, tinyImages, tinyViT } from "./support";

before(() => startBackend());

const values = async (model: segmenter.Segmenter, path: string) => (await model.stateDict()).get(path)!.data;

for (const fusion of [undefined, tinyBlock]) {
  const name = fusion ? "LUViT" : "ViT";
  test(`a segmenter from a masked auto-encoder has its encoder's weights, a norm of its own and a head near zero: ${name}`, async () => {
    const source = mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: fusion?.() });
    perturb(source, (path) => !path.startsWith("llama"));
    const model = await segmenter.fromPretrained(source, { classes: 5 });
    for (const [path, { data }] of await source.encoder.stateDict()) {
      if (!path.startsWith("norm.")) assert.deepEqual(await values(model, path), data, path);
    }
    const paths = [...model.namedParameters()].map(([path]) => path);
    assert.ok(!paths.some((path) => path.startsWith("norm.") || path.startsWith("decoder")));
    assert.deepEqual(await values(model, "fc_norm.weight"), new Float32Array(16).fill(1));
    const head = await values(model, "head.weight");
    assert.ok(head.every((x) => Math.abs(x) < 2e-4) && head.some((x) => x !== 0));
    const bias = await values(model, "head.bias");
    assert.ok(bias.every((x) => Math.abs(x) <= 0.25) && bias.some((x) => Math.abs(x) > 1e-3));
    assert.ok(model.encoder.pos_embed.trainable && !source.encoder.pos_embed.trainable);
  });
}

test("a segmenter from a classifier that pools by mean takes over its fc_norm, from one with a class token only the encoder", async () => {
  for (const pooling of ["mean", "cls"] as const) {
    const source = classifier.create({ encoder: tinyViT, classes: 3, pooling });
    perturb(source);
    const model = await segmenter.fromPretrained(source, { classes: 5 });
    const norm = await values(model, "fc_norm.weight");
    if (pooling === "mean") assert.deepEqual(norm, (await source.stateDict()).get("fc_norm.weight")!.data);
    else assert.deepEqual(norm, new Float32Array(16).fill(1));
    assert.deepEqual(
      await values(model, "blocks.1.mlp.fc2.weight"),
      (await source.stateDict()).get("blocks.1.mlp.fc2.weight")!.data,
    );
  }
});

test("a frozen segmenter trains its head alone", async () => {
  const source = mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: tinyBlock() });
  const model = await segmenter.fromPretrained(source, { classes: 5, frozen: true });
  const trained = [...model.namedParameters()].filter(([, p]) => p.trainable).map(([path]) => path);
  assert.deepEqual(trained, ["head.weight", "head.bias"]);
  assert.ok(source.encoder.cls_token!.trainable);
});

test("logits have a place for every patch, whatever the size; what fills no patch changes nothing", () => {
  const model = segmenter.create({ encoder: tinyViT, classes: 5 });
  perturb(model);
  const images = randomTensor([1, 3, 18, 31], 5);
  const logits = model.forward(images);
  assert.deepEqual(logits.shape, [1, 5, 4, 7]);
  assert.deepEqual(
    model.forward(tf.slice(images, [0, 0, 0, 0], [1, 3, 16, 28])).dataSync(),
    logits.dataSync(),
  );
  assert.throws(() => model.forward(tf.zeros([1, 3, 3, 12])), isLuvitError("shape-mismatch", "at least 4"));
});

test("an image with as many rows and columns as the model's square, but not square itself, gets other positions", () => {
  const model = segmenter.create({ encoder: tinyViT, classes: 5 });
  perturb(model);
  const square = randomTensor([1, 3, 12, 12], 5);
  const wider = tf.concat([square, tf.zeros([1, 3, 12, 2])], 3);
  const [a, b] = [model.forward(square), model.forward(wider)].map((x) => x.dataSync());
  assert.deepEqual([a.length, b.length], [45, 45]);
  assert.ok(a.some((x, i) => Math.abs(x - b[i]) > 1e-4));
});

test("ignored pixels take no part in the loss and its gradients; a batch with nothing else has loss 0", () => {
  const model = segmenter.create({ encoder: tinyViT, classes: 5 });
  perturb(model);
  const images = tinyImages(2);
  const size = { height: 12, width: 12 };
  const grid = { rows: 6, columns: 6, classes: 5 };
  const maps = Int32Array.from({ length: 2 * 144 }, (_, i) => (i < 144 ? (7 * i) % 5 : 1000));
  const lossOf = (ids: Int32Array, x = images) => {
    const targets = segmentTargets({ ids, ...size }, grid);
    const inputs = {
      images: x,
      ids: tf.tensor1d(targets.ids, "int32"),
      weights: tf.tensor1d(targets.weights),
    };
    return () => model.loss(inputs);
  };
  const first = tf.slice(images, [0, 0, 0, 0], [1, 3, 12, 12]);
  const alone = lossOf(maps.slice(0, 144), first)().dataSync()[0];
  assertClose([lossOf(maps)().dataSync()[0]], [alone], 1e-5);
  const nothing = lossOf(new Int32Array(288).fill(1000));
  assert.equal(nothing().dataSync()[0], 0);
  const variables = new Map([["head.weight", model.head.weight.value]]);
  assert.ok(
    hostGradients(nothing, variables)
      .get("head.weight")!
      .every((x) => x === 0),
  );
});

test("an id that is no class is refused by its image's name", () => {
  const ids = new Int32Array(2 * 16);
  ids[16] = 7;
  const maps = { ids, height: 4, width: 4 };
  const name = (image: number) => ["a.png", "b.png"][image];
  const targets = () => segmentTargets(maps, { rows: 2, columns: 2, classes: 5 }, name);
  const targetsWith = (id: number) =>
    segmentTargets({ ...maps, ids: Int32Array.from(ids).fill(id, 16) }, { rows: 2, columns: 2, classes: 5 });
  for (const good of [0, 4, 1000]) assert.equal(targetsWith(good).ids[4], good % 1000);
  for (const foreign of [-1, 5, 999, 1001])
    assert.throws(() => targetsWith(foreign), isLuvitError("bad-dataset"));
  assert.throws(targets, isLuvitError("bad-dataset", "b.png: its mask has id 7;", "0 (other) to 4 apart"));
});

test("class names are those of all ids but the first", () => {
  const options = { encoder: tinyViT, classes: 3 };
  assert.deepEqual(segmenter.create({ ...options, classNames: ["a", "b"] }).classNames, ["a", "b"]);
  const three = () => segmenter.create({ ...options, classNames: ["a", "b", "c"] });
  assert.throws(three, isLuvitError("bad-argument", "3 classNames for 3 ids, expected 2"));
  assert.throws(() => segmenter.create({ ...options, classes: 1 }), isLuvitError("bad-argument", "classes"));
});

test("a checkpoint under the official names comes back, and a classifier's gives all but its head", async () => {
  const folder = temporaryFolder();
  const model = segmenter.create({ encoder: tinyViT, classes: 5, seed: 3 });
  perturb(model);
  for (const name of ["a.pth", "a.safetensors"]) {
    const keys = await segmenter.saveCheckpoint(model, join(folder, name));
    assert.ok(keys.includes("fc_norm.bias") && keys.includes("head.weight") && keys.includes("cls_token"));
    const other = segmenter.create({ encoder: tinyViT, classes: 5 });
    await segmenter.loadCheckpoint(other, join(folder, name));
    assert.deepEqual(other.forward(tinyImages()).dataSync(), model.forward(tinyImages()).dataSync());
  }
  const tuned = classifier.create({ encoder: tinyViT, classes: 5, seed: 4 });
  await classifier.saveCheckpoint(tuned, join(folder, "tuned.pth"));
  const report = await segmenter.loadCheckpoint(model, join(folder, "tuned.pth"));
  assert.ok(report.loaded.includes("fc_norm.weight") && !report.loaded.includes("head.weight"));
  const large = segmenter.create({ encoder: { ...tinyViT, imageSize: 20 }, classes: 5 });
  assert.ok((await segmenter.loadCheckpoint(large, join(folder, "a.pth"))).loaded.includes("pos_embed"));
  await tuned.save(join(folder, "saved"));
  await assertRejects(
    () => segmenter.load(join(folder, "saved")),
    "bad-argument",
    "holds a classifier, not a segmenter",
  );
});

test("ids of rectangles shrink along each axis by its own factor; what counts weighs as much as all", () => {
  const ids = Int32Array.from({ length: 2 * 4 * 9 }, (_, i) => (i < 36 ? i : 1000));
  ids[36] = 5;
  const { ids: small, weights } = segmentTargets(
    { ids, height: 4, width: 9 },
    { rows: 2, columns: 3, classes: 36 },
  );
  // Rows 0 and 2, columns 0, 3 and 6; of the second image its first pixel alone counts.
  assert.deepEqual([...small], [0, 3, 6, 18, 21, 24, 5, 0, 0, 0, 0, 0]);
  assertClose(weights, [...new Array(7).fill(12 / 7), 0, 0, 0, 0, 0], 1e-6);
});

test("pixels are counted by target and by prediction, what is none in neither; overlaps are of what both have", () => {
  const counts = emptyPixelCounts(3);
  addPixels(counts, Int32Array.of(0, 1, 1, 2, 2), Int32Array.of(0, 1, 2, 1000, 2), "a.png");
  addPixel(counts, -1, 1);
  addPixel(counts, 0, -1);
  addPixel(counts, -1, -1);
  const { both, target, prediction } = sumOfCounts([counts, emptyPixelCounts(3)]);
  assert.deepEqual(
    [[...both], [...target], [...prediction]],
    [
      [1, 1, 1],
      [1, 2, 2],
      [2, 2, 1],
    ],
  );
  assertClose(iousOf(counts), [50, 100 / 3, 50], 1e-6);
  assertClose(iousOf(sumOfCounts([counts, counts, counts])), [50, 100 / 3, 50], 1e-6);
  assert.equal(iousOf(emptyPixelCounts(2))[1], 0, "a class that nobody has");
  assert.equal(meanOf([1, 2, 6]), 3);
  for (const id of [-1, 3])
    assert.throws(
      () => addPixels(counts, Int32Array.of(0), Int32Array.of(id), "a.png"),
      isLuvitError("bad-dataset", "a.png", `id ${id}`),
    );
});
