import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { streamOf } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import * as transforms from "../../../src/data/transforms";
import { keepWeights, writeSavedModel } from "../../../src/io/checkpoint/savedModel";
import { baselines, classifier, fusion, llama, lora, mae } from "../../../src/models";
import type { Classifier } from "../../../src/models/classifier";
import type { FusionPlan } from "../../../src/models/fusion";
import { llama7b } from "../../../src/models/llamaConfig";
import type { SavableModel } from "../../../src/models/savable";
import { type FinetuneOptions, finetune } from "../../../src/train/finetune";
import { pretrain } from "../../../src/train/pretrain";
import { loadRunWeights } from "../../../src/train/runWeights";
import {
  assertRejects,
  finetuning,
  images,
  pretraining,
  stopAfter,
  temporaryFolder,
  tinyDecoder,
  tinyViT,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const blockConfig = {
  ...llama7b,
  dim: 16,
  heads: 2,
  hiddenDim: 24,
  causal: true,
  rope: true,
  slidingWindow: 3,
};
const scaling = { type: "linear", factor: 2 } as const;
const options: FinetuneOptions = { ...finetuning, dropPath: 0, mix: null, engine: "eager" };

interface Parts {
  vit?: object;
  block?: object;
  plan?: Partial<FusionPlan>;
  lora?: lora.LoraOptions;
  head?: object;
  merge?: boolean;
}

/** LUViT with everything at a value of its own, except for what is given. */
function luvit({ vit, block, plan, lora: updates, head, merge }: Parts = {}): Classifier {
  const made = baselines.randomBlock({ ...blockConfig, ropeScaling: scaling, ...block });
  lora.attach(made, { rank: 2, alpha: 3, ...updates });
  const through = fusion.through(made, { after: 1, ...plan });
  const encoder = { ...tinyViT, ...vit };
  const model = classifier.create({ encoder, fusion: through, classes: 2, ...head });
  if (merge) lora.merge(model);
  return model;
}

/** What may be built otherwise without any weight having another shape, and how the refusal names it. */
const changes: readonly [says: string, parts: Parts][] = [
  ["encoder.heads: was 2, now 4", { vit: { heads: 4 } }],
  ["encoder.fusion.after: was 1, now 2", { plan: { after: 2 } }],
  ["encoder.fusion.residual: was false, now true", { plan: { residual: true } }],
  ["encoder.fusion.normFirst: was false, now true", { plan: { normFirst: true } }],
  ["encoder.fusion.rmsNorm: was true, now false", { plan: { rmsNorm: false } }],
  ["encoder.fusion.mapperBias: was false, now true", { plan: { mapperBias: true } }],
  ["encoder.fusion.block.heads: was 2, now 4", { block: { heads: 4 } }],
  ["encoder.fusion.block.causal: was true, now false", { block: { causal: false } }],
  ["encoder.fusion.block.slidingWindow: was 3, now 2", { block: { slidingWindow: 2 } }],
  ["encoder.fusion.block.rope: was true, now false", { block: { rope: false } }],
  ["encoder.fusion.block.ropeTheta: was 10000, now 500000", { block: { ropeTheta: 5e5 } }],
  [
    "encoder.fusion.block.ropeScaling.factor: was 2, now 4",
    { block: { ropeScaling: { ...scaling, factor: 4 } } },
  ],
  ["encoder.fusion.block.normEps: was 0.000001, now 0.00001", { block: { normEps: 1e-5 } }],
  ['encoder.fusion.block.rowOrder: was "hf", now "meta"', { block: { rowOrder: "meta" } }],
  ["lora.llama.layers.0.attention.wq.alpha: was 3, now 6", { lora: { alpha: 6 } }],
  [
    "lora.llama.layers.0.attention.wv.rankStabilized: was false, now true",
    { lora: { rankStabilized: true } },
  ],
  ["lora.llama.layers.0.attention.wq.rank: was 2, now 4", { lora: { rank: 4 } }],
  ["lora.llama.layers.0.attention.wk", { lora: { targets: ["k_proj", "v_proj"] } }],
  ["lora.llama.layers.0.attention.wq.merged: was false, now true", { merge: true }],
  ['pooling: was "mean", now "cls"', { head: { pooling: "cls" } }],
];

test("a model that computes otherwise is refused on resuming, and by loadRunWeights, whatever it is", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  await stopAfter(finetune(luvit(), set, { ...options, out }), 2);
  for (const [says, parts] of changes) {
    const resumed = finetune(luvit(parts), set, { ...options, out, resume: true });
    await assertRejects(resumed.done, "bad-argument", says);
    await assertRejects(loadRunWeights(luvit(parts), out), "key-mismatch", says);
  }
  await loadRunWeights(luvit(), out);
  const { history } = await finetune(luvit(), set, { ...options, out, resume: true }).done;
  assert.equal(history.length, 6);
});

