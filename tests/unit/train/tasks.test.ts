import assert from "node:assert/strict";
import { join } from "node:path";
import { before, mock, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageNetS, toy, transforms } from "../../../src/data";
import { baselines, classifier, fusion, llavit, mae, segmenter, vit } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { llama7b } from "../../../src/models/llamaConfig";
import { promptOf } from "../../../src/models/llavit/prompt";
import { featureLoss, hardTargetDistance, softTargetDistance } from "../../../src/nn/distillation";
import type { Linear } from "../../../src/nn/layers";
import { softTargetCrossEntropy } from "../../../src/nn/losses";
import { answer } from "../../../src/train/answer";
import { type AuxiliaryOptions, auxiliary } from "../../../src/train/auxiliary";
import { detect } from "../../../src/train/detection/detect";
import { type DistillOptions, distill } from "../../../src/train/distill";
import { keepingLayers } from "../../../src/train/featureMatches";
import { normalizedImages } from "../../../src/train/feeds";
import { finetune } from "../../../src/train/finetune";
import type * as Loop from "../../../src/train/loop";
import { maskFeeds, pretrain } from "../../../src/train/pretrain";
import { segment } from "../../../src/train/segment";
import type { TrainingTask } from "../../../src/train/steps";
import { repository } from "../nn/support";
import { scenes, smallDetector } from "./detection/support";
import { images, tinyClassifier, tinyMae, tinyViT } from "./support";

/* What each kind of training makes of its options: the task that it would run. */

before(async () => void (await startBackend({ backend: "cpu" })));

const loop = require("../../../src/train/loop") as typeof Loop;

/** The task that a call begins, which is not run. */
function taskOf(begin: () => unknown): TrainingTask<never> {
  const begun = mock.method(loop, "startRun", () => undefined as never);
  try {
    begin();
    return begun.mock.calls[0].arguments[0] as unknown as TrainingTask<never>;
  } finally {
    begun.mock.restore();
  }
}

const told = { epochs: 2, batchSize: 2, lr: 1e-3 };
const rateOf = (task: TrainingTask<never>, path: string) => task.rules.get(path)!.lrScale;
const decayOf = (task: TrainingTask<never>, path: string) => task.rules.get(path)!.weightDecay;

test("segmenting that is told nothing has ImageNet-S's decays and drop path, and what it is told goes where it belongs", async () => {
  const shapes = join(repository, "data", "shapes");
  const transform = transforms.evaluation(64, { cropRatio: 0.5 });
  const set = (await imageNetS({ root: shapes, split: "train-semi", patch: 8, transform })).take(4);
  const encoder = { ...vit.toy, dim: 16, depth: 2, heads: 2 };
  const model = segmenter.create({ encoder, classes: 7 });
  const task = taskOf(() => segment(model, set, told));
  assert.deepEqual(task.settings, { layerDecay: 0.6, dropPath: 0.1, augment: false });
  assert.deepEqual([task.name, task.plan.weightDecay, task.plan.betas], ["segment", 0.05, [0.9, 0.999]]);
  assert.equal(rateOf(task, "patch_embed.proj.weight"), 0.6 ** 3);
  assert.deepEqual([task.dataset, task.validation, task.evaluate], [set, undefined, undefined]);
  assert.deepEqual(Object.keys(task.functions!), []);
  assert.deepEqual(model.preprocessing, transform.preprocessing);
  assert.deepEqual(model.classNames, set.classes);
  const own = { layerDecay: 0.5, dropPath: 0.3, augment: true };
  const validation = set.withTransform(transforms.none(64));
  const other = taskOf(() => segment(model, set, { ...told, ...own, weightDecay: 0.2, validation }));
  assert.deepEqual(other.settings, own);
  assert.equal(rateOf(other, "blocks.0.mlp.fc1.weight"), 0.5 ** 2);
  assert.equal(decayOf(other, "blocks.0.mlp.fc1.weight"), 0.2);
  assert.equal(other.dataset.size, 64);
  assert.notEqual(other.dataset, set);
  assert.equal(other.validation, validation);
  assert.deepEqual(model.preprocessing, transforms.none(64).preprocessing, "what it is evaluated on decides");
  const row = other.feeds({ images: new Float32Array(0), samples: [], paths: [] } as never, 3);
  assert.deepEqual(row.dropPath.shape, [4, 2]);
});

