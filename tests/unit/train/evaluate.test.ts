import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { ClassMapping } from "../../../src/data/classMapping";
import type { ImageDataset } from "../../../src/data/dataset";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { classifier } from "../../../src/models";
import type { Classifier } from "../../../src/models/classifier";
import { Evaluation, evaluate } from "../../../src/train/evaluate";
import { finetune } from "../../../src/train/finetune";
import { assertRejects, temporaryFolder, tinyClassifier, tinyViT, writeImages } from "./support";

before(async () => void (await startBackend()));

/** Takes an image for the class whose color is stronger: green 0, red 1. */
function colorJudge(): Classifier {
  const forward = (images: Tensor) => {
    const [red, green] = tf.split(tf.mean(images, [2, 3]), 3, 1);
    return tf.concat([green, red], 1);
  };
  return Object.assign(tinyClassifier(), { forward });
}

test("accuracy, loss, labels and predictions of a model that judges by color", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const result = await evaluate(colorJudge(), set, { batchSize: 5 });
  assert.equal(result.top1, 100);
  assert.deepEqual([...result.labels], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual(result.predictions, result.labels);
  assert.ok(result.loss > 0 && result.loss < Math.log(2));
  assert.match(inspect(result), /^top-1 100\.0 % of 12 images, loss 0\.\d{3}$/);
});

test("accuracy is of the images that were answered, unreadable ones are neither right nor wrong", async () => {
  const root = await writeImages(temporaryFolder());
  writeFileSync(join(root, "green", "0.png"), "no image");
  const set = await imageFolder(root, { transform: transforms.evaluation(16) });
  const { top1, labels } = await evaluate(colorJudge(), set);
  assert.deepEqual([top1, labels.length, set.length], [100, 11, 12]);
});

test("a set with the classes that a model knows in another order is refused", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const model = Object.assign(colorJudge(), { classNames: ["red", "green"] });
  await assertRejects(
    evaluate(model, set),
    "bad-argument",
    "class 0 is red for the model, green in the data set",
  );
  model.classNames = ["n01440764", "n01443537"]; // other words for them say nothing
  assert.equal((await evaluate(model, set)).top1, 100);
});

test("images come in order whatever the batch size, the last batch is counted, the loss is the mean", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const mixed = set.subset([11, 0, 7, 1, 2, 3, 4]);
  const whole = await evaluate(tinyClassifier(), mixed, { batchSize: 7 });
  assert.deepEqual([...whole.labels], [1, 0, 1, 0, 0, 0, 0]);
  for (const batchSize of [1, 3, 32]) {
    const { loss, predictions } = await evaluate(tinyClassifier(), mixed, { batchSize });
    assert.deepEqual(predictions, whole.predictions);
    assert.ok(Math.abs(loss - whole.loss) < 1e-6);
  }
  const half = Object.assign(tinyClassifier(), {
    forward: (images: Tensor) => tf.zeros([images.shape[0], 2]),
  });
  const { top1, loss } = await evaluate(half, mixed);
  assert.ok(Math.abs(top1 - (100 * 5) / 7) < 1e-9, "the first of equal logits is taken");
  assert.ok(Math.abs(loss - Math.log(2)) < 1e-6);
});

test("an unreadable image is counted neither itself nor as another one twice", async () => {
  const data = await writeImages(temporaryFolder());
  writeFileSync(join(data, "green", "5.png"), "not an image");
  const set = await imageFolder(data, { transform: transforms.evaluation(16) });
  const { labels } = await evaluate(colorJudge(), set, { batchSize: 4 });
  assert.deepEqual([...labels], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  assert.equal(set.report.count, 1);
});

test("images whose whole class is unreadable are left out as well, and nothing at all is no evaluation", async () => {
  const data = await writeImages(temporaryFolder(), 2);
  for (const name of ["0.png", "1.png"]) writeFileSync(join(data, "green", name), "not an image");
  const set = await imageFolder(data, { transform: transforms.evaluation(16) });
  const { labels } = await evaluate(colorJudge(), set, { batchSize: 3 });
  assert.deepEqual([...labels], [1, 1]);
  assert.equal(set.report.count, 2);
  const green = set.subset([0, 1]);
  await assertRejects(
    evaluate(colorJudge(), green),
    "bad-dataset",
    "none of the 2 images can be read",
    "0.png",
  );
});

test("a model whose logits are not numbers is right nowhere", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const broken = Object.assign(tinyClassifier(), {
    forward: (images: Tensor) => tf.fill([images.shape[0], 2], Number.NaN),
  });
  const { top1, loss } = await evaluate(broken, set);
  assert.equal(top1, 0);
  assert.ok(Number.isNaN(loss));
});

