import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, realpathSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import * as transforms from "../../../src/data/transforms";
import { MaskedAutoencoder } from "../../../src/models/mae";
import { Parameter, zeros } from "../../../src/nn";
import { besideModel, loadHelpers } from "../../../src/train/besideModel";
import { claimRunFolder, expectClaimed, releaseRunFolder } from "../../../src/train/claimFolder";
import { finetune } from "../../../src/train/finetune";
import { openRun } from "../../../src/train/openRun";
import { pretrain } from "../../../src/train/pretrain";
import { Run } from "../../../src/train/run";
import { loadRunWeights } from "../../../src/train/runWeights";
import {
  assertRejects,
  assertSameBits,
  assertThrows,
  finetuning,
  images,
  pretraining,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyMae,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const plain = { ...finetuning, dropPath: 0, mix: null, engine: "eager" } as const;
const sizes = { epochs: 1, batchSize: 1 };

test("a run that is told no folder gets runs/<name>-<time>, under folders that are made for it", () => {
  const was = process.cwd();
  const place = realpathSync(temporaryFolder());
  process.chdir(place);
  try {
    const before = new Date().toISOString();
    const folder = claimRunFolder("mine", sizes)!;
    assert.match(folder, /^runs[\\/]mine-\d{4}(-\d\d){5}$/);
    const [date, time] = [folder.slice(-19, -9), folder.slice(-8).replaceAll("-", ":")];
    assert.ok(`${date}T${time}` >= before.slice(0, 19), "it is now, in universal time");
    assert.ok(existsSync(join(place, folder, "run.lock")));
    releaseRunFolder(folder);
    assert.equal(existsSync(join(place, folder)), false);
  } finally {
    process.chdir(was);
  }
  assert.equal(claimRunFolder("mine", { ...sizes, out: false }), undefined);
  releaseRunFolder(undefined);
});

test("what the disk refuses is said once, of the folder that was wanted", () => {
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  for (const resume of [false, true]) {
    const out = join(file, "run");
    assert.equal(claimRunFolder("run", { ...sizes, out, resume }), out);
    assertThrows(() => expectClaimed(out), "bad-file", file);
    expectClaimed(out);
  }
});

/** A run that has done nothing but what `body` does. */
const runOf = (parts: Partial<ConstructorParameters<typeof Run>[0]> = {}) =>
  new Run({
    ...{ name: "a", model: tinyMae(), totalSteps: 2, out: undefined, report: { count: 0 } as never },
    ...{ body: async () => {}, ...parts },
  });

const record = (step: number) => ({ step, epoch: 0, loss: 1.23456, lr: 1, imagesPerSecond: 1 });

test("a run prints its state, step and loss, then what it runs on, its folder, its images and its notes", async () => {
  const run = runOf({
    out: "folder",
    report: { count: 2 } as never,
    body: async ({ run: own, record: note }) => {
      own.engine = "eager";
      own.notes.push("first", "second");
      note(record(1));
    },
  });
  await run.done;
  const line =
    "Run(a) stopped · step 1/2 · loss 1.2346 · eager · folder · 2 unreadable images · first · second";
  assert.equal(String(run), line);
  const failing = runOf({ report: { count: 1 } as never, body: () => Promise.reject(new Error("no")) });
  await assert.rejects(failing.done, /no/);
  assert.equal(String(failing), "Run(a) failed · step 0/2 · 1 unreadable image");
});

test("a run takes records back to a step, those of the step itself stay", async () => {
  const run = runOf({
    totalSteps: 3,
    body: async ({ record: note, rewind }) => {
      for (const step of [1, 2, 3]) note(record(step));
      rewind(3);
      assert.equal(run.history.length, 3);
      rewind(1);
    },
  });
  const { history, stopped, averaged, checkpoint } = await run.done;
  assert.deepEqual(
    [history.map(({ step }) => step), stopped, averaged, checkpoint],
    [[1], true, undefined, undefined],
  );
});

test("a checkpoint that is passed over is told, and the run's own is what a failure after it names", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const options = { ...pretraining, engine: "eager", out } as const;
  await stopAfter(pretrain(tinyMae(), set, options), 4);
  truncateSync(join(out, "checkpoint-000004", "state.json"), 3);
  const broken = Object.assign(Object.create(set), { load: () => Promise.reject(new Error("gone")) });
  const run = pretrain(tinyMae(), broken, { ...options, resume: true });
  await assert.rejects(run.done, /gone/);
  assert.deepEqual([run.history.length, run.checkpoint], [3, join(out, "checkpoint-000003")]);
  assert.equal(run.notes.length, 1);
  assert.match(run.notes[0], /checkpoint-000004/);
});

