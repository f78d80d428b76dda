import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import type { ImageTransform } from "../../../src/data/imageTransform";
import * as transforms from "../../../src/data/transforms";
import { listTrainingCheckpoints, readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { finetune } from "../../../src/train/finetune";
import { pretrain } from "../../../src/train/pretrain";
import {
  assertRejects,
  finetuning,
  images,
  pretraining,
  temporaryFolder,
  tinyClassifier,
  tinyMae,
  writeImages,
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
  const run = pretrain(tinyMae(), await images(), { ...pretraining, out: join(file, "run") });
  await assertRejects(run.done, "bad-file", "cannot be written");
  assert.equal(run.history.length, 0);
});

test("an absurd rate ends the run, naming step, rate, images and last good checkpoint", async () => {
  const out = join(temporaryFolder(), "run");
  const options = { ...pretraining, epochs: 20, lr: 1e30, warmupEpochs: 0, out };
  const run = pretrain(tinyMae(), await images(), options);
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

test("a poisoned image ends the run, naming the batch; what was saved before stays good", async () => {
  const out = join(temporaryFolder(), "run");
  const plain = transforms.evaluation(16);
  let poisoned = false;
  const apply: ImageTransform["apply"] = (image, rng) =>
    poisoned ? plain.apply(image, rng).fill(Number.NaN) : plain.apply(image, rng);
  const set = (await images()).withTransform({ name: "poison", size: 16, apply });
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
  const set = (await images()).withTransform({
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
  // One step per epoch: the first at rate 0, the second so large that float32 does not hold what decay takes away.
  const overflowing = { ...pretraining, batchSize: 12, lr: 1e38, weightDecay: 1000 };
  const run = pretrain(tinyMae(), await images(), { ...overflowing, out });
  const checkpoint = join(out, "checkpoint-000001");
  const pieces = [
    "step 2",
    "learning rate",
    "not saved",
    "mask_token",
    `Last good checkpoint: ${checkpoint}`,
  ];
  await assertRejects(run.done, "non-finite", ...pieces);
  await assertSavedAreFinite(out);
});

test("an unreadable image is left out by name and the run goes on", async () => {
  const data = await writeImages(temporaryFolder());
  const broken = join(data, "red", "3.png");
  writeFileSync(broken, "not an image");
  const set = await imageFolder(data, { transform: transforms.evaluation(16) });
  const { history } = await pretrain(tinyMae(), set, { ...pretraining, out: false }).done;
  assert.equal(history.length, 6);
  assert.ok(history.every(({ loss }) => Number.isFinite(loss)));
  assert.deepEqual(
    set.report.skipped.map(({ path }) => path),
    [broken],
  );
});

test("a class of which nothing can be read, or too many unreadable images, stop a run before its first step", async () => {
  const data = await writeImages(temporaryFolder());
  const files = readdirSync(join(data, "red")).map((name) => join(data, "red", name));
  for (const file of files) writeFileSync(file, "<svg xmlns='http://www.w3.org/2000/svg'/>");
  const lost = pretrain(tinyMae(), await imageFolder(data, { transform: transforms.evaluation(16) }), {
    ...pretraining,
    out: false,
  });
  await assertRejects(lost.done, "bad-dataset", "class red: none of the 6", "it is SVG", ...files);
  assert.equal(lost.history.length, 0);
  await writeImages(data);
  for (const file of files.slice(0, 2)) writeFileSync(file, "not an image");
  const set = await imageFolder(data, { transform: transforms.evaluation(16) });
  const many = pretrain(tinyMae(), set, { ...pretraining, out: false });
  await assertRejects(many.done, "bad-dataset", "2 of 12 images", "at most 10 %", ...files.slice(0, 2));
  assert.equal(many.history.length, 0);
  const allowed = pretrain(tinyMae(), set, { ...pretraining, out: false, maxUnreadable: 0.2 });
  assert.equal((await allowed.done).history.length, 6);
});

test("images that become unreadable stop a run after the step that showed it, which is saved", async () => {
  const data = await writeImages(temporaryFolder());
  const set = await imageFolder(data, { transform: transforms.evaluation(16), cache: false });
  const out = join(temporaryFolder(), "run");
  const run = pretrain(tinyMae(), set, { ...pretraining, epochs: 40, out });
  run.onRecord(({ step }) => {
    if (step !== 2) return;
    for (const name of ["1", "2", "3"]) writeFileSync(join(data, "red", `${name}.png`), "gone");
  });
  await assertRejects(run.done, "bad-dataset", "of 12 images could not be read so far");
  const steps = run.history.length;
  assert.ok(steps >= 2 && steps < 120, `${steps} steps`);
  assert.ok(existsSync(join(out, `checkpoint-${String(steps).padStart(6, "0")}`)), String(readdirSync(out)));
});

test("steps, epochs, failures and whole runs leave no tensor behind", async () => {
  const set = await images(transforms.finetune);
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
  assert.equal(tf.memory().numTensors, empty, "the engine's are gone, and the model has its own on the host");
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