/** Every leaf of a JSON value with its path; lists are compared as a whole. */
function leaves(value: unknown, path: string[] = []): [path: string[], value: unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

function withLeaf(config: object, path: readonly string[], value: unknown): Record<string, unknown> {
  const copy = structuredClone(config) as Record<string, unknown>;
  const holder = path.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, copy);
  holder[path.at(-1)!] = value;
  return copy;
}

/** Entries that say where a model came from or what it was used for, and nothing of what it computes. */
const aboutIt = [
  "luvitVersion",
  "frozen",
  "blockSource",
  "external",
  "preprocessing",
  "decoderIsFresh",
  "maskRatio",
];

/** A run whose checkpoint says another value for every entry in turn is not gone on with. */
async function assertEveryEntryCounts(out: string, resume: (out: string) => Promise<unknown>): Promise<void> {
  const name = "checkpoint-000002";
  const config = JSON.parse(readFileSync(join(out, name, "config.json"), "utf8"));
  const { tensors } = await keepWeights(join(out, name, "model.safetensors"));
  let counted = 0;
  for (const [path, value] of leaves(config)) {
    if (path.length === 0 || aboutIt.includes(path[0])) continue;
    const otherwise = withLeaf(config, path, typeof value === "number" ? 3 * value : `not ${value}`);
    const copy = join(temporaryFolder(), "run");
    cpSync(out, copy, { recursive: true });
    await writeSavedModel(join(copy, name), { config: otherwise, tensors: streamOf(tensors) });
    await assertRejects(resume(copy), "bad-argument", `${path.join(".")}: was `);
    counted++;
  }
  assert.ok(counted > 20, `${counted} entries`);
}

test("every entry of a checkpoint's config that decides the numbers is compared on resuming", async () => {
  const folder = temporaryFolder();
  const set = await images(transforms.finetune);
  const tune = (out: string, resume: boolean) => finetune(luvit(), set, { ...options, out, resume });
  await stopAfter(tune(join(folder, "tuned"), false), 2);
  await assertEveryEntryCounts(join(folder, "tuned"), (out) => tune(out, true).done);
  const masked = () => mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: fusion.mlp(6) });
  const train = (out: string, resume: boolean) =>
    pretrain(masked(), set, { ...pretraining, engine: "eager", out, resume });
  await stopAfter(train(join(folder, "masked"), false), 2);
  await assertEveryEntryCounts(join(folder, "masked"), (out) => train(out, true).done);
});

test("classes in another order are refused on resuming", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  await stopAfter(finetune(luvit(), set, { ...options, out }), 2);
  const swapped = Object.assign(Object.create(set), { classes: ["red", "green"] });
  const resumed = finetune(luvit(), swapped, { ...options, out, resume: true });
  await assertRejects(resumed.done, "bad-argument", 'classNames: was ["green","red"], now ["red","green"]');
});

test("a run's folder opens by itself, with the very weights and what it knows of its data", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  const block = await llama.loadBlock(join(__dirname, "../../../../data/llama-toy"));
  lora.attach(block, { rank: 2 });
  const model = classifier.create({ encoder: tinyViT, fusion: block, classes: 2 });
  const run = await finetune(model, set, { ...options, epochs: 1, emaDecay: 0.5, out }).done;
  const opened = await classifier.open(out);
  await assertSameModel(opened, model);
  assert.deepEqual(opened.classNames, ["green", "red"]);
  assert.deepEqual(opened.summary(), model.summary());
  await assertSameModel(await classifier.load(join(out, "checkpoint-000003")), model);
  const averaged = await classifier.open(out, { averaged: true });
  const weights = new Map([...averaged.namedParameters()]);
  assert.ok(run.averaged!.size > 0);
  for (const [path, { data }] of run.averaged!) {
    assert.deepEqual((await weights.get(path)!.read()).data, data, path);
  }
  assert.notDeepEqual(await averaged.stateDict(), await model.stateDict());
  await assertRejects(mae.open(out), "bad-argument", "not a mae", "classifier.load");
});

async function assertSameModel(actual: SavableModel, expected: SavableModel): Promise<void> {
  const [a, b] = [await actual.stateDict(), await expected.stateDict()];
  assert.deepEqual([...a.keys()], [...b.keys()]);
  for (const [path, { data }] of a) assert.deepEqual(data, b.get(path)!.data, path);
}