test("what a run saved last can be loaded from its folder, each checkpoint from its own", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  const recipe = { name: "mine" } as never;
  const { model } = await finetune(tinyClassifier(), set, { ...plain, seed: 5, recipe, out }).done;
  const [last, first] = [tinyClassifier(9), tinyClassifier(9)];
  const found = await loadRunWeights(last, out);
  assert.deepEqual(found, {
    ...{ folder: join(out, "checkpoint-000006"), step: 6, recipe: "mine", seed: 5, notes: [] },
  });
  assertSameBits(await last.stateDict(), await model.stateDict());
  assert.deepEqual(last.classNames, ["green", "red"]);
  const own = await loadRunWeights(first, join(out, "checkpoint-000003"));
  assert.deepEqual([own.step, own.folder], [3, join(out, "checkpoint-000003")]);
  assert.notDeepEqual(await first.stateDict(), await last.stateDict());
  const named = tinyClassifier(9);
  named.classNames = ["red", "green"];
  await assertRejects(loadRunWeights(named, out), "key-mismatch", "classNames: was");
  truncateSync(join(out, "checkpoint-000006", "state.json"), 3);
  const older = await loadRunWeights(last, out);
  assert.deepEqual([older.step, older.notes.length], [3, 1]);
  const empty = temporaryFolder();
  await assertRejects(loadRunWeights(last, empty), "missing-file", `${empty}: no checkpoint of a run`);
});

test("a folder whose run saved nothing, or nothing that can be read, says which it is", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const { history } = await pretrain(tinyMae(), set, { ...pretraining, engine: "eager", out }).done;
  const whole = await openRun(out);
  assert.deepEqual([whole.done, whole.task, whole.seed, whole.recipe], [true, "pretrain", 0, undefined]);
  assert.equal(whole.checkpoint, join(out, "checkpoint-000006"));
  assert.equal(whole.config?.maskRatio, 0.75);
  const loss = history.at(-1)!.loss.toFixed(4);
  assert.equal(String(whole), `SavedRun(pretrain) done · step 6/6 · loss ${loss} · seed 0 · ${out}`);
  assert.ok((await whole.model()) instanceof MaskedAutoencoder);
  const state = join(out, "checkpoint-000006", "state.json");
  const content = JSON.parse(readFileSync(state, "utf8"));
  for (const wrong of [
    { step: 5.5 },
    { plan: {} },
    { plan: undefined },
    { rng: {} },
    { rng: { seed: "0" } },
  ]) {
    writeFileSync(state, JSON.stringify({ ...content, ...wrong }));
    const older = await openRun(out);
    assert.equal(older.step, 3, JSON.stringify(wrong));
    assert.match(older.notes[0], /^skipped checkpoint-000006: .*state\.json: says nothing of a run$/);
    assert.ok(String(older).includes(`stopped · step 3/6`) && String(older).endsWith(older.notes[0]));
  }
  writeFileSync(join(out, "checkpoint-000003", "state.json"), "{");
  const error = await assertRejects(openRun(out), "bad-file", "checkpoint-000006: ", "checkpoint-000003: ");
  assert.ok(error.message.indexOf("000006") < error.message.indexOf("000003"), "the newest first");
  const logged = temporaryFolder();
  mkdirSync(logged, { recursive: true });
  writeFileSync(join(logged, "metrics.jsonl"), readFileSync(join(out, "metrics.jsonl")));
  await assertRejects(openRun(logged), "missing-file", "6 steps were logged, none saved");
});

test("what is beside a model is trained or frozen, and helpers that do not fit are all named", () => {
  const model = tinyMae();
  const [trained, fixed, far] = [1, 2, 3].map((length) => new Parameter([length], zeros, 0));
  const whole = {
    *namedParameters() {
      yield* model.namedParameters();
      yield ["map.weight", trained];
      yield ["teacher.weight", fixed];
    },
  };
  const rules = new Map([
    ["map.weight", { weightDecay: 0, lrScale: 1 }],
    ["norm.weight", { weightDecay: 0, lrScale: 1 }],
  ]);
  const frozen = new Map([["kept.weight", far]]);
  const beside = besideModel({ model, whole: whole as never, rules, frozen });
  assert.deepEqual([...beside.helpers], [["map.weight", trained]]);
  assert.deepEqual(
    [...beside.frozen],
    [
      ["teacher.weight", fixed],
      ["kept.weight", far],
    ],
  );
  const helpers = new Map([
    ["a", trained],
    ["b", fixed],
  ]);
  const one = { shape: [1], data: Float32Array.of(7) };
  assertThrows(
    () => loadHelpers(helpers, new Map([["b", one]]), "there"),
    "key-mismatch",
    "there: what is trained beside the model",
    "missing: a",
    "b: is [1], expected [2]",
  );
  loadHelpers(new Map([["a", trained]]), new Map([["a", one]]), "there");
  assert.deepEqual([...trained.value.dataSync()], [7]);
});
