import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { startBackend } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { listTrainingCheckpoints } from "../../../src/io/runs/trainingCheckpoint";
import { finetune } from "../../../src/train/finetune";
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

before(async () => void (await startBackend()));

test("a pretraining run returns at once, and `done` has its history, its model and its last checkpoint", async () => {
  const out = join(temporaryFolder(), "run");
  const model = tinyMae();
  const run = pretrain(model, await images(), { ...pretraining, out });
  assert.equal(run.state, "running");
  assert.equal(run.latest, undefined);
  assert.equal(inspect(run), `Run(pretrain) running · step 0/6 · ${out}`);
  const seen: number[] = [];
  const off = run.onRecord(({ step }) => {
    seen.push(step);
    if (step === 4) off();
  });
  const result = await run.done;
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.equal(result.model, model);
  assert.equal(result.history, run.history);
  assert.equal(result.stopped, false);
  assert.equal(result.checkpoint, join(out, "checkpoint-000006"));
  assert.ok(result.seconds > 0);
  assert.equal(run.state, "done");
  assert.equal(run.latest, run.history[5]);
  assert.match(inspect(run), /^Run\(pretrain\) done · step 6\/6 · loss \d\.\d{4} · /);
  assert.equal(inspect(result), inspect(run), "a cell that ends with it prints a line, not the history");
});

test("records hold step, epoch, rate and speed; the rate warms up from zero", async () => {
  const { history } = await pretrain(tinyMae(), await images(), { ...pretraining, out: false }).done;
  assert.deepEqual(
    history.map(({ step, epoch }) => [step, epoch]),
    [0, 1, 2, 3, 4, 5].map((i) => [i + 1, Math.floor(i / 3) + (i % 3) / 3]),
  );
  const cosine = (progress: number) => 1e-2 * 0.5 * (1 + Math.cos(Math.PI * progress));
  const rates = [0, 1e-2 / 3, 2e-2 / 3, cosine(0), cosine(1 / 3), cosine(2 / 3)];
  for (const [i, { lr, imagesPerSecond }] of history.entries()) {
    assert.ok(Math.abs(lr - rates[i]) < 1e-12, `step ${i + 1}: rate ${lr}, expected ${rates[i]}`);
    assert.ok(imagesPerSecond > 0);
  }
});

test("pretraining on the same images again and again makes the loss fall", async () => {
  const options = { ...pretraining, epochs: 30, lr: 5e-3, out: false } as const;
  const { history } = await pretrain(tinyMae(), await images(), options).done;
  const mean = (part: typeof history) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
  assert.ok(mean(history.slice(-9)) < 0.9 * mean(history.slice(0, 9)));
});

test("finetuning evaluates after every epoch and learns to tell red from green", async () => {
  const set = await images((size) => transforms.finetune(size, { randAugment: null, erasing: 0 }));
  const options = {
    ...finetuning,
    epochs: 8,
    lr: 1e-2,
    dropPath: 0,
    mix: null,
    validation: set,
    out: false,
  } as const;
  const { history } = await finetune(tinyClassifier(), set, options).done;
  const withTop1 = history.filter(({ top1 }) => top1 !== undefined).map(({ step }) => step);
  assert.deepEqual(
    withTop1,
    [1, 2, 3, 4, 5, 6, 7, 8].map((epoch) => 3 * epoch),
  );
  assert.equal(history.at(-1)!.top1, 100);
});

test("finetuning's own augmentation takes the place of the set's transform", async () => {
  const losses = async (set: Awaited<ReturnType<typeof images>>, options: object) => {
    const run = finetune(tinyClassifier(), set, { ...finetuning, epochs: 1, out: false, ...options });
    return (await run.done).history.map(({ loss }) => loss);
  };
  const expected = await losses(await images(transforms.finetune), {});
  assert.deepEqual(await losses(await images(), { augment: {} }), expected);
  assert.notDeepEqual(await losses(await images(), {}), expected);
  const set = await images();
  assert.throws(() => finetune(tinyClassifier(), set, { ...finetuning, augment: { erasing: -1 } }), {
    code: "bad-argument",
  });
});

