import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { writeTrainingCheckpoint } from "../../../src/io/runs";
import { writeSafetensors } from "../../../src/io/safetensors";
import { classifier, detector, llavit, mae, segmenter } from "../../../src/models";
import { readExternal } from "../../../src/models/external";
import { configOf, isSavedFolder } from "../../../src/models/openModel";
import type { SavableModel } from "../../../src/models/savable";
import type { Module } from "../../../src/nn";
import { compile } from "../../../src/nn/compile";
import { streamOfParameters } from "../../../src/nn/modelState";
import { after } from "../../../src/nn/ops/after";
import { temporaryFolder } from "../../support/temporaryFolder";
import { assertSameState, isLuvitError } from "../nn/support";
import { tinyLlavit } from "./llavit/support";
import { perturb, tinyDecoder, tinyHead, tinyImages, tinyViT } from "./support";

before(() => startBackend());

const stream = (model: Module) => streamOfParameters(new Map(model.namedParameters()));
const made = (seed: number) => classifier.create({ encoder: tinyViT, classes: 2, seed, pooling: "cls" });

/** A checkpoint of a run; `config` and `average` where there are such. */
async function checkpoint(
  run: string,
  step: number,
  model: SavableModel,
  more: { average?: Module; bare?: boolean } = {},
) {
  const config = more.bare ? undefined : JSON.parse(JSON.stringify(model.describe()));
  const average = more.average && stream(more.average);
  const optimizer = streamOfParameters(new Map());
  return writeTrainingCheckpoint(run, step, { model: stream(model), optimizer, average, config, state: {} });
}

function runFolder(): string {
  const run = join(temporaryFolder("opened"), "run");
  mkdirSync(run);
  writeFileSync(join(run, "metrics.jsonl"), "");
  return run;
}

test("of a run its newest checkpoint is opened, or the one that is named, or its averaged weights", async () => {
  const run = runFolder();
  const [first, second, average] = [made(1), made(2), made(3)];
  const early = await checkpoint(run, 5, first, { average });
  await checkpoint(run, 12, second);
  assertSameState(await (await classifier.open(run)).stateDict(), await second.stateDict());
  const named = await classifier.open(early);
  assertSameState(await named.stateDict(), await first.stateDict());
  assert.equal(named.head.weight.source, join(early, "model.safetensors"));
  assertSameState(
    await (await classifier.open(early, { averaged: true })).stateDict(),
    await average.stateDict(),
  );
  await assert.rejects(
    classifier.open(run, { averaged: true }),
    isLuvitError("missing-file", "no averaged weights", "emaDecay"),
  );
  await assert.rejects(mae.open(run), isLuvitError("bad-argument", "holds a classifier, not a mae"));
});

test("a run without a checkpoint, and one of a version that did not note its model, say what to do", async () => {
  const run = runFolder();
  await assert.rejects(classifier.open(run), isLuvitError("missing-file", "has not saved a checkpoint yet"));
  await assert.rejects(
    classifier.load(run),
    isLuvitError("missing-file", "it is a run's folder: use classifier.open"),
  );
  const bare = await checkpoint(run, 3, made(1), { bare: true });
  await assert.rejects(classifier.open(run), isLuvitError("bad-file", bare, "train.loadRunWeights"));
});

test("what a folder's model is comes from its newest config, of a run or of what was saved, and of others nothing does", async () => {
  const run = runFolder();
  assert.equal(await configOf(run), undefined);
  await checkpoint(run, 5, made(1));
  await checkpoint(run, 12, classifier.create({ encoder: tinyViT, classes: 7 }));
  await checkpoint(run, 20, made(1), { bare: true });
  assert.deepEqual(
    [await isSavedFolder(run), ((await configOf(run)) as { classes?: number }).classes],
    [true, 7],
  );
  const saved = join(temporaryFolder("opened"), "saved");
  await made(1).save(saved);
  assert.deepEqual(
    [await isSavedFolder(saved), (await configOf(saved))?.modelType],
    [true, "luvit-classifier"],
  );
  const other = temporaryFolder("opened");
  assert.deepEqual([await isSavedFolder(other), await configOf(other)], [false, undefined]);
  for (const text of ['{"modelType": "other"}', '{"architecture": "vit"}', "{"]) {
    writeFileSync(join(other, "config.json"), text);
    assert.deepEqual([await isSavedFolder(other), await configOf(other)], [false, undefined], text);
  }
});

test("a saved model's weights are compared with what a segmenter computes, too, before they are loaded", async () => {
  const folder = join(temporaryFolder("opened"), "saved");
  await made(1).save(folder);
  for (const path of [folder, join(folder, "model.safetensors")]) {
    const other = segmenter.create({ encoder: { ...tinyViT, heads: 4 }, classes: 3 });
    await assert.rejects(
      segmenter.loadCheckpoint(other, path),
      isLuvitError("key-mismatch", path, "encoder.heads: was 2, now 4"),
    );
    const same = await segmenter.loadCheckpoint(segmenter.create({ encoder: tinyViT, classes: 3 }), path);
    assert.ok(same.loaded.includes("cls_token"));
  }
});

test("what was trained is trained, and what was frozen is frozen, where it was the other way round from the start", async () => {
  const folder = join(temporaryFolder("opened"), "saved");
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  model.unfreeze().freeze("blocks.1").freeze("mask_token");
  await model.save(folder);
  const opened = await mae.load(folder);
  assert.deepEqual(opened.summary(), model.summary());
  assert.equal(opened.encoder.pos_embed.trainable, true);
});

