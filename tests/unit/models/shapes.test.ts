import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { baselines, classifier, fusion, llama, lora, mae, vit } from "../../../src/models";
import type { FusionPlan } from "../../../src/models/fusion";
import { swigluWidth } from "../../../src/models/llamaConfig";
import type { ViTConfig } from "../../../src/models/vit";
import type { Module } from "../../../src/nn/module";

/* Nothing here reads a weight: full-size models are built and counted without taking memory for them. */

before(() => startBackend());

const presets: [string, ViTConfig, total: number, headless: number][] = [
  ["ViT-Ti/16", vit.tiny16, 5_717_416, 5_524_416],
  ["ViT-S/16", vit.small16, 22_050_664, 21_665_664],
  ["ViT-B/16", vit.base16, 86_567_656, 85_798_656],
  ["ViT-L/16", vit.large16, 304_326_632, 303_301_632],
  ["ViT-H/14", vit.huge14, 632_045_800, 630_764_800],
];

for (const [name, encoder, total, headless] of presets) {
  test(`${name} has the published number of parameters`, () => {
    for (const pooling of ["mean", "cls"] as const) {
      const model = classifier.create({ encoder, classes: 1000, pooling });
      assert.deepEqual(model.counts(), { total, trainable: total });
      assert.equal(model.counts().total - model.head.counts().total, headless);
    }
    assert.equal(mae.create({ encoder }).encoder.counts().total, headless);
  });
}

/** One transformer block's keys at a width. */
function blockKeys(prefix: string, dim: number): [string, string][] {
  return [
    ["norm1.weight", [dim]],
    ["norm1.bias", [dim]],
    ["attn.qkv.weight", [3 * dim, dim]],
    ["attn.qkv.bias", [3 * dim]],
    ["attn.proj.weight", [dim, dim]],
    ["attn.proj.bias", [dim]],
    ["norm2.weight", [dim]],
    ["norm2.bias", [dim]],
    ["mlp.fc1.weight", [4 * dim, dim]],
    ["mlp.fc1.bias", [4 * dim]],
    ["mlp.fc2.weight", [dim, 4 * dim]],
    ["mlp.fc2.bias", [dim]],
  ].map(([key, shape]) => [`${prefix}.${key}`, `${shape}`]);
}

const encoderKeys: [string, string][] = [
  ["cls_token", "1,1,768"],
  ["pos_embed", "1,197,768"],
  ["patch_embed.proj.weight", "768,3,16,16"],
  ["patch_embed.proj.bias", "768"],
  ...Array.from({ length: 12 }, (_, k) => blockKeys(`blocks.${k}`, 768)).flat(),
];

const normKeys = (name: string, dim: number): [string, string][] => [
  [`${name}.weight`, `${dim}`],
  [`${name}.bias`, `${dim}`],
];

const decoderKeys: [string, string][] = [
  ["decoder_embed.weight", "512,768"],
  ["decoder_embed.bias", "512"],
  ["mask_token", "1,1,512"],
  ["decoder_pos_embed", "1,197,512"],
  ...Array.from({ length: 8 }, (_, k) => blockKeys(`decoder_blocks.${k}`, 512)).flat(),
  ...normKeys("decoder_norm", 512),
  ["decoder_pred.weight", "768,512"],
  ["decoder_pred.bias", "768"],
];

const headKeys: [string, string][] = [
  ["head.weight", "1000,768"],
  ["head.bias", "1000"],
];

const llamaKeys: [string, string][] = [
  ["llama_dim_mapper1.weight", "4096,768"],
  ...["wq", "wk", "wv", "wo"].map((w): [string, string] => [
    `llama.layers.0.attention.${w}.weight`,
    "4096,4096",
  ]),
  ["llama.layers.0.feed_forward.w1.weight", "11008,4096"],
  ["llama.layers.0.feed_forward.w2.weight", "4096,11008"],
  ["llama.layers.0.feed_forward.w3.weight", "11008,4096"],
  ["llama.layers.0.attention_norm.weight", "4096"],
  ["llama.layers.0.ffn_norm.weight", "4096"],
  ["llama.norm.weight", "4096"],
  ["llama_dim_mapper2.weight", "768,4096"],
];