test("evaluation leaves no tensor behind and refuses sets that do not fit", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const model = tinyClassifier();
  await evaluate(model, set);
  const { numTensors } = tf.memory();
  await evaluate(model, set, { batchSize: 5 });
  assert.equal(tf.memory().numTensors, numTensors);
  const large = await imageFolder(set.root, { transform: transforms.evaluation(32) });
  await assertRejects(evaluate(model, large), "bad-argument", "32 px", "16 px");
  set.classes.push("blue");
  await assertRejects(evaluate(model, set), "bad-argument", "3 classes", "head has 2");
});

test("every engine judges alike, and validation during a run is evaluation after it", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const model = tinyClassifier();
  const options = { epochs: 1, batchSize: 5, lr: 1e-3, out: false, validation: set } as const;
  const { history } = await finetune(model, set, options).done;
  const results = await Promise.all(
    (["eager", "onnxruntime"] as const).map((engine) => evaluate(model, set, { engine, batchSize: 5 })),
  );
  assert.deepEqual(results[1].predictions, results[0].predictions);
  assert.ok(Math.abs(results[1].loss - results[0].loss) < 1e-5);
  assert.equal(history.at(-1)!.top1, results[0].top1);
});

test("an evaluation prints its best five where they say something, and its loss where it has one", () => {
  const one = {
    top1: 12.345,
    top5: 50,
    loss: 1.23456,
    labels: new Int32Array(3),
    predictions: new Int32Array(3),
  };
  const printed = (more: object) => String(new Evaluation({ ...one, ...more }));
  assert.equal(printed({}), "top-1 12.3 %, top-5 50.0 % of 3 images, loss 1.235");
  for (const top5 of [null, 100]) assert.equal(printed({ top5 }), "top-1 12.3 % of 3 images, loss 1.235");
  assert.equal(printed({ loss: Number.NaN }), "top-1 12.3 %, top-5 50.0 % of 3 images");
});

test("of seven classes the five best are counted by themselves", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder(), 2), {
    transform: transforms.evaluation(16),
  });
  // Each image of label 0 has its class sixth, each of label 1 fifth.
  const model = Object.assign(classifier.create({ encoder: tinyViT, classes: 7 }), {
    forward: (images: Tensor) => tf.tile(tf.tensor2d([[1, 2, 6, 5, 4, 3, 0]]), [images.shape[0], 1]),
  });
  const { top1, top5, loss } = await evaluate(model, set);
  assert.deepEqual([top1, top5], [0, 50]);
  const sum = [1, 2, 6, 5, 4, 3, 0].reduce((total, x) => total + Math.exp(x), 0);
  assert.ok(Math.abs(loss - (Math.log(sum) - 1.5)) < 1e-5);
});

test("labels that several classes stand for have neither a loss nor a best five; of a slice of classes only they compete", async () => {
  const folder = await imageFolder(await writeImages(temporaryFolder(), 2), {
    transform: transforms.evaluation(16),
  });
  const model = Object.assign(classifier.create({ encoder: tinyViT, classes: 7 }), {
    forward: (images: Tensor) => tf.tile(tf.tensor2d([[1, 2, 6, 5, 4, 3, 0]]), [images.shape[0], 1]),
  });
  const mapped = (labels: number[], competing: "mapped" | "all") => {
    const mapping = { value: new ClassMapping("slice", Int32Array.from(labels), competing) };
    return evaluate(model, Object.create(folder, { mapping }) as ImageDataset, { batchSize: 3 });
  };
  // The best of all, class 2, is one of label 1's.
  const nine = await mapped([0, 1, 1, 0, 0, -1, -1], "all");
  assert.deepEqual([nine.top1, nine.top5, [...nine.predictions]], [50, null, [1, 1, 1, 1]]);
  assert.ok(Number.isNaN(nine.loss));
  assert.equal(String(nine), "top-1 50.0 % of 4 images");
  const none = await mapped([0, 1, -1, 0, 0, -1, -1], "all");
  assert.deepEqual([none.top1, [...none.predictions]], [0, [-1, -1, -1, -1]], "the best stands for no label");
  const slice = await mapped([-1, 1, -1, 0, -1, -1, -1], "mapped");
  assert.deepEqual([slice.top1, slice.top5, [...slice.predictions]], [50, 100, [0, 0, 0, 0]]);
  const [other, best] = [2, 5].map((x) => Math.log(Math.exp(2) + Math.exp(5)) - x);
  assert.ok(Math.abs(slice.loss - (other + best) / 2) < 1e-5, "among the two");
});
