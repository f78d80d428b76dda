import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { randomBlock } from "../../../src/models/baselines";
import * as classifier from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { ClipTower } from "../../../src/models/llavit/clip";
import * as lora from "../../../src/models/lora";
import * as mae from "../../../src/models/mae";
import * as segmenter from "../../../src/models/segmenter";
import { toy, type ViTConfig } from "../../../src/models/vit";
import { RMSNorm } from "../../../src/nn/layers";
import type { Module } from "../../../src/nn/module";
import { sinCosPositionTable } from "../../../src/nn/positionEmbedding";
import { assertSameState } from "../nn/support";
import { normsOf, tinyBlock, tinyDecoder, tinyLlama, tinyViT } from "./support";

before(() => startBackend());

const extent = (values: Float32Array) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
const deviation = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);

async function values(model: Module, path: string): Promise<Float32Array> {
  const parameter = new Map(model.namedParameters()).get(path);
  assert.ok(parameter, path);
  return (await parameter.read()).data;
}

const wide: ViTConfig = { ...toy, depth: 1 };

test("pretraining starts as MAE does: xavier weights, zero biases, sine-cosine positions, tokens near zero", async () => {
  const model = mae.create({ encoder: wide });
  const { dim, patchSize } = wide;
  const bounds: Record<string, number> = {
    "patch_embed.proj.weight": Math.sqrt(6 / (3 * patchSize ** 2 + dim)),
    "patch_embed.proj.bias": 1 / Math.sqrt(3 * patchSize ** 2),
    "blocks.0.attn.qkv.weight": Math.sqrt(6 / (4 * dim)),
    "blocks.0.attn.proj.weight": Math.sqrt(6 / (2 * dim)),
    "blocks.0.mlp.fc1.weight": Math.sqrt(6 / (5 * dim)),
    "blocks.0.mlp.fc2.weight": Math.sqrt(6 / (5 * dim)),
    "decoder_embed.weight": Math.sqrt(6 / (dim + 512)),
    "decoder_blocks.0.attn.qkv.weight": Math.sqrt(6 / (4 * 512)),
    "decoder_blocks.7.attn.proj.weight": Math.sqrt(6 / (2 * 512)),
    "decoder_blocks.0.mlp.fc1.weight": Math.sqrt(6 / (5 * 512)),
    "decoder_blocks.7.mlp.fc2.weight": Math.sqrt(6 / (5 * 512)),
    "decoder_pred.weight": Math.sqrt(6 / (512 + 3 * patchSize ** 2)),
  };
  for (const [path, bound] of Object.entries(bounds)) {
    const most = extent(await values(model, path));
    assert.ok(most <= Math.fround(bound) && most > 0.9 * bound, `${path}: ${most} against ${bound}`);
  }
  const biases = [...model.namedParameters()].map(([path]) => path).filter((path) => path.endsWith(".bias"));
  assert.ok(biases.length > 40);
  for (const path of biases.filter((name) => name !== "patch_embed.proj.bias")) {
    assert.equal(extent(await values(model, path)), 0, path);
  }
  assert.deepEqual(await values(model, "pos_embed"), sinCosPositionTable(dim, 8));
  assert.deepEqual(await values(model, "decoder_pos_embed"), sinCosPositionTable(512, 8));
  assert.ok(Math.abs(deviation(await values(model, "mask_token")) / 0.02 - 1) < 0.15);
});

test("a classifier from scratch starts as timm's: normal 0.02, a plain torch convolution, trainable positions", async () => {
  const model = classifier.create({ encoder: wide, classes: 50 });
  for (const path of ["blocks.0.attn.qkv.weight", "blocks.0.mlp.fc2.weight", "pos_embed", "head.weight"]) {
    assert.ok(Math.abs(deviation(await values(model, path)) / 0.02 - 1) < 0.06, path);
  }
  const bound = 1 / Math.sqrt(3 * wide.patchSize ** 2);
  for (const path of ["patch_embed.proj.weight", "patch_embed.proj.bias"]) {
    const most = extent(await values(model, path));
    assert.ok(most <= Math.fround(bound) && most > 0.9 * bound, path);
  }
  assert.equal(model.encoder.pos_embed.trainable, true);
});

