import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import type { FolderDataset } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { fileSource } from "../../../src/io/bytes/byteSource";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { openSafetensors, writeSafetensors } from "../../../src/io/safetensors";
import { baselines, classifier, mae } from "../../../src/models";
import type { LlamaBlocks } from "../../../src/models/llamaBlock";
import { type LlamaConfig, llama7b } from "../../../src/models/llamaConfig";
import { attach } from "../../../src/models/lora";
import type { Module } from "../../../src/nn/module";
import { type FinetuneOptions, finetune } from "../../../src/train/finetune";
import type { TrainOptions } from "../../../src/train/plan";
import { pretrain } from "../../../src/train/pretrain";
import type { Run } from "../../../src/train/run";
import {
  assertRejects,
  assertSameBits,
  assertSameCheckpoint,
  finetuning,
  images,
  losses,
  pretraining,
  readLines,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyDecoder,
  tinyMae,
  tinyViT,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

/** Starts a run of a fresh model, as a new process would, in `out`. */
type Start = (out: string, resume: boolean) => Run<Module>;

/** A run stopped after `steps` and resumed equals one that was never stopped. */
async function assertResumesExactly(start: Start, stops: readonly number[]): Promise<void> {
  const folder = temporaryFolder();
  const whole = await start(join(folder, "whole"), false).done;
  const out = join(folder, "stopped");
  for (const [i, step] of stops.entries()) {
    const part = await stopAfter(start(out, i > 0), step);
    assert.deepEqual([part.stopped, part.history.length], [true, step]);
  }
  const rest = await start(out, true).done;
  assert.deepEqual(losses(rest.history), losses(whole.history));
  assert.deepEqual(
    rest.history.map(({ step, epoch, lr, top1 }) => ({ step, epoch, lr, top1 })),
    whole.history.map(({ step, epoch, lr, top1 }) => ({ step, epoch, lr, top1 })),
  );
  assert.deepEqual(readLines(out), rest.history);
  await assertSameCheckpoint(rest.checkpoint, whole.checkpoint);
}

test("pretraining stopped in the middle of an epoch, and again, goes on bit for bit", async () => {
  const set = await images();
  const start: Start = (out, resume) => pretrain(tinyMae(), set, { ...pretraining, out, resume });
  await assertResumesExactly(start, [2]);
  await assertResumesExactly(start, [1, 3, 5]);
});

test("pretraining stopped at the end of an epoch goes on bit for bit, also with accumulation", async () => {
  const set = await images();
  const options = { ...pretraining, batchSize: 3, accumulate: 2 };
  await assertResumesExactly((out, resume) => pretrain(tinyMae(), set, { ...options, out, resume }), [2]);
});

test("finetuning with mixing, drop path and accumulation goes on bit for bit", async () => {
  const set = await images(transforms.finetune);
  const options = { ...finetuning, validation: set };
  const start: Start = (out, resume) => finetune(tinyClassifier(), set, { ...options, out, resume });
  await assertResumesExactly(start, [2]);
  await assertResumesExactly(start, [3, 4]);
});

test("another seed gives another run, the same seed the same one", async () => {
  const set = await images();
  const run = async (seed: number) =>
    losses((await pretrain(tinyMae(), set, { ...pretraining, seed, out: false }).done).history);
  const first = await run(1);
  assert.deepEqual(await run(1), first);
  assert.notDeepEqual(await run(2), first);
});

test("resuming with other options is refused with every difference", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  const model = tinyClassifier();
  await stopAfter(finetune(model, set, { ...finetuning, out }), 2);
  const values = await model.stateDict();
  const resumed = (change: Partial<FinetuneOptions>, data: FolderDataset = set) =>
    finetune(model, data, { ...finetuning, ...change, out, resume: true }).done;
  const change = {
    lr: 2e-2,
    weightDecay: 0.1,
    seed: 3,
    layerDecay: 0.5,
    dropPath: 0.1,
    smoothing: 0.2,
    mix: null,
    clipGradNorm: 1,
  };
  const lines = [
    "schedule.lr: was 0.01, now 0.02",
    "weightDecay: was 0.05, now 0.1",
    "seed: was 0, now 3",
    "layerDecay: was 0.75, now 0.5",
    "dropPath: was 0.4, now 0.1",
    "smoothing: was 0.1, now 0.2",
    'mix: was {"mixupAlpha":0.8,"cutmixAlpha":1}, now null',
    "clipGradNorm: was not given, now 1",
  ];
  const error = await assertRejects(resumed(change), "bad-argument", out, ...lines);
  assert.equal(error.message.match(/: was /g)!.length, lines.length);
  await assertRejects(resumed({}, set.take(8)), "bad-argument", "images: was 12, now 8");
  await assertRejects(
    resumed({ batchSize: 4, accumulate: 1 }),
    "bad-argument",
    "batchSize: was 2",
    "accumulate: was 2",
  );
  model.freeze("blocks.0.");
  await assertRejects(resumed({}), "bad-argument", "trainable: was");
  model.unfreeze("blocks.0.");
  assert.deepEqual(await model.stateDict(), values, "a refused resume changes nothing");
  assert.equal(readLines(out).length, 2);
});