test("detection that is told nothing has ViTDet's schedule, decays and drop path, and takes what it is told", async () => {
  const set = await scenes("train", 20);
  const model = smallDetector();
  const task = taskOf(() => detect(model, set, { ...told, epochs: 9 }));
  const steps = task.plan.totalSteps;
  const milestones = [Math.round((8 / 9) * steps), Math.round((26 / 27) * steps)];
  assert.deepEqual(task.plan.schedule, {
    ...{ lr: 1e-3, warmupSteps: 250, warmupFactor: 0.001, milestones, factor: 0.1 },
  });
  assert.deepEqual(task.settings, {
    ...{ layerDecay: 0.7, dropPath: 0.1, normalize: "image" },
    ...{ warmupSteps: 250, warmupFactor: 0.001, milestones: [8 / 9, 26 / 27], factor: 0.1 },
  });
  assert.deepEqual([task.plan.weightDecay, task.plan.betas], [0.1, [0.9, 0.999]]);
  assert.equal(rateOf(task, "backbone.net.patch_embed.proj.weight"), 0.7 ** 3);
  assert.deepEqual(Object.keys(task.functions!), ["proposals"]);
  assert.deepEqual(task.functions!.proposals.inputs, {
    images: { shape: [2, 3, 48, 48] },
    dropPath: { shape: [4, 2] },
  });
  const own = {
    ...{ layerDecay: 0.5, dropPath: 0, normalize: "batch" as const, warmupSteps: 3, warmupFactor: 0.5 },
    ...{ milestones: [0.2, 0.25], factor: 0.5 },
  } as const;
  const validation = await scenes("val", 2);
  const more = { ...told, ...own, weightDecay: 0, betas: [0.8, 0.9] as const, validation };
  const other = taskOf(() => detect(model, set, more));
  assert.deepEqual(other.settings, own);
  assert.deepEqual(other.plan.schedule, {
    ...{ lr: 1e-3, warmupSteps: 3, warmupFactor: 0.5, factor: 0.5 },
    milestones: [0.2, 0.25].map((share) => Math.round(share * other.plan.totalSteps)),
  });
  assert.deepEqual([other.plan.weightDecay, other.plan.betas], [0, [0.8, 0.9]]);
  assert.equal(rateOf(other, "backbone.net.patch_embed.proj.weight"), 0.5 ** 3);
  assert.deepEqual(Object.keys(other.functions!).sort(), ["boxes", "look", "masks", "proposals"]);
  assert.deepEqual(Object.keys(other.functions!.proposals.inputs), ["images"]);
  assert.equal(other.validation, validation);
});

test("pretraining's decay reaches weights and no norms, its settings are the model's own", async () => {
  const set = await images();
  const model = tinyMae();
  assert.equal(model.decoderIsFresh, true);
  const task = taskOf(() => pretrain(model, set, { ...told, weightDecay: 0.3 }));
  assert.deepEqual(task.settings, { maskRatio: 0.75, normPixLoss: true, distill: undefined });
  assert.deepEqual([task.name, task.pixels, model.decoderIsFresh], ["pretrain", "bytes", false]);
  assert.deepEqual([decayOf(task, "cls_token"), decayOf(task, "norm.weight")], [0.3, 0]);
});

test("finetuning hands on its repetitions, its average and its validation", async () => {
  const set = await images(transforms.finetune);
  const validation = set.withTransform(transforms.evaluation(16));
  const given = { ...told, repeatedAugmentation: 3, emaDecay: 0.5, validation, layerDecay: 0.5 };
  const task = taskOf(() => finetune(tinyClassifier(), set, { ...given, weightDecay: 0.2 }));
  assert.deepEqual([task.repeats, task.emaDecay, task.validation], [3, 0.5, validation]);
  assert.deepEqual(task.functions!.scores.inputs, { images: { shape: [2, 3, 16, 16], isBytes: true } });
  assert.equal(rateOf(task, "cls_token"), 0.5 ** 3);
  assert.equal(decayOf(task, "head.weight"), 0.2);
  const plain = taskOf(() => finetune(tinyClassifier(), set, told));
  assert.deepEqual(
    [plain.repeats, plain.emaDecay, plain.validation, plain.evaluate],
    Array(4).fill(undefined),
  );
});