test("a head on a pretrained encoder starts at 2e-5, with no bias", async () => {
  const pretrained = mae.create({ encoder: wide, decoder: tinyDecoder });
  const model = await classifier.fromPretrained(pretrained, { classes: 50 });
  assert.ok(Math.abs(deviation(await values(model, "head.weight")) / 2e-5 - 1) < 0.06);
  assert.equal(extent(await values(model, "head.bias")), 0);
  assert.deepEqual(await values(model, "fc_norm.weight"), new Float32Array(wide.dim).fill(1));
});

test("LoRA starts with A within 1/sqrt(in) and B at zero", async () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 16 });
  for (const w of ["wq", "wv"]) {
    const most = extent(await values(block, `layers.0.attention.${w}.lora_A.weight`));
    assert.ok(most <= Math.fround(1 / Math.sqrt(24)) && most > 0.9 / Math.sqrt(24));
    assert.equal(extent(await values(block, `layers.0.attention.${w}.lora_B.weight`)), 0);
  }
  const [a, b] = ["wq", "wv"].map((w) => values(block, `layers.0.attention.${w}.lora_A.weight`));
  assert.notDeepEqual(await a, await b);
});

const build = (seed: number) =>
  mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: { width: 24, seed }, seed });

test("models of one seed are equal, of two seeds not, and the order of first reads does not matter", async () => {
  const model = build(3);
  const state = await model.stateDict();
  assertSameState(await build(3).stateDict(), state);

  const backwards = build(3);
  for (const [path, parameter] of [...backwards.namedParameters()].reverse()) {
    assert.deepEqual(parameter.value.dataSync(), state.get(path)!.data, path);
  }
  const other = await build(4).stateDict();
  for (const path of [
    "cls_token",
    "blocks.0.attn.qkv.weight",
    "decoder_pred.weight",
    "llama_dim_mapper1.weight",
  ]) {
    assert.notDeepEqual(other.get(path)!.data, state.get(path)!.data, path);
  }
});

test("no two weights of a model start with the same numbers", async () => {
  const state = await build(1).stateDict();
  const starts = [...state].filter(
    ([path, { data }]) => path.endsWith("weight") && data.some((x) => x !== 1),
  );
  const firsts = starts.map(([, { data }]) =>
    data
      .slice(0, 2)
      .map((x) => x / extent(data))
      .join(),
  );
  assert.equal(new Set(firsts).size, starts.length);
});

test("every norm of a model has the epsilon of its config", () => {
  const [eps, own] = [0.125, 0.25];
  const vit = { ...tinyViT, normEps: eps, preNorm: true };
  const llama = { ...tinyLlama, normEps: own, qkNorm: true };
  const path = { fusion: through(randomBlock(llama)), classes: 2 };
  const clip = {
    imageSize: 12,
    patchSize: 4,
    dim: 8,
    depth: 2,
    heads: 2,
    hiddenDim: 16,
    activation: "gelu",
  } as const;
  const models: [Module, count: number][] = [
    [new ClipTower({ ...clip, normEps: eps } as ConstructorParameters<typeof ClipTower>[0]), 1 + 2 * 2],
    [classifier.create({ encoder: vit, ...path }), 1 + 2 * 2 + 1 + 5],
    [classifier.create({ encoder: vit, ...path, pooling: "attention" }), 1 + 2 * 2 + 2 + 5],
    [segmenter.create({ encoder: vit, ...path, classes: 3 }), 1 + 2 * 2 + 1 + 5],
    [new LlamaLanguageModel({ ...llama, depth: 2, vocabulary: 5 }), 2 * 4 + 1],
  ];
  for (const [model, count] of models) {
    const norms = normsOf(model);
    assert.equal(norms.length, count, `${model}: ${norms.map(([name]) => name)}`);
    for (const [name, norm] of norms)
      assert.equal(norm.eps, norm instanceof RMSNorm ? own : eps, `${model.constructor.name} ${name}`);
  }
});
