import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as luvit from "../../../../src";
import { type ImageDataset, type Sample, SkipReport, spreadIndices } from "../../../../src/data/dataset";
import { toyFiles } from "../../../../src/data/toy/toySet";
import { figurePng } from "../../../../src/figures/saveFigure";
import * as ops from "../../../../src/nn/ops";
import { temporaryFolder } from "../../train/support";

/*
 * What nobody can mean, for every public function that takes options: each line is a call, what is at fault, and what the
 * error has to say. The types forbid most of it; notebooks of plain JavaScript, JSON and spread objects do not.
 */

const { analysis, baselines, classifier, compile, data, figures, fusion, io, llama, lora, mae, nn } = luvit;
const { optim, train, vit } = luvit;
const { transforms } = data;

const folder = temporaryFolder();
const size = 16;
const encoder = { imageSize: size, patchSize: 8, dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const shape = { ...llama.llama7b, dim: 16, heads: 2, hiddenDim: 32 };
const later = Promise.resolve({});

/** A set of one's own: `length` images of a class each, with `numbers` numbers per image. */
function ownSet(numbers = 3 * size * size, label: unknown = 0): ImageDataset {
  const load = async (index: number) =>
    ({ image: new Float32Array(numbers), label, path: `${index}`, index }) as Sample;
  const set = {
    classes: ["a", "b"],
    length: 4,
    size,
    report: new SkipReport(),
    load,
    path: (index: number) => `${index}`,
    label: () => 0,
    take: () => set,
    subset: () => set,
    withTransform: () => set,
  };
  return set as ImageDataset;
}

let tuned: luvit.classifier.Classifier;
let masked: luvit.mae.MaskedAutoencoder;
let block: luvit.llama.LlamaBlocks;
let language: luvit.llama.LlamaLanguageModel;

before(async () => {
  await luvit.ready({ backend: "cpu", engine: "eager" });
  tuned = classifier.create({ encoder, classes: 2 });
  masked = mae.create({ encoder, decoder });
  block = baselines.randomBlock(shape);
  language = new llama.LlamaLanguageModel({ ...shape, depth: 1, vocabulary: 256 });
});

type Options = Record<string, unknown>;
type Case = readonly [options: Options, ...says: RegExp[]];

/** Calls `body` with each of the options and expects an error that says what stands beside them. */
function refused(name: string, body: (options: never) => unknown, ...cases: Case[]): void {
  test(`${name} refuses what cannot be`, async () => {
    for (const [options, ...says] of cases) {
      const call = async () => body(options as never);
      const error = await call().then(
        () => assert.fail(`${name} took ${JSON.stringify(options)}`),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof luvit.LuvitError, `${name}: ${(error as Error).stack}`);
      for (const text of says) assert.match(error.message, text);
    }
  });
}

const unknown: Case = [{ nosuch: 1 }, /nosuch: unknown; .*there (is|are) /];

const training = { epochs: 1, batchSize: 2, lr: 1e-3, out: false } as const;
const runs: Case[] = [
  [{ nosuch: 1 }, /nosuch: unknown/],
  [{ epoch: 1 }, /epoch: unknown; did you mean epochs\?/],
  [{ epochs: 0 }, /epochs: expected a whole number from 1/],
  [{ epochs: 1.5 }, /epochs: expected a whole number .*got 1.5/],
  [{ epochs: Number.NaN, batchSize: 0 }, /epochs: .*got NaN/, /batchSize: .*got 0/],
  [{ batchSize: "32" }, /batchSize: expected a whole number .*got '32'/],
  [{ accumulate: -1 }, /accumulate/],
  [{ lr: undefined }, /lr: missing, expected a number above 0, or baseLr/],
  [
    { lr: 2e-3, baseLr: 1e-3 },
    /baseLr: expected nothing, because lr is 0.002 .*lr: undefined or baseLr: undefined.*got 0.001/,
  ],
  [{ ...luvit.recipes.pretrainToy, baseLr: 1e-3 }, /baseLr: expected nothing, because lr is 0.003/],
  [{ ...luvit.recipes.pretrainMae, lr: 1e-3 }, /baseLr: expected nothing, because lr is 0.001/],
  [{ lr: Number.POSITIVE_INFINITY }, /lr: .*got Infinity/],
  [{ minLr: 1 }, /minLr: expected at most the peak rate \(0\.001\), got 1/],
  [{ minLr: -1 }, /minLr: expected a number from 0/],
  [{ warmupLr: 1 }, /warmupLr: expected at most the peak rate/],
  [{ warmupEpochs: -1 }, /warmupEpochs: expected a number from 0/],
  [{ warmupEpochs: 2 }, /warmupEpochs: expected at most epochs \(1\)/],
  [{ cooldownEpochs: 0.5 }, /cooldownEpochs/],
  [{ weightDecay: -0.05 }, /weightDecay/],
  [{ betas: [0.9] }, /betas: expected a list of two/],
  [{ betas: [0.9, 1] }, /betas\[1\]: expected a number from 0, less than 1, got 1/],
  [{ seed: "a" }, /seed: expected a whole number from 0 .*got 'a'/],
  [{ seed: Number.NaN }, /seed: .*got NaN/],
  [{ seed: -1 }, /seed/],
  [{ out: true }, /out: expected a text, or false, got true/],
  [{ resume: "yes" }, /resume: expected true or false/],
  [{ checkpointEvery: 0, keepCheckpoints: 0 }, /checkpointEvery/, /keepCheckpoints/],
  [{ engine: "gpu" }, /engine: expected "auto", "onnxruntime", "tensorflow" or "eager"/],
  [{ precision: "float8" }, /precision/],
  [{ threads: 0 }, /threads/],
  [{ provider: "tpu" }, /provider/],
  [{ frozen: "int4" }, /frozen/],
  [{ memory: "little" }, /memory/],
  [{ recipe: "finetuneLuvit" }, /recipe: expected notes of a recipe/],
];

refused(
  "train.pretrain",
  (o) => train.pretrain(masked, ownSet(), { ...training, ...(o as Options) }),
  ...runs,
);
refused(
  "train.finetune",
  (o) => train.finetune(tuned, ownSet(), { ...training, ...(o as Options) }),
  ...runs,
  [{ layerDecay: -1 }, /layerDecay: expected a number above 0 and at most 1, got -1/],
  [{ layerDecay: 1.1 }, /layerDecay/],
  [{ dropPath: 1 }, /dropPath: expected a number from 0, less than 1/],
  [{ smoothing: 1, emaDecay: 1 }, /smoothing/, /emaDecay/],
  [{ repeatedAugmentation: 0 }, /repeatedAugmentation/],
  [{ mix: { mixupAlpha: 0 } }, /mix.mixupAlpha: expected/, /mix.cutmixAlpha: missing/],
  [{ mix: { mixupAlpha: 0.8, cutmixAlpha: 1 }, batchSize: 3 }, /batchSize: expected an even number/],
  [{ augment: { erasing: 2 } }, /augment.erasing/],
  [{ augment: { randAugment: { magnitude: 11 } } }, /augment.randAugment.magnitude/],
  [{ validation: later }, /validation: expected a data set.*got a Promise; write await/],
);
refused("train.finetune of a Promise", (o) => train.finetune(later as never, o, training as never), [
  {},
  /finetune: expected a classifier, .*got a Promise; write await before what makes it/,
]);
refused(
  "train.pretrain of a Promise",
  (o) => train.pretrain(masked, later as never, { ...training, ...(o as Options) }),
  [{}, /pretrain: expected a data set.*got a Promise; write await/],
);
refused(
  "train.evaluate",
  (o) => train.evaluate(tuned, ownSet(), o),
  unknown,
  [{ batchSize: 0 }, /batchSize/],
  [{ threads: 1.5 }, /threads/],
  [{ memory: "recompute" }, /memory: unknown/],
);
refused("train.loadRunWeights", (o) => train.loadRunWeights(tuned, folder, o), unknown, [
  { averaged: 1 },
  /averaged: expected true or false/,
]);
const steps = { steps: 1, batchSize: 1, length: 4, lr: 1, minLr: 0, warmupSteps: 0, weightDecay: 0, seed: 0 };
refused(
  "train.trainLanguageModel",
  (o) => train.trainLanguageModel(language, new Uint8Array(64), { ...steps, ...(o as Options) }),
  unknown,
  [{ steps: 0, length: 0.5 }, /steps/, /length/],
  [{ minLr: 2 }, /minLr: expected at most the peak rate \(1\)/],
  [{ warmupSteps: 2 }, /warmupSteps: expected at most steps/],
);

const encoders: Case[] = [
  [{ heads: -2 }, /heads: expected a whole number from 1 .*got -2/],
  [{ heads: 3 }, /dim: expected a multiple of heads \(3\), got 16/],
  [{ dim: 0 }, /dim: expected a whole number from 1/],
  [{ depth: 1e9 }, /depth: expected a whole number from 1 to 10,000, got 1000000000/],
  [{ depth: 10_000, dim: 100_000 }, /depth: expected blocks of at most/],
  [{ mlpRatio: Number.NaN }, /mlpRatio: .*got NaN/],
  [{ mlpRatio: 0 }, /mlpRatio/],
  [{ nosuch: 1 }, /nosuch: unknown/],
  [{ head: 2, heads: undefined }, /head: unknown; did you mean heads\?/, /heads: missing/],
];
const vits: Case[] = [
  ...encoders,
  [{ imageSize: 0 }, /imageSize: expected a whole number from 1/],
  [{ imageSize: 1e6 }, /imageSize: .*got 1000000/],
  [{ imageSize: 16_000, patchSize: 1 }, /imageSize: expected at most 65536 patches/],
  [{ imageSize: 16.5 }, /imageSize: .*got 16.5/],
  [{ imageSize: 20 }, /imageSize: expected a multiple of patchSize \(8\), got 20/],
  [{ patchSize: -8 }, /patchSize/],
];
refused("vit.patchCount", (o) => vit.patchCount({ ...encoder, ...(o as Options) }), ...vits);
refused("mae.create, encoder", (o) => mae.create({ encoder: { ...encoder, ...(o as Options) } }), ...vits);
refused(
  "mae.create, decoder",
  (o) => mae.create({ encoder, decoder: { ...decoder, ...(o as Options) } }),
  ...encoders,
);
refused(
  "mae.create",
  (o) => mae.create({ encoder, decoder, ...(o as Options) }),
  unknown,
  [{ encoder: undefined }, /encoder: missing/],
  [{ encoder: "base16" }, /encoder: expected an object, got 'base16'/],
  [{ maskRatio: 1 }, /maskRatio/],
  [{ maskRatio: Number.NaN }, /maskRatio/],
  [{ normPixLoss: "yes" }, /normPixLoss/],
  [{ seed: 0.5 }, /seed/],
  [{ fusion: later }, /fusion: expected a LLaMA block.*got a Promise; write await before what makes it/],
  [{ fusion: 32 }, /fusion: expected a LLaMA block/],
);
refused(
  "classifier.create",
  (o) => classifier.create({ encoder, classes: 2, ...(o as Options) }),
  unknown,
  [{ classes: 1 }, /classes: expected a whole number from 2/],
  [{ classes: 2.5, pooling: "max" }, /classes/, /pooling: expected "mean", "cls" or "attention"/],
  [{ seed: "a" }, /seed/],
  [{ fusion: later }, /got a Promise/],
  [{ encoder: { ...encoder, heads: -2 } }, /encoder.heads/],
);
refused("classifier.fromPretrained", (o) => classifier.fromPretrained(masked, o), [
  { classes: "ten" },
  /classes: expected a whole number from 2/,
]);
refused(
  "classifier.fromPretrained of a Promise",
  () => classifier.fromPretrained(later as never, { classes: 2 }),
  [{}, /expected a masked auto-encoder.*got a Promise/],
);
refused("classifier.open", (o) => classifier.open("x.pth", o), unknown, [{ heads: -2 }, /heads/]);
refused("classifier.loadCheckpoint", (o) => classifier.loadCheckpoint(tuned, "x.pth", o), unknown, [
  { positions: "bicubic" },
  /positions: expected "mae", "timm" or "dino"/,
]);
refused(
  "classifier.saveCheckpoint",
  (o) => classifier.saveCheckpoint(tuned, `${folder}/x.pth`, o),
  unknown,
  [{ dtype: "F64" }, /dtype: expected "F32", "F16" or "BF16", got 'F64'/],
  [{ leaveOut: "head" }, /leaveOut: expected a list/],
  [{ extras: [1] }, /extras/],
);
refused(
  "fusion.through",
  (o) => fusion.through(block, o),
  unknown,
  [{ after: -1 }, /after/],
  [{ after: 1.5, residual: 1 }, /after/, /residual/],
);
refused("fusion.through of a Promise", (o) => fusion.through(later as never, o), [
  {},
  /LLaMA block.*Promise/,
]);
refused("fusion.mlp", (o) => fusion.mlp(8, o), unknown, [{ activation: "relu" }, /activation/]);
refused("fusion.mlp, width", (o) => fusion.mlp((o as { width: number }).width), [{ width: 0 }, /width/]);
refused("a fusion plan", (plan) => mae.create({ encoder, decoder, fusion: plan }), [
  { width: Number.NaN, residal: true },
  /width/,
  /residal: unknown; did you mean residual\?/,
]);
refused(
  "baselines.randomBlock",
  (o) => baselines.randomBlock({ ...shape, ...(o as Options) }),
  unknown,
  [{ heads: -2 }, /heads/],
  [{ dim: 0, normEps: 0 }, /dim/, /normEps/],
  [{ ropeTheta: Number.NaN }, /ropeTheta/],
  [{ rowOrder: "gguf" }, /rowOrder/],
);
refused("baselines.randomBlock, options", (o) => baselines.randomBlock(shape, o), unknown, [
  { depth: 1e9, seed: Number.NaN },
  /depth/,
  /seed/,
]);
refused("baselines.mlpP", (o) => baselines.mlpP(o), [{ dim: 0 }, /dim/], [{ dim: Symbol("x") }, /dim/]);
refused("baselines.mlpL", (o) => baselines.mlpL(o, shape), [{ dim: -1 }, /dim/], [{}, /dim: missing/]);
refused(
  "an encoder with what no arithmetic bears",
  (o) => vit.patchCount({ ...encoder, ...(o as Options) }),
  [{ imageSize: Symbol("x"), dim: 10n }, /imageSize/, /dim/],
);
refused("classify", (o) => luvit.classify(tuned, new Float32Array(3 * size * size), o), unknown, [
  { topK: "1" },
  /topK: expected a number/,
]);
refused(
  "classify, image",
  (o: { image: string }) => luvit.classify(tuned, o.image),
  ...[
    ...[5, null, later, { width: 2, height: 2, data: new Uint8Array(3) }].map(
      (image): Case => [{ image }, /an image: a path/],
    ),
  ],
);
refused(
  "data.shard",
  (o: { set: ImageDataset; part: number }) => data.shard(o.set, { index: o.part, count: 2 }),
  [{ set: later, part: 1 }, /a data set/],
  [{ set: ownSet(), part: 3 }, /index/],
);
refused(
  "data.batchesPerEpoch",
  (o: { length: number; batchSize: number }) => data.batchesPerEpoch(o.length, o.batchSize),
  [{ length: -1, batchSize: 0 }, /length/, /batchSize/],
  [{ length: 10n, batchSize: Number.NaN }, /length/, /batchSize/],
);
refused("baselines.frozenBlock of a Promise", (o) => baselines.frozenBlock(later as never, o), [
  {},
  /Promise/,
]);
refused(
  "llama.loadBlock",
  (o) => llama.loadBlock("data/llama-toy", o),
  unknown,
  [{ block: 0 }, /block: expected a whole number from 1/],
  [{ blocks: [] }, /blocks: expected a list/],
  [{ heads: -2 }, /heads/],
  [{ normEps: -1, causal: "no" }, /normEps/, /causal/],
  [{ signal: {} }, /signal: expected an AbortSignal/],
);
refused("llama.loadBlock of a Promise", (o) => llama.loadBlock(later as never, o), [{}, /path: .*Promise/]);
refused(
  "llama.LlamaLanguageModel",
  (o) => new llama.LlamaLanguageModel({ ...shape, depth: 1, vocabulary: 8, ...(o as Options) }),
  [{ vocabulary: 1, depth: 0 }, /vocabulary/, /depth/],
);
refused(
  "lora.attach",
  (o) => lora.attach(block, o),
  unknown,
  [{ rank: 0 }, /rank: expected a whole number from 1/],
  [{ rank: 1.5, alpha: Number.NaN }, /rank/, /alpha: .*got NaN/],
  [{ targets: [] }, /targets: expected a list, each a text, at least 1/],
  [{ targets: "q_proj" }, /targets: expected a list/],
  [{ rank: 2, r: 4 }, /r: expected to be left out, because rank is given, got 4/],
  [{ lora_alpha: 4 }, /lora_alpha: unknown; did you mean loraAlpha\?/],
  [{ loraDropout: 0.1 }, /loraDropout: expected 0 .*got 0.1/],
  [{ seed: "a", freeze: 0 }, /seed/, /freeze/],
);
refused("lora.attach to a Promise", (o) => lora.attach(later as never, o), [{}, /a model, got a Promise/]);

const attention = (o: Options) =>
  new vit.Attention(o.dim as number, o.heads as number, new luvit.Rng(0), nn.zeros);
refused(
  "vit.Attention",
  attention as never,
  [{ dim: 16, heads: -2 }, /heads/],
  [{ dim: 0, heads: 1 }, /dim/],
);
refused("vit.Block", (o) => new vit.Block(o, new luvit.Rng(0), "mae"), [
  { dim: 16, heads: 2, mlpRatio: Number.NaN },
  /mlpRatio/,
]);
refused("nn.Linear", (o: { inputs: number }) => new nn.Linear(o.inputs, 4, new luvit.Rng(0)), [
  { inputs: 0 },
  /inputs: expected a whole number from 1/,
]);
refused("nn.LayerNorm", (o: { dim: number; eps: number }) => new nn.LayerNorm(o.dim, o.eps), [
  { dim: 1.5, eps: -1 },
  /dim/,
  /eps/,
]);
refused("nn.RMSNorm", (o: { dim: number }) => new nn.RMSNorm(o.dim), [{ dim: -4 }, /dim/]);
refused(
  "nn.splitHeads",
  (o: { heads: number }) => luvit.tf.tidy(() => ops.splitHeads(luvit.tf.zeros([1, 2, 16]), o.heads)),
  [{ heads: -2 }, /heads/],
  [{ heads: 3 }, /heads/],
  [{ heads: 0 }, /heads/],
);
refused(
  "nn.splitQkv",
  (o: { heads: number }) => luvit.tf.tidy(() => ops.splitQkv(luvit.tf.zeros([1, 2, 48]), o.heads)),
  [{ heads: -2 }, /heads/],
);
refused(
  "nn.attend",
  (o) =>
    luvit.tf.tidy(() => {
      const x = luvit.tf.zeros([1, 1, 2, 4]);
      return nn.scaledDotProductAttention(x, x, x, o);
    }),
  unknown,
  [{ causal: true, window: 0 }, /window/],
);
refused("a model's load", (o) => tuned.loadStateDict(new Map(), o), unknown, [
  { allowMissing: "head." },
  /allowMissing: expected a list/,
]);
refused("compile", (o) => compile("f", { inputs: {}, body: () => ({}) }, o), unknown, [
  { threads: -1 },
  /threads/,
]);
refused("ready", (o) => luvit.ready(o), unknown, [
  { backend: "webgl", engine: "onnx", threads: Number.NaN },
  /backend: expected "tensorflow", "wasm" or "cpu"/,
  /engine/,
  /threads/,
]);
refused("optim.AdamW", (o) => new optim.AdamW(tuned, new Map(), o), unknown, [
  { betas: [1, 0.9], eps: 0 },
  /betas\[0\]/,
  /eps/,
]);
refused(
  "optim.finetuneRules",
  (o) => optim.finetuneRules(tuned, { weightDecay: 0, layerDecay: 1, depth: 1, ...(o as Options) }),
  unknown,
  [{ layerDecay: -1, depth: 1.5 }, /layerDecay/, /depth/],
);
const schedule = { lr: 1, minLr: 0, warmupEpochs: 0, epochs: 1 };
refused(
  "optim.warmupCosine",
  (o) => optim.warmupCosine({ ...schedule, ...(o as Options) }, 0),
  [{ minLr: 2 }, /minLr: expected at most the peak rate \(1\)/],
  [{ warmupEpochs: -1, epochs: Number.NaN }, /warmupEpochs/, /epochs/],
);
refused("optim.epochCosine", (o) => optim.epochCosine({ ...schedule, warmupLr: 0, ...(o as Options) }, 0), [
  { warmupLr: 3 },
  /warmupLr/,
]);

refused(
  "data.batches",
  (o) => data.batches(ownSet(), { batchSize: 2, ...(o as Options) }).next(),
  unknown,
  [{ batchSize: 0 }, /batchSize: expected a whole number from 1/],
  [{ batchSize: undefined }, /batchSize: missing/],
  [{ seed: "a", epoch: -1, start: 0.5 }, /seed/, /epoch/, /start/],
  [{ workers: -1, prefetch: Number.NaN }, /workers/, /prefetch/],
  [{ repeats: 0, spread: 0, reuse: 0 }, /repeats/, /spread/, /reuse/],
  [{ shuffle: "no" }, /shuffle/],
);
refused(
  "data.batches of a Promise",
  (o) => data.batches(later as never, { batchSize: 2, ...(o as Options) }),
  [{}, /Promise/],
);
refused(
  "a set of one's own",
  (o: { numbers?: number; label?: unknown }) =>
    data.batches(ownSet(o.numbers, o.label), { batchSize: 2, workers: 0 }).next(),
  [{ numbers: 100 }, /image: expected a Float32Array of 3 x 16 x 16 = 768 numbers, got Float32Array\(100\)/],
  [{ label: 2 }, /label: expected a whole number from 0 to 1, got 2/],
  [{ label: 0.5 }, /label/],
  [{ label: "a" }, /label/],
);
refused(
  "evaluating a set of one's own",
  (o: { numbers?: number }) => train.evaluate(tuned, ownSet(o.numbers)),
  [{ numbers: 100 }, /= 768 numbers, got Float32Array\(100\)/],
);
const sizes: Case[] = [
  [{ size: 0 }, /size: expected a whole number from (1|32) to /],
  [{ size: 1e6 }, /size: .*got 1000000/],
  [{ size: 16.5 }, /size: .*got 16.5/],
  [{ size: "224" }, /size/],
];
type Sized = { size: number };
refused("data.transforms.mae", (o: Sized) => transforms.mae(o.size), ...sizes);
refused("data.transforms.finetune", (o: Sized) => transforms.finetune(o.size), ...sizes);
refused("data.transforms.evaluation", (o: Sized) => transforms.evaluation(o.size), ...sizes);
refused("data.transforms.none", (o: Sized) => transforms.none(o.size), ...sizes);
refused("data.transforms.finetune, options", (o) => transforms.finetune(16, o), unknown, [
  { erasing: -0.1, randAugment: { layers: 1.5, probability: 2 } },
  /erasing/,
  /randAugment.layers/,
  /randAugment.probability/,
]);
refused("data.transforms.evaluation, options", (o) => transforms.evaluation(16, o), unknown, [
  { cropRatio: 0 },
  /cropRatio/,
]);
refused(
  "data.imageFolder",
  (o) => data.imageFolder(folder, o),
  unknown,
  [{ size: 16, augment: "mae" }, /size: unknown/, /augment: unknown/],
  [{ cache: -1 }, /cache/],
  [{ exif: "obey" }, /exif/],
  [{ transform: transforms.mae }, /transform: expected a transform.*got a function \(mae\)/],
);
refused("data.imageFolder of a Promise", (o) => data.imageFolder(later as never, o), [{}, /root: .*Promise/]);
refused("data.huggingFace", (o) => data.huggingFace(folder, o), unknown, [
  { label: true, groupCache: -1 },
  /label/,
  /groupCache/,
]);
refused("data.imageNet1k", (o) => data.imageNet1k(folder, "val", o), unknown, [
  { wnids: [1], partial: 1 },
  /wnids/,
  /partial/,
]);
refused("data.imageNet1k, part", (o: { part: "val" }) => data.imageNet1k(folder, o.part), [
  { part: "test" },
  /part/,
]);
refused("data.imageNetA", (o) => data.imageNetA(folder, o), unknown);
refused("data.imageNetR", (o) => data.imageNetR(folder, o), unknown);
refused("data.imageNetSketch", (o) => data.imageNetSketch(folder, o), unknown);
refused("data.imageNetV2", (o) => data.imageNetV2(folder, o), unknown);
refused("data.imageNetC", (o) => data.imageNetC(folder, "fog", 1, o), unknown);
refused("data.imageNetC, severity", (o: { severity: number }) => data.imageNetC(folder, "fog", o.severity), [
  { severity: 6 },
  /severity/,
]);
refused("data.imageNet9", (o) => data.imageNet9(folder, "original", o), unknown);
refused(
  "data.imageNetS",
  (o) => data.imageNetS({ images: folder, masks: folder, ...(o as Options) }),
  unknown,
  [{ patch: 0, variant: 51 }, /patch/, /variant: expected 50, 300 or 919/],
);
refused("data.toyFiles", (o) => toyFiles(o), unknown, [{ size: 0, train: -1 }, /size/, /train/]);
refused("data.preview", (o) => data.preview(ownSet(), o), unknown, [{ seed: -1 }, /seed/]);
refused("data.preview of a Promise", (o) => data.preview(later as never, o), [{}, /Promise/]);
refused(
  "take",
  (o: { count: number }) => spreadIndices(10, o.count),
  [{ count: 0 }, /count/],
  [{ count: Number.NaN }, /count/],
);
refused(
  "data.mixBatch",
  (o) =>
    data.mixBatch({
      images: new Float32Array(6),
      labels: [0, 1],
      height: 1,
      width: 1,
      classes: 2,
      ...(o as Options),
    }),
  unknown,
  [{ lambda: 2, mixupAlpha: 0, smoothing: 1 }, /lambda/, /mixupAlpha/, /smoothing/],
);
refused("data.drawMix", (o) => data.drawMix(new luvit.Rng(0), 4, 4, o), unknown, [
  { switchProbability: 2 },
  /switchProbability/,
]);
refused(
  "corruptions.apply",
  (o) =>
    data.corruptions.apply({ data: new Uint8Array(3), width: 1, height: 1 }, "fog", 1, new luvit.Rng(0), o),
  unknown,
);
refused(
  "corruptions.generate",
  (o) => data.corruptions.generate(folder, `${folder}/c`, o),
  unknown,
  ...sizes,
  [
    { types: ["smoke"], severities: [0], workers: 0, seed: -1 },
    /types\[0\]/,
    /severities\[0\]/,
    /workers/,
    /seed/,
  ],
  [{ types: [] }, /types: expected a list/],
  [{ shard: { index: 0 } }, /shard.index: expected a whole number from 1/, /shard.count: missing/],
  [{ shard: { index: 3, count: 2 } }, /shard.index: expected at most count \(2\)/],
);

refused("io.writeSafetensors", (o) => io.writeSafetensors(`${folder}/x.safetensors`, new Map(), o), unknown, [
  { dtype: "F64", metadata: { a: 1 } },
  /dtype/,
  /metadata.a/,
]);
refused("io.writeTorchCheckpoint", (o) => io.writeTorchCheckpoint(`${folder}/x.pth`, new Map(), o), unknown, [
  { dtype: "I8" },
  /dtype/,
]);
refused("io.readLlamaBlocks", (o) => io.readLlamaBlocks("data/llama-toy", o), unknown, [
  { block: -1 },
  /block/,
]);
refused("io.readLanguageModel", (o) => io.readLanguageModel("data/llama-toy", o), unknown, [
  { block: 1 },
  /block: unknown/,
]);

const analyses: Case[] = [unknown, [{ threads: 0 }, /threads/]];
refused("analysis.attentionEntropy", (o) => analysis.attentionEntropy(tuned, ownSet(), o), ...analyses, [
  { batchSize: 0, layers: [] },
  /batchSize/,
  /layers/,
]);
refused("analysis.patchMaps", (o) => analysis.patchMaps(tuned, ownSet(), o), ...analyses, [
  { batchSize: -1 },
  /batchSize/,
]);
refused("analysis.attentionMaps", (o) => analysis.attentionMaps(tuned, ownSet(), o), ...analyses, [
  { index: -1 },
  /index/,
]);
refused("analysis.entropyShares", (o) => analysis.entropyShares(tuned, { s: ownSet() }, o), ...analyses, [
  { keepEvery: 0, seed: "a" },
  /keepEvery/,
  /seed/,
]);
refused("analysis.extractFeatures", (o) => analysis.extractFeatures(tuned, ownSet(), o), ...analyses, [
  { batchSize: 1.5 },
  /batchSize/,
]);
refused("analysis.pseudoMaskIou", (o) => analysis.pseudoMaskIou(tuned, ownSet(), o), ...analyses, [
  { kinds: ["all"], mean: "row" },
  /kinds\[0\]/,
  /mean/,
]);
refused("analysis.gradientSignal", (o) => analysis.gradientSignal(tuned, ownSet(), o), ...analyses, [
  { groupSize: 0, groups: 1 },
  /groupSize/,
  /groups: expected a whole number from 2/,
]);
refused("analysis.reconstruct", (o) => analysis.reconstruct(masked, ownSet(), o), ...analyses, [
  { seed: 0.5 },
  /seed/,
]);
refused("analysis of a Promise", (o) => analysis.attentionEntropy(tuned, later as never, o), [{}, /Promise/]);
refused(
  "evaluate.suite",
  (o) => luvit.benchmark.suite(tuned, {}, o).done,
  ...analyses,
  [{ shard: { index: 0, count: 2 } }, /shard.index: expected a whole number from 1/],
  [{ shard: { index: 3, count: 2 }, batchSize: 0 }, /shard.index: expected at most count \(2\)/, /batchSize/],
);

const curve = { name: "a", steps: [1, 2], values: [1, 2] };
refused(
  "figures.lossCurves",
  (o) => figures.lossCurves({ series: [curve], ...(o as Options) }),
  unknown,
  [{ width: 0, smoothing: 0, yScale: "ln" }, /width/, /smoothing/, /yScale/],
  [{ series: [{ ...curve, values: [1] }] }, /series\[0\].values: expected as many as steps \(2\)/],
);
refused("figures.historyCurves", (o) => figures.historyCurves({}, o), unknown);
refused(
  "figures.attentionMask",
  (o) => figures.attentionMask(nn.prefixMask({ image: [[0, 1, 1]] }), o as Options),
  unknown,
  [{ sequence: -1, parts: [{ name: "image", start: 2, end: 2 }] }, /sequence/, /a start below its end/],
);
refused(
  "figures.barComparison",
  (o) => figures.barComparison({ categories: ["a"], series: [], yTitle: "", ...(o as Options) }),
  unknown,
  [
    { height: -5, series: [{ name: "a", value: [1] }] },
    /height/,
    /series\[0\].value: unknown; did you mean values\?/,
  ],
);
refused(
  "figures.heatmapGrid",
  (o) => figures.heatmapGrid({ maps: [{ title: "", values: [[1]] }], zTitle: "", ...(o as Options) }),
  unknown,
  [{ columns: 0, colormap: "jet", range: [0] }, /columns/, /colormap/, /range/],
);
refused("figures.entropyScatter", (o) => figures.entropyScatter(o), unknown, [{ layout: "below" }, /layout/]);
refused("figures.entropyStrip", (o) => figures.entropyStrip({ series: [], ...(o as Options) }), unknown);
refused("figures.imageGrid", (o) => figures.imageGrid([], o), unknown, [
  { scale: 0, cell: 1e9 },
  /scale/,
  /cell/,
]);
refused(
  "figures.overlays",
  (o) => figures.overlays({ images: [], maps: [], zTitle: "", ...(o as Options) }),
  unknown,
  [{ alpha: 2 }, /alpha/],
);
refused("figures.mapGrid", (o) => figures.mapGrid({ columns: [], ...(o as Options) }), unknown);
refused("figures.figurePng", (o) => figurePng({ data: [], layout: {} }, o), unknown, [
  { scale: 1000 },
  /scale/,
]);
refused("figures.renderSvg", (o) => figures.renderSvg({ data: [], layout: {} }, o), unknown, [
  { width: Number.NaN },
  /width/,
]);
refused("table", (o) => luvit.table([{ a: 1 }], o), unknown, [{ limit: 0 }, /limit/]);
refused("progress", (o) => [...luvit.progress([1], o)], unknown, [{ total: -1 }, /total/]);

refused(
  "an options object that is a Promise, a Map or of a class",
  (o) => data.writeToySet("none", o as never),
  [later as never, /expected an object, got a Promise; write await/],
  [new Map() as never, /expected an object/],
  [new Date() as never, /expected an object/],
);
