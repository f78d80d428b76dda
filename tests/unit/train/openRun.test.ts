import assert from "node:assert/strict";
import { existsSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { rowsOf } from "../../../src/analysis/provenance";
import { startBackend } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { listTrainingCheckpoints } from "../../../src/io/runs/trainingCheckpoint";
import { readTable } from "../../../src/io/tables/table";
import { Classifier } from "../../../src/models/classifier";
import { finetune } from "../../../src/train/finetune";
import { openRun } from "../../../src/train/openRun";
import { pretrain } from "../../../src/train/pretrain";
import {
  assertRejects,
  assertThrows,
  finetuning,
  images,
  pretraining,
  readLines,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyMae,
  writeImages,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const options = { ...finetuning, dropPath: 0, mix: null, engine: "eager" } as const;

test("a run's folder is opened with its history, its settings and its model", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  const recipe = { name: "mine" } as never;
  const { history } = await stopAfter(
    finetune(tinyClassifier(), set, { ...options, recipe, seed: 4, out }),
    4,
  );
  const run = await openRun(out);
  assert.deepEqual(run.history, history);
  assert.deepEqual([run.task, run.step, run.totalSteps, run.done], ["finetune", 4, 6, false]);
  assert.deepEqual([run.recipe, run.seed, run.settings.layerDecay], ["mine", 4, 0.75]);
  assert.match(
    String(run),
    /^SavedRun\(finetune\) stopped · step 4\/6 · loss \d\.\d{4} · recipe mine · seed 4 · /,
  );
  const model = await run.model();
  assert.ok(model instanceof Classifier);
  assert.deepEqual(model.classNames, ["green", "red"]);

  truncateSync(join(out, "checkpoint-000004", "state.json"), 3);
  const older = await openRun(out);
  assert.deepEqual([older.step, older.notes.length], [3, 1]);
  await assertRejects(openRun(join(out, "none")), "missing-file", "no such folder");
  mkdirSync(join(out, "empty"));
  await assertRejects(openRun(join(out, "empty")), "missing-file", "no run wrote there");
});

test("every run leaves its log as a table", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  const { history } = await finetune(tinyClassifier(), set, { ...options, seed: 2, validation: set, out })
    .done;
  const rows = rowsOf(await readTable(join(out, "metrics.arrow")));
  assert.deepEqual(
    rows.map(({ step, loss, top1, seed }) => ({ step, loss, top1, seed })),
    history.map(({ step, loss, top1 = null }) => ({ step, loss, top1, seed: 2 })),
  );
  assert.match(String(rows[0].model), /^Classifier\(/);
});

test("a validation set that is empty or cannot be read is refused before the first step", async () => {
  const set = await images(transforms.finetune);
  const empty = () => finetune(tinyClassifier(), set, { ...options, validation: set.subset([]), out: false });
  assertThrows(empty, "bad-argument", "the validation set is empty");
  const folder = await writeImages(temporaryFolder());
  for (const name of ["green", "red"]) {
    for (let i = 0; i < 6; i++) writeFileSync(join(folder, name, `${i}.png`), "no image");
  }
  const validation = await imageFolder(folder, { transform: transforms.evaluation(16) });
  const out = join(temporaryFolder(), "run");
  const run = finetune(tinyClassifier(), set, { ...options, validation, out });
  await assertRejects(run.done, "bad-dataset", "none of the 6");
  assert.equal(run.history.length, 0);
  assert.equal(existsSync(out), false, "no empty folder stays behind");
});

test("an epoch is saved before it is evaluated, and evaluated when the run goes on", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  const broken = Object.assign(Object.create(set), {
    load: (index: number, ...rest: [never]) =>
      index === 0 ? set.load(index, ...rest) : Promise.reject(new Error("the disk is gone")),
  });
  const run = finetune(tinyClassifier(), set, { ...options, validation: broken, out });
  await assert.rejects(run.done, /the disk is gone/);
  assert.deepEqual(
    (await listTrainingCheckpoints(out)).map(({ step }) => step),
    [3],
  );
  assert.deepEqual(readLines(out), run.history);
  assert.equal(run.history.length, 3);
  const resumed = await finetune(tinyClassifier(), set, { ...options, validation: set, out, resume: true })
    .done;
  const whole = await finetune(tinyClassifier(), set, { ...options, validation: set, out: false }).done;
  const numbers = ({ history }: typeof whole) => history.map(({ loss, top1 }) => ({ loss, top1 }));
  assert.deepEqual(numbers(resumed), numbers(whole));
  assert.deepEqual(readLines(out), resumed.history);
});

test("a run whose files were replaced says so when it goes on, and one whose folder was moved does not", async () => {
  const [folder, moved] = [await writeImages(temporaryFolder()), await writeImages(temporaryFolder())];
  const out = join(temporaryFolder(), "run");
  const go = async (from: string, step: number) => {
    const set = await imageFolder(from, { transform: transforms.evaluation(16) });
    const run = pretrain(tinyMae(), set, { ...pretraining, engine: "eager", out, resume: step > 1 });
    await stopAfter(run, step);
    return run.notes;
  };
  assert.deepEqual(await go(folder, 1), []);
  assert.deepEqual(await go(moved, 2), []);
  writeFileSync(join(folder, "red", "3.png"), "another size");
  const [note] = await go(folder, 3);
  assert.match(
    note,
    /the training data are not those this run began with: class red has files of other sizes \(6 files/,
  );
  assert.doesNotMatch(note, /green/);
  const renamed = await writeImages(temporaryFolder());
  const { renameSync } = await import("node:fs");
  renameSync(join(renamed, "green", "0.png"), join(renamed, "green", "9.png"));
  assert.match((await go(renamed, 4))[0], /class green has files of other names/);
});