test("an image of one patch is the smallest that DINO's rule takes, and others are cut to whole patches", () => {
  const model = made(1);
  perturb(model);
  const images = tf.randomNormal([1, 3, 4, 7], 0, 1, "float32", 1);
  assert.deepEqual(model.tokens(images, { positions: "dino" }).shape, [1, 2, 16]);
  const cut = tf.slice(images, [0, 0, 0, 0], [1, 3, 4, 4]);
  assert.deepEqual(
    model.forward(images, { positions: "dino" }).dataSync(),
    model.forward(cut, { positions: "dino" }).dataSync(),
  );
  assert.throws(
    () => model.forward(tf.zeros([1, 3, 4, 3]), { positions: "dino" }),
    isLuvitError("shape-mismatch", "at least 4"),
  );
  assert.throws(
    () => model.forward(tf.zeros([1, 3, 4, 6]), { positions: "mae" }),
    isLuvitError("shape-mismatch", "multiples of 4"),
  );
});

test("looking inside, and compiling what cannot be, leave no tensor behind", async () => {
  const model = made(1);
  for (const [, parameter] of model.namedParameters()) parameter.value;
  const images = tinyImages(1);
  const { numTensors } = tf.memory();
  model.places();
  await model.trace(images, { keep: ["logits"], engine: "eager" });
  await assert.rejects(model.trace(images, { keep: ["nothing"], engine: "eager" }));
  assert.equal(tf.memory().numTensors, numTensors);
  const state = tf.variable(tf.tensor1d([1, 2]));
  const spec = { inputs: {}, state: { state }, body: () => ({ y: tf.mul(state, 2) }) };
  const before = tf.memory().numTensors;
  const gone = {
    ...spec,
    state: {
      state: Object.create(state, {
        data: { value: async () => Promise.reject(new Error("the memory is gone")) },
      }),
    },
  };
  await assert.rejects(
    compile("step", { ...gone, body: () => ({ y: tf.mul(gone.state.state, 2) }) }, { engine: "eager" }),
    /the memory is gone/,
  );
  assert.equal(tf.memory().numTensors, before);
});

test("what is held back is itself, of either type", () => {
  for (const dtype of ["float32", "int32"] as const) {
    const x = tf.tensor([1, 2, 3], [3], dtype);
    const later = after(x, tf.scalar(1));
    assert.deepEqual([later.dtype, later.shape, [...later.dataSync()]], [dtype, [3], [1, 2, 3]]);
  }
});

test("a file that names weights is closed again", { skip: !existsSync("/proc/self/fd") }, async () => {
  const path = join(temporaryFolder("opened"), "outside.safetensors");
  const model = made(1);
  await writeSafetensors(path, new Map([["cls_token", await model.encoder.cls_token!.read()]]));
  const external = { cls_token: { source: path, sha256: "" }, pos_embed: { source: path, sha256: "" } };
  const isOpen = () =>
    readdirSync("/proc/self/fd").some((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`) === path;
      } catch {
        return false;
      }
    });
  const config = { external, blockSource: null } as never;
  await assert.rejects(
    readExternal(model, config, "here"),
    isLuvitError("missing-file", "pos_embed: was read from"),
  );
  assert.ok(!isOpen());
});

test("options of the hub are no folder's of this library, and the other way round", async () => {
  const place = join(temporaryFolder("opened"), "seeing");
  await (await tinyLlavit()).save(place);
  assert.equal((await llavit.open(place, { revision: undefined })).describe().modelType, "luvit-llavit");
  await assert.rejects(
    llavit.open(place, { revision: "main", signal: new AbortController().signal }),
    isLuvitError(
      "bad-argument",
      `${place}: is a folder of this library`,
      "these options apply: revision, signal",
    ),
  );
  const none = join(place, "none");
  await assert.rejects(
    llavit.open(none, { averaged: true, block: "x" }),
    isLuvitError("bad-argument", `${none}: is no folder of this library`, "averaged", "block"),
  );
});

test("a detector's run is opened like any other, and a path that is none is refused", async () => {
  const model = detector.create({ encoder: tinyViT, classes: 2, ...tinyHead });
  const run = runFolder();
  await checkpoint(run, 1, model);
  assertSameState(await (await detector.open(run)).stateDict(), await model.stateDict());
  rmSync(run, { recursive: true });
  await assert.rejects(detector.open(run), isLuvitError("missing-file", "there is no such folder"));
  await assert.rejects(async () => detector.open(1 as never), isLuvitError("bad-argument", "detector.open"));
});

test("a folder of a model that another library calls after this one is neither opened nor written over", async () => {
  const folder = temporaryFolder("foreign");
  for (const modelType of ["my-luvit-classifier", "luvit", " luvit-mae", 3, null, undefined]) {
    const config = JSON.stringify({ modelType });
    writeFileSync(join(folder, "config.json"), config);
    assert.equal(await isSavedFolder(folder), false, config);
    assert.equal(await configOf(folder), undefined, config);
    await assert.rejects(
      made(1).save(folder),
      isLuvitError("bad-argument", "holds config.json that this library did not write"),
    );
    assert.deepEqual(readdirSync(folder), ["config.json"]);
    assert.equal(readFileSync(join(folder, "config.json"), "utf8"), config);
  }
});
