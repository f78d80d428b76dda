import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import type { ImageTransform } from "../../../src/data/imageTransform";
import * as transforms from "../../../src/data/transforms";
import { listTrainingCheckpoints, readTrainingCheckpoint } from "../../../src/io/trainingCheckpoint";
import type { MaskedAutoencoder } from "../../../src/models/mae";
import { finetune } from "../../../src/train/finetune";
import { pretrain } from "../../../src/train/pretrain";
import {
  assertRejects,
  finetuning,
  pictures,
  pretraining,
  temporaryFolder,
  tinyClassifier,
  tinyMae,
  writePictures,
} from "./support";

before(async () => void (await startBackend()));

async function assertSavedAreFinite(out: string): Promise<void> {
  for (const { folder } of await listTrainingCheckpoints(out)) {
    const { model, optimizer } = await readTrainingCheckpoint(folder);
    for (const [path, { data }] of [...model, ...optimizer])
      assert.ok(data.every(Number.isFinite), `${folder}: ${path}`);
  }
}

test("a run that cannot write says so before its first step", async () => {
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "not a folder");
  const run = pretrain(tinyMae(), await pictures(), { ...pretraining, out: join(file, "run") });
  await assertRejects(run.done, "bad-file", "cannot be written");
  assert.equal(run.history.length, 0);
});

test("an absurd rate ends the run, naming step, rate, pictures and last good checkpoint", async () => {
  const out = join(temporaryFolder(), "run");
  const options = { ...pretraining, epochs: 20, lr: 1e30, warmupEpochs: 0, out };
  const run = pretrain(tinyMae(), await pictures(), options);
  const error = await assertRejects(
    run.done,
    "non-finite",
    /step \d+/,
    /learning rate \d\.\d+e\+(29|30)/,
    "Last good checkpoint",
  );
  assert.match(error.message, /lower rate|longer warm-up/);
  assert.equal(run.state, "failed");
  await assertSavedAreFinite(out);
});

test("a poisoned picture ends the run, naming the batch; what was saved before stays good", async () => {
  const out = join(temporaryFolder(), "run");
  const plain = transforms.evaluation(16);
  let poisoned = false;
  const apply: ImageTransform["apply"] = (image, rng) =>
    poisoned ? plain.apply(image, rng).fill(Number.NaN) : plain.apply(image, rng);
  const set = (await pictures()).withTransform({ name: "poison", size: 16, apply });
  const run = finetune(tinyClassifier(), set, { ...finetuning, epochs: 9, out });
  run.onRecord(({ step }) => {
    poisoned = step >= 4;
  });
  const checkpoint = join(out, "checkpoint-000003");
  await assertRejects(
    run.done,
    "non-finite",
    "finetune: the loss",
    /at step [567]/,
    ".png",
    `Last good checkpoint: ${checkpoint}`,
  );
  assert.equal(run.checkpoint, checkpoint);
  await assertSavedAreFinite(out);
});

test("nothing was saved yet: the error says so", async () => {
  const set = (await pictures()).withTransform({
    name: "nan",
    size: 16,
    apply: () => new Float32Array(768).fill(Number.NaN),
  });
  const out = join(temporaryFolder(), "run");
  const run = pretrain(tinyMae(), set, { ...pretraining, out });
  await assertRejects(run.done, "non-finite", "at step 1", "none was written yet");
  assert.deepEqual(await listTrainingCheckpoints(out), []);
});

test("parameters that overflow in the step before a checkpoint are not saved", async () => {
  const out = join(temporaryFolder(), "run");
  const model = tinyMae();
  const run = pretrain(model, await pictures(), { ...pretraining, out, engine: "eager" });
  run.onRecord(({ step }) => {
    if (step === 6) overflow(model);
  });
  const checkpoint = join(out, "checkpoint-000003");
  const pieces = [
    "step 6",
    "learning rate",
    "not saved",
    "mask_token",
    `Last good checkpoint: ${checkpoint}`,
  ];
  await assertRejects(run.done, "non-finite", ...pieces);
  await assertSavedAreFinite(out);
});

function overflow(model: MaskedAutoencoder): void {
  const { mask_token } = model;
  mask_token.load({
    shape: mask_token.shape,
    data: new Float32Array(mask_token.size).fill(Number.POSITIVE_INFINITY),
  });
}

test("an unreadable picture is left out by name and the run goes on", async () => {
  const data = await writePictures(temporaryFolder());
  const broken = join(data, "red", "3.png");
  writeFileSync(broken, "not a picture");
  const set = await imageFolder(data, { transform: transforms.evaluation(16) });
  const { history } = await pretrain(tinyMae(), set, { ...pretraining, out: false }).done;
  assert.equal(history.length, 6);
  assert.ok(history.every(({ loss }) => Number.isFinite(loss)));
  assert.deepEqual(
    set.report.skipped.map(({ path }) => path),
    [broken],
  );
});

test("steps, epochs, failures and whole runs leave no tensor behind", async () => {
  const set = await pictures(transforms.finetune);
  const { numTensors: empty } = tf.memory();
  const model = tinyClassifier();
  const run = finetune(model, set, {
    ...finetuning,
    engine: "eager",
    epochs: 3,
    validation: set,
    out: join(temporaryFolder(), "run"),
  });
  const counts: number[] = [];
  run.onRecord(() => counts.push(tf.memory().numTensors));
  await run.done;
  assert.equal(new Set(counts).size, 1, `tensors after each step: ${counts}`);
  const parameters = [...model.namedParameters()].length;
  assert.equal(tf.memory().numTensors, empty + parameters, "the optimiser's are gone, the model's are there");
  model.dispose();
  assert.equal(tf.memory().numTensors, empty);

  const masked = tinyMae();
  await pretrain(masked, set, { ...pretraining, out: false }).done;
  await pretrain(masked, set, { ...pretraining, out: false }).stop();
  await pretrain(masked, set, {
    ...pretraining,
    lr: 1e30,
    warmupEpochs: 0,
    epochs: 9,
    out: false,
  }).done.catch(() => {});
  masked.dispose();
  assert.equal(tf.memory().numTensors, empty);
});