test("answers are trained without decay where nothing is said, and settings hold the longest prompt", async () => {
  const encoder = { ...vit.toy, imageSize: 16, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
  const shape = { dim: 24, heads: 4, hiddenDim: 32, normEps: 1e-6, ropeTheta: 10000, depth: 1 };
  const causal = { vocabulary: 256, causal: true, rope: true, rowOrder: "hf" } as const;
  const language = new LlamaLanguageModel({ ...shape, ...causal }, 5);
  const tower = classifier.create({ encoder, classes: 2, seed: 4 });
  const model = await llavit.create({ tower, language, visionQkv: "full", layers: [1, 2] });
  const set = toy.questions(1, 12, { size: 16 });
  const prompts = Array.from({ length: 12 }, (_, i) => {
    const asked = set.question(i);
    return promptOf(model, asked.question, asked.answer).ids.length;
  });
  const task = taskOf(() => answer(model, set, told));
  assert.deepEqual(task.settings, { stage: "align", tokens: Math.max(...prompts) });
  assert.equal(task.plan.weightDecay, 0);
  assert.ok([...task.rules.keys()].every((path) => /^mm_projector|vision_w[qkv]/.test(path)));
  assert.deepEqual(model.preprocessing, set.preprocessing);
  const second = taskOf(() => answer(model, set, { ...told, stage: "instruct", weightDecay: 0.1 }));
  assert.equal(second.settings.stage, "instruct");
  assert.equal(decayOf(second, "mm_projector.0.weight"), 0.1);
  assert.ok(![...second.rules.keys()].some((path) => path.startsWith("vision_tower")));
  const empty = Object.assign(Object.create(set), {
    question: (index: number) => ({ ...set.question(index), answer: index === 5 ? "" : "yes" }),
  });
  assert.throws(() => answer(model, empty, told), /answer: question 5 has an empty answer/);
});

const block = () => baselines.randomBlock({ ...llama7b, dim: 32, heads: 2, hiddenDim: 40 });

/** Two images with targets as a step is fed them. */
const fed = () => ({
  images: tf.randomNormal([2, 3, 16, 16], 0, 1, "float32", 7) as Tensor,
  targets: tf.tensor2d([
    [0.9, 0.1],
    [0.3, 0.7],
  ]) as Tensor,
});
const numberOf = (x: Tensor) => x.dataSync()[0];
const near = (found: number, expected: number, what = "") =>
  assert.ok(
    Math.abs(found - expected) < 1e-5 * Math.max(1, Math.abs(expected)),
    `${what}: ${found}, not ${expected}`,
  );

test("a distillation's loss is the sum of its terms, each with its weight, its distance and its temperature", async () => {
  const set = await images(transforms.evaluation);
  const teacher = classifier.create({
    encoder: { ...tinyViT, dim: 24 },
    fusion: fusion.through(block()),
    classes: 2,
    seed: 5,
  });
  const student = tinyClassifier();
  const inputs = fed();
  const layers = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  const given = student.forward(inputs.images, keepingLayers(layers[0]));
  const wanted = teacher.forward(inputs.images, keepingLayers(layers[1]));
  const ofLabels = numberOf(softTargetCrossEntropy(given, inputs.targets));
  const ofFeatures = (task: TrainingTask<never>, k: number, names: readonly string[], how = {}) => {
    const map = (task.whole as unknown as { distill: (Linear | undefined)[] }).distill[k]!;
    return numberOf(featureLoss(map.forward(layers[0].get(names[0])!), layers[1].get(names[1])!, how));
  };
  const go = (options: Partial<DistillOptions>) =>
    taskOf(() => distill(student, teacher, set, { ...told, dropPath: 0, ...options }));
  const lossOf = (task: TrainingTask<never>) => numberOf(task.loss(inputs));

  const soft = (how = {}) => numberOf(softTargetDistance(given, wanted, how));
  const hard = numberOf(hardTargetDistance(given, wanted));
  near(lossOf(go({ logits: {} })), ofLabels + soft(), "defaults of logits");
  const warm = { temperature: 3, reduction: "deit" } as const;
  near(lossOf(go({ logits: { ...warm, weight: 2 }, labels: { weight: 4 } })), 4 * ofLabels + 2 * soft(warm));
  near(lossOf(go({ logits: { targets: "hard", weight: 0.5 } })), ofLabels + 0.5 * hard, "hard");
  near(lossOf(go({ logits: { targets: "hard" }, labels: { weight: 0 } })), hard, "no labels");

  const pair = { teacher: "fusion.mapper2", student: "blocks.1" };
  const plain = go({ features: [pair] });
  near(lossOf(plain), ofLabels + ofFeatures(plain, 0, ["blocks.1", "fusion.mapper2"]), "cosine");
  const how = { loss: "smoothL1", normalize: "layer", beta: 0.1 } as const;
  const two = go({
    features: [
      { ...pair, weight: 0 },
      { teacher: "blocks.0", student: "blocks.0", weight: 3, ...how },
    ],
    labels: { weight: 0 },
  });
  near(lossOf(two), 3 * ofFeatures(two, 1, ["blocks.0", "blocks.0"], how), "the second alone");
  assert.deepEqual(two.settings.features, [
    {
      index: 1,
      teacher: "blocks.0",
      student: "blocks.0",
      weight: 3,
      distance: how,
      map: { from: 16, to: 24 },
    },
  ]);
  const { labels, logits } = go({ logits: {} }).settings;
  assert.deepEqual([labels, logits], [1, { targets: "soft", temperature: 1, reduction: "batch", weight: 1 }]);
});

test("an auxiliary loss is the plain one, and by its weight the branch's and the tokens' distance by its own", async () => {
  const set = await images(transforms.evaluation);
  const [inputs, branch] = [fed(), block()];
  const go = (options: Partial<AuxiliaryOptions>, seed = 0) =>
    taskOf(() => auxiliary(tinyClassifier(), set, { ...told, dropPath: 0, branch, seed, ...options }));
  const lossOf = (options: Partial<AuxiliaryOptions>, seed = 0) => numberOf(go(options, seed).loss(inputs));
  const plain = numberOf(softTargetCrossEntropy(tinyClassifier().forward(inputs.images), inputs.targets));
  near(lossOf({ weight: 0 }), plain);
  const exit = lossOf({ weight: 1, tokens: { weight: 0 } }) - plain;
  const distance = lossOf({ weight: 1 }) - plain - exit;
  assert.ok(exit > 0.1 && distance > 0.01, `${exit}, ${distance}`);
  near(lossOf({}), plain + 0.5 * (exit + distance), "half is usual, with the whole distance");
  near(lossOf({ weight: 2, tokens: { weight: 3 } }), plain + 2 * (exit + 3 * distance));
  near(lossOf({ tokens: { loss: "cosine", normalize: "none", weight: 1 } }), lossOf({}), "cosine is usual");
  assert.ok(Math.abs(lossOf({ tokens: { loss: "mse" } }) - lossOf({})) > 1e-4);
  assert.ok(
    Math.abs(lossOf({ weight: 1, tokens: { weight: 0 } }, 1) - plain - exit) > 1e-6,
    "its head is drawn",
  );
  assert.equal(numberOf(go({}).loss(inputs)), numberOf(go({}).loss(inputs)));
  const { settings } = go({ weight: 0.25, tokens: { loss: "l1" } });
  assert.deepEqual([settings.weight, settings.tokens], [0.25, { loss: "l1", weight: 1 }]);
  assert.ok(settings.branch);
});

test("the tokens' distance draws the trunk to the branch and not the branch to the trunk", async () => {
  const set = await images(transforms.evaluation);
  const inputs = fed();
  const given = { ...told, dropPath: 0, branch: fusion.mlp(6), weight: 1, tokens: { weight: 1e6 } };
  const model = tinyClassifier();
  const task = taskOf(() => auxiliary(model, set, given));
  const variables = new Map(
    [...task.whole!.namedParameters()].map(([path, parameter]) => [path, parameter.value]),
  );
  const chosen = ["blocks.1.mlp.fc2.weight", "auxiliary.llama_dim_mapper2.weight"];
  const [trunk, mapper] = chosen.map((path) => {
    const { grads } = tf.variableGrads(() => task.loss(inputs) as tf.Scalar, [variables.get(path)!]);
    return tf.max(tf.abs(Object.values(grads)[0])).dataSync()[0];
  });
  assert.ok(trunk > 1e2 && mapper < 1e2, `${trunk} of the trunk, ${mapper} of the branch`);
});

test("a taught pretraining's loss is that of the pixels and, by its weight, the layers' distance, the class token among them", async () => {
  const set = await images();
  const patches = { ...tinyViT, patchSize: 4 };
  const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
  const student = mae.create({ encoder: patches, decoder, seed: 1 });
  const teacher = mae.create({ encoder: { ...patches, dim: 24 }, decoder, seed: 2 });
  const how = { loss: "l1", normalize: "unit" } as const;
  const go = (weight?: number) => {
    const features = [{ teacher: "blocks.1", student: "blocks.0", weight, ...how }];
    return taskOf(() => pretrain(student, set, { ...told, distill: { teacher, features } }));
  };
  const task = go();
  const masks = maskFeeds(student, 2, new Rng(3));
  const inputs = {
    ...Object.fromEntries(
      Object.entries(masks).map(([name, { data, shape, dtype }]) => [
        name,
        tf.tensor(data, [...shape], dtype ?? "float32"),
      ]),
    ),
    images: tf.randomUniform([2, 3, 16, 16], 0, 255, "float32", 4),
  } as unknown as { images: Tensor };
  const lossOf = (one: TrainingTask<never>) => numberOf(one.loss(inputs));
  const pixels = lossOf(taskOf(() => pretrain(student, set, told)));
  const fed = { ...inputs, images: normalizedImages(inputs.images, "bytes") } as never;
  const layers = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  student.encode(fed, keepingLayers(layers[0]));
  teacher.encode(fed, keepingLayers(layers[1]));
  const tokens = layers[0].get("blocks.0")!;
  assert.deepEqual(tokens.shape, [2, 5, 16], "four of 16 patches are seen, and the class token");
  const map = (task.whole as unknown as { distill: Linear[] }).distill[0];
  const distance = numberOf(featureLoss(map.forward(tokens), layers[1].get("blocks.1")!, how));
  near(lossOf(task), pixels + distance);
  const tripled = go(3);
  const [own] = (tripled.settings.distill as { features: { weight: number; distance: object }[] }).features;
  assert.deepEqual([own.weight, own.distance], [3, how]);
  near(lossOf(tripled), pixels + 3 * distance);
  assert.ok([...task.rules.keys()].every((path) => !path.startsWith("teacher.")));
  assert.ok(task.rules.has("distill.0.weight") && task.frozen!.has("teacher.blocks.0.attn.qkv.weight"));
});

test("a finetuning step is fed smoothed labels, and branches that are drawn for each of its batches", async () => {
  const set = await images(transforms.evaluation);
  const go = (options: object) => taskOf(() => finetune(tinyClassifier(), set, { ...told, ...options }));
  const batch = { images: new Float32Array(2 * 768).fill(0.5), labels: Int32Array.of(1, 0) } as never;
  const plain = go({ smoothing: 0.2, dropPath: 0 }).feeds(batch, 3);
  assert.deepEqual(Object.keys(plain), ["images", "targets"]);
  assert.deepEqual(plain.targets, { data: Float32Array.of(0.1, 0.9, 0.9, 0.1), shape: [2, 2] });
  assert.deepEqual(plain.images.shape, [2, 3, 16, 16]);
  const drawn = go({ dropPath: 0.5, seed: 4 });
  const factors = (micro: number) => drawn.feeds(batch, micro).dropPath;
  assert.deepEqual(factors(3), factors(3));
  assert.deepEqual(
    [factors(3).shape, new Set(Array.from({ length: 9 }, (_, i) => factors(i).data.join())).size > 4],
    [[4, 2], true],
  );
  const mix = { mixupAlpha: 1000, cutmixAlpha: 1000 };
  const mixed = go({ mix, smoothing: 0, dropPath: 0 });
  const targets = Array.from({ length: 8 }, (_, i) => mixed.feeds(batch, i).targets.data);
  // Alphas so large mix halves and halves, but where a box is cut off at the image's border.
  assert.ok(targets.some((numbers) => numbers.every((x) => Math.abs(x - 0.5) < 0.05)));
  for (const [a, b] of targets) assert.ok(Math.abs(a + b - 1) < 1e-6);
  assert.ok(new Set(targets.map((numbers) => numbers.join())).size > 4);
});

test("branches that are fed as dropped are dropped in the student and not in its teacher", async () => {
  const set = await images(transforms.evaluation);
  const [student, teacher, inputs] = [tinyClassifier(), tinyClassifier(5), fed()];
  const dropPath = tf.tensor2d([1, 1, 1, 1, 0, 0, 0, 0], [4, 2]) as Tensor;
  const given = student.forward(inputs.images, { dropPath });
  const ofLabels = numberOf(softTargetCrossEntropy(given, inputs.targets));
  const ofTeacher = numberOf(softTargetDistance(given, teacher.forward(inputs.images)));
  const lossOf = (task: TrainingTask<never>) => numberOf(task.loss({ ...inputs, dropPath }));
  const plain = taskOf(() => finetune(student, set, told));
  near(lossOf(plain), ofLabels);
  assert.ok(Math.abs(numberOf(plain.loss(inputs)) - ofLabels) > 1e-4, "they count");
  near(lossOf(taskOf(() => distill(student, teacher, set, { ...told, logits: {} }))), ofLabels + ofTeacher);
});