test("stop() finishes the step, saves and resolves `done` with stopped: true", async () => {
  const out = join(temporaryFolder(), "run");
  const result = await stopAfter(pretrain(tinyMae(), await images(), { ...pretraining, out }), 2);
  assert.equal(result.stopped, true);
  assert.equal(result.history.length, 2);
  assert.equal(result.checkpoint, join(out, "checkpoint-000002"));
  assert.deepEqual(
    readLines(out).map(({ step }) => step),
    [1, 2],
  );
});

test("a run stopped before its first step has done nothing, and one stopped after its last is done", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const early = await pretrain(tinyMae(), set, { ...pretraining, out }).stop();
  assert.deepEqual([early.stopped, early.history.length <= 1], [true, true]);
  const run = pretrain(tinyMae(), set, { ...pretraining, out: false });
  await run.done;
  assert.equal((await run.stop()).stopped, false);
});

test("one line of metrics.jsonl per step, equal to the history", async () => {
  const out = join(temporaryFolder(), "run");
  const { history } = await pretrain(tinyMae(), await images(), { ...pretraining, out }).done;
  assert.deepEqual(readLines(out), history);
});

test("checkpoints are written every `checkpointEvery` epochs and the newest `keepCheckpoints` stay", async () => {
  const steps = async (folder: string) => (await listTrainingCheckpoints(folder)).map(({ step }) => step);
  const set = await images();
  const out = join(temporaryFolder(), "run");
  await pretrain(tinyMae(), set, { ...pretraining, epochs: 5, checkpointEvery: 2, keepCheckpoints: 10, out })
    .done;
  assert.deepEqual(await steps(out), [6, 12, 15]);
  const few = join(temporaryFolder(), "few");
  await pretrain(tinyMae(), set, { ...pretraining, epochs: 4, out: few }).done;
  assert.deepEqual(await steps(few), [9, 12]);
});

test("a folder that holds something is never written to without resume", async () => {
  const folder = temporaryFolder();
  const set = await images();
  const out = join(folder, "run");
  const options = { ...pretraining, out };
  await pretrain(tinyMae(), set, options).done;
  const before = readFileSync(join(out, "metrics.jsonl"), "utf8");
  const second = pretrain(tinyMae(), set, options);
  assert.equal(second.out, `${out}-2`);
  const third = pretrain(tinyMae(), set, options);
  assert.equal(third.out, `${out}-3`, "also while the second has written nothing yet");
  await Promise.all([second.done, third.done]);
  assert.equal(readFileSync(join(out, "metrics.jsonl"), "utf8"), before);
  writeFileSync(join(folder, "file"), "mine");
  const beside = pretrain(tinyMae(), set, { ...options, out: join(folder, "file") });
  assert.equal(beside.out, join(folder, "file-2"));
  await beside.done;
});

test("a run is not resumed while it still writes, nor without a folder", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const run = pretrain(tinyMae(), set, { ...pretraining, out });
  const again = { ...pretraining, out, resume: true };
  assertThrows(() => pretrain(tinyMae(), set, again), "bad-argument", out, "still writes");
  await run.stop();
  await pretrain(tinyMae(), set, again).done;
  assertThrows(() => pretrain(tinyMae(), set, { ...pretraining, resume: true }), "bad-argument", "`out`");
});

test("out: false writes nothing", async () => {
  const run = pretrain(tinyMae(), await images(), { ...pretraining, epochs: 1, out: false });
  assert.equal(run.out, undefined);
  assert.equal((await run.done).checkpoint, undefined);
});

test("a listener that throws ends the run with its error", async () => {
  const run = pretrain(tinyMae(), await images(), { ...pretraining, out: false });
  run.onRecord(() => {
    throw new RangeError("from the listener");
  });
  await assert.rejects(run.done, /from the listener/);
  assert.equal(run.state, "failed");
});

