import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import { drawMix } from "../../../src/data/mixup";
import { evaluation } from "../../../src/data/transforms";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { baselines, classifier, fusion, llama, lora, mae, vit } from "../../../src/models";
import { swigluWidth } from "../../../src/models/llamaConfig";
import { AdamW } from "../../../src/optim/adamw";
import { finetune } from "../../../src/train/finetune";
import * as recipes from "../../../src/train/recipes";
import { images, temporaryFolder, tinyClassifier, tinyDecoder, tinyViT } from "./support";

/*
 * Every number of a preset, a recipe or a default, written down once more from its source: facebookresearch/mae, timm
 * (v0.4.12 for Ti and S), facebookresearch/llama (v1), LM4VisualEncoding, microsoft/LoRA and LUViT's appendix D.
 */

before(async () => void (await startBackend()));

test("the ViTs are timm's and MAE's", () => {
  const at = (patchSize: number, dim: number, depth: number, heads: number) => ({
    imageSize: 224,
    patchSize,
    mlpRatio: 4,
    dim,
    depth,
    heads,
  });
  assert.deepEqual({ ...vit.tiny16 }, at(16, 192, 12, 3));
  assert.deepEqual({ ...vit.small16 }, at(16, 384, 12, 6));
  assert.deepEqual({ ...vit.base16 }, at(16, 768, 12, 12));
  assert.deepEqual({ ...vit.large16 }, at(16, 1024, 24, 16));
  assert.deepEqual({ ...vit.huge14 }, at(14, 1280, 32, 16));
  assert.deepEqual({ ...vit.toy }, { imageSize: 64, patchSize: 8, mlpRatio: 4, dim: 64, depth: 4, heads: 4 });
});

test("the decoder is MAE's: 512 wide, 8 blocks, 16 heads, for every encoder", () => {
  assert.deepEqual({ ...mae.decoder512x8 }, { dim: 512, depth: 8, heads: 16, mlpRatio: 4 });
  assert.deepEqual({ ...mae.decoderToy }, { dim: 48, depth: 1, heads: 4, mlpRatio: 4 });
});

test("LLaMA-7B is the first LLaMA's, with LUViT's switches", () => {
  assert.deepEqual(
    { ...llama.llama7b },
    {
      dim: 4096,
      heads: 32,
      hiddenDim: 11008,
      normEps: 1e-6,
      ropeTheta: 10000,
      causal: false,
      rope: false,
      rowOrder: "hf",
    },
  );
  assert.equal(swigluWidth(4096), 11008);
});

const pretraining = {
  epochs: 800,
  batchSize: 64,
  accumulate: 64,
  baseLr: 1.5e-4,
  minLr: 0,
  warmupEpochs: 40,
  weightDecay: 0.05,
  betas: [0.9, 0.95],
};
const finetuning = {
  epochs: 100,
  batchSize: 32,
  accumulate: 32,
  baseLr: 1e-3,
  minLr: 1e-6,
  warmupEpochs: 5,
  weightDecay: 0.05,
  betas: [0.9, 0.999],
  layerDecay: 0.75,
  dropPath: 0.1,
  smoothing: 0.1,
  mix: { mixupAlpha: 0.8, cutmixAlpha: 1.0 },
  augment: {
    randAugment: { layers: 2, magnitude: 9, magnitudeStd: 0.5, probability: 0.5 },
    erasing: 0.25,
  },
};
/** Nobody's but this library's own. */
const taught = (student: string) => ({
  features: [{ teacher: "fusion.mapper2", student, loss: "cosine", weight: 1 }],
  logits: { temperature: 1, weight: 0.5, reduction: "batch" },
  labels: { weight: 1 },
});
const toy = { batchSize: 32, lr: 3e-3, warmupEpochs: 1, weightDecay: 0.05 };

/** LUViT D.4; detectron2 projects/ViTDet, whose 184,375 steps fall behind 163,889 and 177,546. */
const detection = {
  epochs: 100,
  batchSize: 1,
  accumulate: 64,
  lr: 1.5e-4,
  weightDecay: 0.1,
  betas: [0.9, 0.999],
  layerDecay: 0.7,
  dropPath: 0.1,
  warmupSteps: 250,
  warmupFactor: 0.001,
  milestones: [8 / 9, 26 / 27],
  factor: 0.1,
  normalize: "image",
};

/** LUSSeg/ImageNetSegModel MODEL_ZOO.md. */
const segmenting = {
  epochs: 100,
  batchSize: 32,
  accumulate: 8,
  baseLr: 5e-4,
  minLr: 1e-6,
  warmupEpochs: 5,
  weightDecay: 0.05,
  betas: [0.9, 0.999],
  layerDecay: 0.6,
  dropPath: 0.1,
  augment: true,
};