test("resuming another kind of run, or another model, is refused", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  await stopAfter(pretrain(tinyMae(), set, { ...pretraining, out }), 2);
  const options = { ...pretraining, out, resume: true };
  const tuned = finetune(tinyClassifier(), set, { ...options, dropPath: 0 });
  await assertRejects(tuned.done, "bad-argument", 'task: was "pretrain", now "finetune"');
  const masked = mae.create({ encoder: tinyViT, decoder: tinyDecoder, maskRatio: 0.5 });
  await assertRejects(pretrain(masked, set, options).done, "bad-argument", "maskRatio: was 0.75, now 0.5");
  const deeper = mae.create({ encoder: { ...tinyViT, depth: 3 }, decoder: tinyDecoder });
  await assertRejects(pretrain(deeper, set, options).done, "bad-argument", "trainable: was");
});

test("a log with lines after the last checkpoint, or a torn one, is cut to the checkpoint", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const options: TrainOptions = { ...pretraining, out };
  const { history } = await stopAfter(pretrain(tinyMae(), set, options), 2);
  appendFileSync(
    join(out, "metrics.jsonl"),
    `${JSON.stringify({ ...history[1], step: 3, loss: 99 })}\n{"step": 4, "lo`,
  );
  const resumed = await pretrain(tinyMae(), set, { ...options, resume: true }).done;
  assert.deepEqual(readLines(out), resumed.history);
  assert.deepEqual(
    resumed.history.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6],
  );
  assert.ok(losses(resumed.history).every((loss) => loss < 50));
});

test("a damaged newest checkpoint gives way to the one before", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const whole = await pretrain(tinyMae(), set, { ...pretraining, out }).done;
  const expected = await readTrainingCheckpoint(whole.checkpoint!);
  writeFileSync(join(whole.checkpoint!, "state.json"), "{");
  const resumed = await pretrain(tinyMae(), set, { ...pretraining, out, resume: true }).done;
  assert.deepEqual(losses(resumed.history), losses(whole.history));
  assertSameBits((await readTrainingCheckpoint(resumed.checkpoint!)).model, expected.model);
});

const blockConfig: LlamaConfig = { ...llama7b, dim: 16, heads: 2, hiddenDim: 24 };

/** A frozen block read from a file, with LoRA, behind the tiny ViT. */
async function luvit(
  file: string,
  { seed = 0, config = blockConfig } = {},
): Promise<{ block: LlamaBlocks; model: mae.MaskedAutoencoder }> {
  const block = baselines.randomBlock(config, { seed });
  const source = await fileSource(file);
  block.loadStateDict(await (await openSafetensors(source)).readTensors(), { source: file });
  await source.close();
  block.freeze();
  attach(block, { rank: 2 });
  return { block, model: mae.create({ encoder: tinyViT, fusion: block, decoder: tinyDecoder }) };
}

async function blockFile(seed: number, config = blockConfig): Promise<string> {
  const file = join(temporaryFolder(), "block.safetensors");
  await writeSafetensors(file, await baselines.randomBlock(config, { seed }).stateDict());
  return file;
}