const loraKeys: [string, string][] = ["wq", "wv"].flatMap((w): [string, string][] => [
  [`llama.layers.0.attention.${w}.lora_A.weight`, "16,4096"],
  [`llama.layers.0.attention.${w}.lora_B.weight`, "4096,16"],
]);

function assertKeys(model: Module, expected: [string, string][]): void {
  const actual = [...model.namedParameters()].map(([path, { shape }]): [string, string] => [
    path,
    shape.join(),
  ]);
  assert.deepEqual(Object.fromEntries(actual), Object.fromEntries(expected));
  assert.equal(actual.length, expected.length);
}

test("ViT-B has exactly the official keys and shapes, with fc_norm or norm by its pooling", () => {
  const create = (pooling: "mean" | "cls") =>
    classifier.create({ encoder: vit.base16, classes: 1000, pooling });
  assertKeys(create("mean"), [...encoderKeys, ...normKeys("fc_norm", 768), ...headKeys]);
  assertKeys(create("cls"), [...encoderKeys, ...normKeys("norm", 768), ...headKeys]);
});

test("MAE-B has exactly the official keys and shapes, and the published counts", () => {
  const model = mae.create({ encoder: vit.base16 });
  assertKeys(model, [...encoderKeys, ...normKeys("norm", 768), ...decoderKeys]);
  assert.deepEqual(model.counts(), { total: 111_907_840, trainable: 111_655_680 });
});

test("LLaMA-7B's block has 202 383 360 parameters and the hidden width 11008", () => {
  assert.equal(baselines.randomBlock(llama.llama7b).counts().total, 202_383_360);
  assert.equal(swigluWidth(4096), llama.llama7b.hiddenDim);
});

test("LUViT-B trains 118 209 280 parameters when pretraining and 93 121 256 when finetuning", async () => {
  const block = baselines.randomBlock(llama.llama7b);
  const report = lora.attach(block, { rank: 16 });
  assert.equal(report.trainable, 262_144);
  const pretraining = mae.create({ encoder: vit.base16, fusion: block });
  assertKeys(pretraining, [
    ...encoderKeys,
    ...llamaKeys,
    ...loraKeys,
    ...normKeys("norm", 768),
    ...decoderKeys,
  ]);
  assert.equal(pretraining.counts().trainable, 118_209_280);

  const finetuning = await classifier.fromPretrained(pretraining, { classes: 1000 });
  assertKeys(finetuning, [
    ...encoderKeys,
    ...llamaKeys,
    ...loraKeys,
    ...normKeys("fc_norm", 768),
    ...headKeys,
  ]);
  const frozenNorm = 4096;
  assert.deepEqual(finetuning.counts(), { total: 295_504_616 + frozenNorm, trainable: 93_121_256 });
});

test("the baselines train as many parameters as the paper's tables say", () => {
  const trainable = (plan: FusionPlan) =>
    classifier.create({ encoder: vit.base16, fusion: plan, classes: 1000 }).counts().trainable;
  const block = () => baselines.randomBlock(llama.llama7b);
  assert.equal(trainable(baselines.mlpP(llama.llama7b)), 92_859_112);
  assert.equal(trainable(baselines.frozenBlock(block())), 92_859_112);
  assert.equal(baselines.mlpL(vit.base16, llama.llama7b).width, 4267);
  assert.equal(trainable(baselines.mlpL(vit.base16, llama.llama7b)), 93_121_768);
  const adapted = block();
  lora.attach(adapted, { rank: 16 });
  assert.equal(trainable(fusion.through(adapted, { mapperBias: true })), 93_126_120);
});

test("counting took no tensor", () => {
  assert.equal(tf.memory().numTensors, 0);
});

test("a configuration that does not divide is an error that names both numbers", () => {
  const odd = { ...vit.toy, patchSize: 7, heads: 5 };
  assert.throws(
    () => classifier.create({ encoder: odd, classes: 10 }),
    /imageSize: expected a multiple of patchSize \(7\), got 64\n.*dim: expected a multiple of heads \(5\), got 64/,
  );
  assert.throws(() => classifier.create({ encoder: vit.toy, classes: 1 }), /classes: expected .* got 1/);
});