/** Options of every recipe: mae/PRETRAIN.md, mae/FINETUNE.md, LUViT D.2 and D.3, LM4VisualEncoding image_classification. */
const published: Record<keyof typeof recipes, object> = {
  pretrainMae: pretraining,
  pretrainMae1600: { ...pretraining, epochs: 1600 },
  finetuneLuvit: finetuning,
  finetuneMae: { ...finetuning, baseLr: 5e-4, layerDecay: 0.65 },
  supervised: {
    ...finetuning,
    epochs: 300,
    baseLr: 2.5e-4,
    minLr: 1e-5,
    warmupLr: 1e-6,
    warmupEpochs: 20,
    layerDecay: 1,
    repeatedAugmentation: 3,
    emaDecay: 0.99996,
  },
  distillLuvit: { ...finetuning, layerDecay: 1, ...taught("blocks.11") },
  coco: detection,
  cocoDetectron2: { ...detection, lr: 1e-4 },
  detectToy: {
    epochs: 24,
    batchSize: 4,
    lr: 2e-3,
    weightDecay: 0.05,
    layerDecay: 1,
    dropPath: 0,
    warmupSteps: 50,
    milestones: [0.75, 0.92],
  },
  segmentSsl: segmenting,
  segmentSslSup: { ...segmenting, baseLr: 1e-4, layerDecay: 0.4 },
  segmentToy: {
    ...toy,
    epochs: 40,
    batchSize: 12,
    minLr: 1e-5,
    warmupEpochs: 2,
    layerDecay: 0.9,
    dropPath: 0,
    augment: true,
  },
  pretrainToy: { ...toy, epochs: 6, minLr: 0 },
  finetuneToy: { ...toy, epochs: 8, minLr: 1e-5, layerDecay: 0.95, dropPath: 0, smoothing: 0.1 },
  distillToy: {
    ...toy,
    epochs: 8,
    minLr: 1e-5,
    layerDecay: 0.95,
    dropPath: 0,
    smoothing: 0.1,
    ...taught("blocks.3"),
  },
};

test("every option of every recipe is its source's", () => {
  for (const [name, { recipe, ...options }] of Object.entries(recipes)) {
    assert.deepEqual(options, published[name as keyof typeof recipes], name);
    const [, kind] = /^(pretrain|segment|coco|detect)/.exec(name) ?? [];
    const kinds: Record<string, string> = {
      pretrain: "mae",
      segment: "segment",
      coco: "largeScaleJitter",
      detect: "largeScaleJitter",
    };
    assert.equal(recipe.augment, kinds[kind] ?? "finetune");
  }
  assert.deepEqual(Object.keys(recipes).sort(), Object.keys(published).sort());
});

test("a model's defaults are MAE's, a classifier's the mean of the patches", () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  assert.deepEqual([model.maskRatio, model.normPixLoss], [0.75, true]);
  const tuned = classifier.create({ encoder: tinyViT, classes: 2 });
  assert.equal(tuned.pooling, "mean");
  assert.equal(tuned.fc_norm!.eps, 1e-6);
  assert.equal(model.encoder.norm!.eps, 1e-6);
  const optimizer = new AdamW(tuned, new Map());
  assert.deepEqual([...optimizer.betas, optimizer.eps], [0.9, 0.999, 1e-8]);
});

/** Standard deviation. */
function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
}

test("mappers begin with a deviation of 0.02, heads of 0.02 from scratch and of 2e-5 on pretrained weights", async () => {
  const near = (found: number, expected: number) =>
    assert.ok(Math.abs(found / expected - 1) < 0.1, `${found}, expected ${expected}`);
  const encoder = { ...tinyViT, dim: 64 };
  const model = mae.create({ encoder, decoder: tinyDecoder, fusion: fusion.mlp(64) });
  const path = model.encoder.fusion!;
  for (const mapper of [path.llama_dim_mapper1, path.llama_dim_mapper2]) {
    near(deviation((await mapper.weight.read()).data), 0.02);
    assert.equal(mapper.bias, undefined);
  }
  const scratch = classifier.create({ encoder, classes: 100 });
  near(deviation((await scratch.head.weight.read()).data), 0.02);
  const tuned = await classifier.fromPretrained(model, { classes: 100 });
  near(deviation((await tuned.head.weight.read()).data), 2e-5);
});