test("images of another size, too many classes and impossible options are refused before anything runs", async () => {
  const set = await images();
  const large = set.withTransform(transforms.finetune(32));
  const options = { ...finetuning, out: false } as const;
  assertThrows(() => pretrain(tinyMae(), large, pretraining), "bad-argument", "32 px", "16 px", "size: 16");
  assertThrows(() => finetune(tinyClassifier(), large, options), "bad-argument", "32 px");
  assertThrows(
    () => finetune(tinyClassifier(), set, { ...options, validation: large }),
    "bad-argument",
    "32 px",
  );
  set.classes.push("blue");
  assertThrows(() => finetune(tinyClassifier(), set, options), "bad-argument", "3 classes", "head has 2");
  set.classes.pop();
  assertThrows(
    () => finetune(tinyClassifier(), set, { ...options, batchSize: 3, dropPath: 1, smoothing: -0.1 }),
    "bad-argument",
    "dropPath: expected a number from 0, less than 1, got 1",
    "smoothing: expected",
    "batchSize: expected an even number",
  );
});

test("Ctrl-C saves and resolves the run; the script decides how it ends", async () => {
  const { status, last, out } = await child("interrupt");
  // Signals arrive between steps, perhaps one later.
  assert.ok(last.steps === 2 || last.steps === 3);
  assert.deepEqual([last.stopped, last.checkpoint], [true, join(out, `checkpoint-00000${last.steps}`)]);
  assert.equal(readLines(out).length, last.steps);
  assert.equal(status, 7);
});

test("a run that fails while nobody awaits it does not end the process", async () => {
  const { status, last, stderr } = await child("unwatched");
  assert.deepEqual(last, { state: "failed" });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "");
});

test("a killed run goes on from its last checkpoint, or from the start, with one line per step", async () => {
  for (const [steps, expected] of [
    [5, 0],
    [34, 30],
  ]) {
    const { out, data } = await child("forever", steps);
    assert.ok(readLines(out).length >= steps);
    const set = await imageFolder(data, { transform: transforms.mae(16) });
    const options = {
      ...pretraining,
      epochs: 1000,
      lr: 1e-3,
      warmupEpochs: 0,
      out,
      resume: true,
      checkpointEvery: 10,
    };
    const run = pretrain(tinyMae(), set, options);
    const first = new Promise<number>((resolve) => run.onRecord(({ step }) => resolve(step)));
    assert.ok((await first) >= expected + 1);
    const { history } = await run.stop();
    assert.deepEqual(readLines(out), history);
    assert.deepEqual(
      history.map(({ step }) => step),
      history.map((_, i) => i + 1),
    );
    assert.ok(existsSync(join(out, `checkpoint-${String(history.length).padStart(6, "0")}`)));
    assert.deepEqual(
      readdirSync(out).filter((name) => name.includes("tmp")),
      [],
    );
  }
});

test("resuming a finished run runs nothing and gives its history", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const { history } = await pretrain(tinyMae(), set, { ...pretraining, out }).done;
  const again = await pretrain(tinyMae(), set, { ...pretraining, out, resume: true }).done;
  assert.deepEqual(again.history, history);
  assert.equal(again.stopped, false);
});

test("resume in a new folder starts there; a file in its place is an error", async () => {
  const set = await images();
  const folder = temporaryFolder();
  const { history } = await pretrain(tinyMae(), set, {
    ...pretraining,
    out: join(folder, "new"),
    resume: true,
  }).done;
  assert.equal(history.length, 6);
  writeFileSync(join(folder, "file"), "mine");
  const run = pretrain(tinyMae(), set, { ...pretraining, out: join(folder, "file"), resume: true });
  await assertRejects(run.done, "bad-file", join(folder, "file"));
});

/** Runs childRun.ts; with `killAt`, kills it (signal 9) once that many steps are done. */
async function child(mode: string, killAt?: number) {
  const data = await writeImages(temporaryFolder());
  const out = join(temporaryFolder(), "run");
  const process_ = spawn(process.execPath, [join(__dirname, "childRun.js"), mode, data, out]);
  let [stdout, stderr] = ["", ""];
  process_.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  process_.stdout.on("data", (chunk) => {
    stdout += chunk;
    if (killAt && stdout.includes(`step ${killAt}\n`)) process_.kill("SIGKILL");
  });
  const status = await new Promise<number | null>((resolve) => process_.on("close", resolve));
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  return { status, stderr, out, data, last: line.startsWith("{") ? JSON.parse(line) : undefined };
}