test("frozen weights from a file are named in checkpoints, not copied, and right after resuming", async () => {
  const set = await images();
  const file = await blockFile(5);
  const out = join(temporaryFolder(), "run");
  const options = { ...pretraining, out };
  const { checkpoint } = await stopAfter(pretrain((await luvit(file)).model, set, options), 2);
  const saved = await readTrainingCheckpoint(checkpoint!);
  const external = saved.state.external as Record<string, { source: string; sha256: string }>;
  const frozen = [...baselines.randomBlock(blockConfig).namedParameters()].map(([path]) => `llama.${path}`);
  assert.deepEqual(Object.keys(external).sort(), frozen.sort());
  for (const [path, { source, sha256 }] of Object.entries(external)) {
    assert.equal(source, file);
    assert.match(sha256, /^[0-9a-f]{64}$/);
    assert.ok(!saved.model.has(path));
  }
  assert.ok(saved.model.has("llama.layers.0.attention.wq.lora_A.weight"), "LoRA is saved");
  assert.ok(saved.model.has("pos_embed"), "frozen weights that came from no file are saved");

  const start: Start = (folder, resume) =>
    pretrain(models.shift()!, set, { ...pretraining, out: folder, resume });
  const models = [await luvit(file), await luvit(file), await luvit(file), await luvit(file)].map(
    ({ model }) => model,
  );
  await assertResumesExactly(start, [2, 4]);
});

test("a model on a block with grouped queries and biases trains, stops and goes on bit for bit", async () => {
  const set = await images();
  const config: LlamaConfig = { ...blockConfig, heads: 4, kvHeads: 2, headDim: 6, qkvBias: true, rope: true };
  const file = await blockFile(5, config);
  const fresh = async () => (await luvit(file, { config })).model;
  const models = [await fresh(), await fresh(), await fresh()];
  const [whole] = models;
  const start: Start = (out, resume) => pretrain(models.shift()!, set, { ...pretraining, out, resume });
  await assertResumesExactly(start, [2]);
  const trained = (await whole.stateDict()).get("llama.layers.0.attention.wv.lora_B.weight")!;
  assert.deepEqual([...trained.shape], [2 * 6, 2]);
  assert.ok(trained.data.some((value) => value !== 0));
});

test("resuming on other frozen weights is refused, naming them", async () => {
  const set = await images();
  const file = await blockFile(5);
  const out = join(temporaryFolder(), "run");
  await stopAfter(pretrain((await luvit(file)).model, set, { ...pretraining, out }), 2);
  const other = (await luvit(await blockFile(6))).model;
  const resumed = pretrain(other, set, { ...pretraining, out, resume: true }).done;
  await assertRejects(
    resumed,
    "key-mismatch",
    "llama.layers.0.attention.wq.weight",
    `was read from ${file}`,
    "Load the same",
  );
});

test("frozen weights without a file are in every checkpoint, those after a resume among them", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const start = (seed: number, resume: boolean) => {
    const fusion = baselines.frozenBlock(baselines.randomBlock(blockConfig, { seed }));
    const model = mae.create({ encoder: tinyViT, fusion, decoder: tinyDecoder });
    return pretrain(model, set, { ...pretraining, out, resume });
  };
  const first = await stopAfter(start(7, false), 1);
  const weight = "llama.layers.0.feed_forward.w1.weight";
  const saved = await readTrainingCheckpoint(first.checkpoint!);
  const expected = new Map([[weight, saved.model.get(weight)!]]);
  for (const step of [2, 4]) {
    const { checkpoint } = await stopAfter(start(8, true), step);
    const { model } = await readTrainingCheckpoint(checkpoint!);
    assertSameBits(new Map([[weight, model.get(weight)!]]), expected);
  }
});

test("weights that were trained and frozen afterwards are saved, though a file once held others", async () => {
  const set = await images(transforms.finetune);
  const options = { ...finetuning, dropPath: 0, epochs: 1 };
  const model = tinyClassifier();
  model.loadStateDict(await model.stateDict(), { source: "start.safetensors" });
  await finetune(model, set, { ...options, out: false }).done;
  model.freeze("blocks.");
  const weight = "blocks.0.attn.qkv.weight";
  const trained = (await model.stateDict()).get(weight)!;
  const out = join(temporaryFolder(), "run");
  const { checkpoint } = await finetune(model, set, { ...options, out }).done;
  const saved = await readTrainingCheckpoint(checkpoint!);
  assertSameBits(new Map([[weight, saved.model.get(weight)!]]), new Map([[weight, trained]]));
});

test("a classifier on a pretrained encoder shares the frozen block and is resumed with it", async () => {
  const set = await images(transforms.finetune);
  const file = await blockFile(5);
  const fresh = async () => classifier.fromPretrained((await luvit(file)).model, { classes: 2 });
  const models = [await fresh(), await fresh(), await fresh()];
  const start: Start = (out, resume) => finetune(models.shift()!, set, { ...finetuning, out, resume });
  await assertResumesExactly(start, [4]);
});