test("LoRA has rank 16 on q and v and no scale, as LUViT; A is torch's kaiming_uniform(sqrt 5), B zero", async () => {
  const block = baselines.randomBlock({ ...llama.llama7b, dim: 64, heads: 4, hiddenDim: 96 });
  const { paths } = lora.attach(block);
  assert.deepEqual([...paths], ["layers.0.attention.wq", "layers.0.attention.wv"]);
  for (const [, layer] of lora.adapters(block)) {
    assert.deepEqual([layer.rank, layer.scaling], [16, 1]);
    assert.deepEqual(layer.lora_A.weight.shape, [16, 64]);
    const a = (await layer.lora_A.weight.read()).data;
    const most = Math.max(...a.map(Math.abs));
    assert.ok(most <= 1 / 8 && most > 0.95 / 8, `uniform on ±1/sqrt(64), found ${most}`);
    assert.ok((await layer.lora_B.weight.read()).data.every((x) => x === 0));
  }
});

test("PEFT's names mean what this library's do", async () => {
  const block = () => baselines.randomBlock({ ...llama.llama7b, dim: 64, heads: 4, hiddenDim: 96 });
  const [own, peft] = [block(), block()];
  lora.attach(own, { rank: 4, alpha: 6, targets: ["k_proj"], rankStabilized: true });
  lora.attach(peft, { r: 4, loraAlpha: 6, targetModules: ["k_proj"], useRslora: true, loraDropout: 0 });
  const facts = (model: typeof own) =>
    lora.adapters(model).map(([path, { rank, scaling }]) => [path, rank, scaling]);
  assert.deepEqual(facts(peft), facts(own));
  assert.deepEqual(facts(own), [["layers.0.attention.wk", 4, 6 / Math.sqrt(4)]]);
});

test("finetuning that is told nothing has MAE's layer decay, drop path and smoothing, and mixes nothing", async () => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  const plain = { epochs: 1, batchSize: 4, lr: 1e-2, engine: "eager" } as const;
  const defaults = { layerDecay: 0.75, dropPath: 0.1, smoothing: 0.1, mix: null };
  const run = async (options: object, at: string | false = false) =>
    finetune(tinyClassifier(), set, { ...plain, ...options, out: at }).done;
  const told = await run({}, out);
  const { state } = await readTrainingCheckpoint(told.checkpoint!);
  const { plan } = state as { plan: Record<string, unknown> };
  for (const [name, value] of Object.entries(defaults)) assert.deepEqual(plan[name], value, name);
  const losses = async (options: object) => (await run(options)).history.map(({ loss }) => loss);
  const found = told.history.map(({ loss }) => loss);
  assert.deepEqual(found, await losses(defaults));
  // What is saved is also what is done: another value gives other losses.
  for (const other of [{ dropPath: 0 }, { smoothing: 0 }, { layerDecay: 1 }]) {
    assert.notDeepEqual(found, await losses({ ...defaults, ...other }), JSON.stringify(other));
  }
});

test("evaluation crops 0.875 of the resized image up to 224 pixels, all of it above", () => {
  const image = (side: number) => ({ data: new Uint8Array(3 * side * side), width: side, height: side });
  const marked = (side: number, border: number) => {
    const made = image(side);
    for (let y = border; y < side - border; y++) {
      made.data.fill(255, 3 * (y * side + border), 3 * (y * side + side - border));
    }
    return made;
  };
  // 256 -> 224: sixteen pixels are cut off at each side; 256 -> 256: none.
  assert.ok(
    evaluation(224)
      .pixels(marked(256, 16))
      .data.every((x) => x === 255),
  );
  assert.ok(
    evaluation(224)
      .pixels(marked(256, 17))
      .data.some((x) => x !== 255),
  );
  assert.equal(evaluation(256).pixels(marked(256, 1)).data[0], 0);
});

test("mixing draws cutmix half of the time", () => {
  const rng = new Rng(3);
  const drawn = Array.from({ length: 2000 }, () => drawMix(rng, 8, 8));
  const cut = drawn.filter(({ center }) => center).length / drawn.length;
  assert.ok(Math.abs(cut - 0.5) < 0.04, `${cut}`);
  const spread = (some: typeof drawn) => {
    const values = some.map(({ lambda }) => lambda);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  };
  // Beta(a, a) has the variance 1 / (4 (2 a + 1)): a is 1 for cutmix and 0.8 for mixup.
  const variance = (alpha: number) => 1 / (4 * (2 * alpha + 1));
  assert.ok(Math.abs(spread(drawn.filter(({ center }) => center)) - variance(1)) < 0.006);
  assert.ok(Math.abs(spread(drawn.filter(({ center }) => !center)) - variance(0.8)) < 0.006);
});
