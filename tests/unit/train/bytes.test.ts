import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import * as transforms from "../../../src/data/transforms";
import { tensorflowProblem } from "../../../src/engine";
import { evaluate } from "../../../src/train/evaluate";
import { pretrain } from "../../../src/train/pretrain";
import { images, losses, pretraining, tinyClassifier, tinyMae } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

/** The same set, whose reader gives normalized numbers only. */
const withoutBytes = (set: ImageDataset): ImageDataset =>
  Object.create(set, { hasBytes: { value: false } }) as ImageDataset;

for (const engine of ["onnxruntime", "tensorflow", "eager"] as const) {
  const skip = engine === "tensorflow" ? (tensorflowProblem() ?? false) : false;
  test(`${engine}: pretraining on bytes makes the steps that pretraining on numbers makes`, {
    skip,
  }, async () => {
    const set = await images();
    assert.equal(set.hasBytes, true);
    const options = { ...pretraining, batchSize: 3, epochs: 1, out: false, engine } as const;
    const [bytes, numbers] = [
      await pretrain(tinyMae(), set, options).done,
      await pretrain(tinyMae(), withoutBytes(set), options).done,
    ];
    const differences = losses(bytes.history).map((loss, i) => Math.abs(loss - losses(numbers.history)[i]));
    assert.ok(Math.max(...differences) < 1e-5, `${differences}`);
  });
}

test("evaluation on bytes, the last batch filled up, answers as on numbers", async () => {
  const model = tinyClassifier();
  const set = (await images()).withTransform(transforms.evaluation(model.encoder.config.imageSize));
  const options = { batchSize: 5 };
  const [bytes, numbers] = [
    await evaluate(model, set, options),
    await evaluate(model, withoutBytes(set), options),
  ];
  assert.deepEqual(bytes.predictions, numbers.predictions);
  assert.ok(Math.abs(bytes.loss - numbers.loss) < 1e-6);
});
