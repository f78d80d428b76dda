import { before, test } from "node:test";
import { checkOptions } from "../../../src/core/options";
import { startBackend } from "../../../src/core/tf";
import { answerOptions } from "../../../src/train/answer";
import * as answerRecipes from "../../../src/train/answerRecipes";
import { askOptions } from "../../../src/train/ask";
import { detectOptions } from "../../../src/train/detection/options";
import { distillOptions } from "../../../src/train/distill";
import { evaluateOptions } from "../../../src/train/evaluate";
import { evaluateAnswersOptions } from "../../../src/train/evaluateAnswers";
import { featureMatch } from "../../../src/train/featureMatches";
import { finetuneOptions } from "../../../src/train/finetuneOptions";
import { languageModelTraining } from "../../../src/train/languageModel";
import { logitMatch, settleLogits } from "../../../src/train/logitMatch";
import {
  peakRate,
  positionOf,
  rateOfStep,
  settlePlan,
  type TrainOptions,
  trainOptions,
} from "../../../src/train/plan";
import { pretrainOptions } from "../../../src/train/pretrain";
import { costOf } from "../../../src/train/recipeCost";
import * as recipes from "../../../src/train/recipes";
import { runWeightsOptions } from "../../../src/train/runWeights";
import { segmentOptions } from "../../../src/train/segment";
import { partsOfSteps, planWork } from "../../../src/train/workPlan";
import { Calls } from "../../support/calls";
import { unreadSet } from "./support";

before(() => startBackend());

test("plans of runs, their places and their rates", async () => {
  const calls = new Calls();
  const plain: TrainOptions = { epochs: 3, batchSize: 4, lr: 0.02 };
  const alone: Partial<TrainOptions>[] = [
    {},
    { accumulate: 2 },
    { minLr: 1e-3 },
    { warmupEpochs: 1 },
    { cooldownEpochs: 2 },
    { warmupLr: 1e-4, warmupEpochs: 1 },
    { clipGradNorm: 0.5 },
    { weightDecay: 0.3 },
    { weightDecay: 0 },
    { seed: 7 },
    { betas: [0.8, 0.7] },
    { lr: undefined, baseLr: 0.1 },
    { lr: undefined, baseLr: 0.1, accumulate: 3 },
    { minLr: 0.01, warmupEpochs: 0.5, cooldownEpochs: 1, accumulate: 2 },
  ];
  for (const one of alone) {
    const options = { ...plain, ...one };
    await calls.does(`settlePlan ${JSON.stringify(one)}`, () =>
      settlePlan(unreadSet(23), options, [0.9, 0.95]),
    );
    const plan = settlePlan(unreadSet(23), options, [0.9, 0.95]);
    calls.note(
      "  places",
      [0, 1, 4, 5, 9].map((step) => Object.values(positionOf(plan, step))),
    );
    calls.note(
      "  rates",
      Array.from({ length: plan.totalSteps + 1 }, (_, step) => rateOfStep(plan, step)),
    );
  }
  const stepped = {
    ...settlePlan(unreadSet(23), plain, [0.9, 0.95]),
    schedule: { lr: 1, warmupSteps: 3, warmupFactor: 0.1, milestones: [6, 9], factor: 0.5 },
  };
  calls.note(
    "rates by steps",
    Array.from({ length: 12 }, (_, step) => rateOfStep(stepped, step)),
  );
  for (const [length, accumulate] of [
    [3, 1],
    [4, 1],
    [7, 2],
    [8, 2],
    [0, 1],
  ])
    await calls.does(
      `${length} images, ${accumulate} batches`,
      () => settlePlan(unreadSet(length), { ...plain, accumulate }, [0.9, 0.95]).totalSteps,
    );
  for (const options of [
    {},
    { lr: 2 },
    { baseLr: 0.1 },
    { baseLr: 0.1, batchSize: 512 },
    { baseLr: 0.1, batchSize: 512, accumulate: 3 },
    { lr: 2, baseLr: 0.1 },
  ])
    await calls.of(peakRate, options);
  calls.approve("train/plans");
});

test("options of every kind of training, from both sides", async () => {
  const calls = new Calls();
  const given = (name: string, options: never, required: object) => async (more: object | number | null) =>
    calls.does(
      `${name} ${JSON.stringify(more, (_, value) => (typeof value === "function" ? "ƒ" : Number.isNaN(value) ? "NaN" : value))}`,
      () =>
        checkOptions(
          name,
          options,
          typeof more === "object" && more !== null ? { ...required, ...more } : more,
        ),
    );
  const base = { epochs: 3, batchSize: 4, lr: 0.02 };
  const train = given("train", trainOptions as never, base);
  for (const more of [
    {},
    7,
    null,
    { epochs: 0 },
    { epochs: 1 },
    { epochs: 1.5 },
    { epochs: undefined },
    { batchSize: 0 },
    { batchSize: 1_000_000 },
    { batchSize: 1_000_001 },
    { batchSize: "4" },
    { accumulate: 0 },
    { accumulate: 1 },
    { lr: 0 },
    { lr: -1 },
    { lr: Number.NaN },
    { lr: undefined },
    { baseLr: 1 },
    { lr: undefined, baseLr: 1 },
    { minLr: 0.02 },
    { minLr: 0.03 },
    { minLr: -1 },
    { lr: undefined, baseLr: 0.1, minLr: 0.01 },
    { warmupEpochs: 3 },
    { warmupEpochs: 3.5 },
    { warmupEpochs: 0 },
    { warmupEpochs: 0.25 },
    { warmupLr: 0 },
    { warmupLr: 0.1 },
    { warmupLr: 1e-4, warmupEpochs: 0.5 },
    { cooldownEpochs: -1 },
    { cooldownEpochs: 0 },
    { cooldownEpochs: 1.5 },
    { weightDecay: -1 },
    { weightDecay: 0 },
    { betas: [0.9] },
    { betas: [0.9, 1] },
    { betas: [0, 0] },
    { clipGradNorm: 0 },
    { clipGradNorm: 1 },
    { seed: -1 },
    { seed: 1.5 },
    { out: false },
    { out: true },
    { out: "" },
    { out: "a" },
    { resume: 1 },
    { resume: true },
    { checkpointEvery: 0 },
    { checkpointEvery: 2 },
    { keepCheckpoints: 0 },
    { keepCheckpoints: 1 },
    { maxUnreadable: 0 },
    { maxUnreadable: 1 },
    { maxUnreadable: 1.1 },
    { name: "" },
    { name: "b" },
    { name: 3 },
    { recipe: { name: "x" } },
    { recipe: {} },
    { recipe: "x" },
    { sums: "float32" },
    { sums: "bfloat16" },
    { sums: "float16" },
    { memory: "recompute" },
    { memory: "small" },
    { engine: "eager" },
    { engine: "cuda" },
    { precision: "float16" },
    { threads: 0 },
    { threads: 2 },
    { epoch: 3 },
  ])
    await train(more);
  const finetune = given("finetune", finetuneOptions as never, base);
  const mix = { mixupAlpha: 0.8, cutmixAlpha: 1 };
  for (const more of [
    {},
    { layerDecay: 0 },
    { layerDecay: 1 },
    { layerDecay: 1.1 },
    { dropPath: 0 },
    { dropPath: 1 },
    { dropPath: -0.1 },
    { smoothing: 0 },
    { smoothing: 1 },
    { mix: null },
    { mix },
    { mix, batchSize: 5 },
    { mix: { mixupAlpha: 1 } },
    { mix: { ...mix, mixupAlpha: 0 } },
    { mix: { mixupAlpha: 0, cutmixAlpha: 0 } },
    { mix: { ...mix, mixupAlpha: -1 } },
    { repeatedAugmentation: 0 },
    { repeatedAugmentation: 3 },
    { emaDecay: 0 },
    { emaDecay: 1 },
    { emaDecay: 0.5 },
    { augment: {} },
    { augment: { erasing: 2 } },
    { augment: { randAugment: null } },
    { augment: true },
    { validation: 3 },
    { validation: undefined },
    { decay: 1 },
  ])
    await finetune(more);
  const distill = given("distill", distillOptions as never, base);
  const features = [{ teacher: "blocks.1", student: "blocks.0" }];
  for (const more of [
    {},
    { features: [] },
    { features },
    { logits: {} },
    { logits: { weight: 0 } },
    { logits: { weight: 0 }, labels: { weight: 0 } },
    { logits: {}, labels: { weight: 0 } },
    { labels: { weight: 1 } },
    { labels: {}, logits: {} },
    { features: [{ ...features[0], weight: 0 }], labels: { weight: 0 } },
    { features: [{ teacher: "a" }] },
    { features: [{ ...features[0], loss: "l3" }] },
    { features: [{ ...features[0], weight: -1 }] },
    { features: [{ ...features[0], map: 1 }] },
    { features: [{ ...features[0], beta: 0, loss: "smooth-l1" }] },
    { features: "blocks.1" },
    { features: [null] },
    { logits: { targets: "hard" } },
    { logits: { targets: "hard", temperature: 2 } },
    { logits: { targets: "hard", reduction: "batch" } },
    { logits: { temperature: 0 } },
    { logits: { reduction: "sum" } },
    { logits: { targets: "firm" } },
    { logits: { weight: 1e6 } },
    { logits: { weight: 1e6 + 1 } },
    { logits: {}, cache: true },
    { logits: {}, cache: true, mix },
    { logits: {}, cache: true, augment: {} },
    { logits: {}, cache: true, repeatedAugmentation: 2 },
    { logits: {}, cache: true, repeatedAugmentation: 1 },
    { logits: {}, cache: 1 },
  ])
    await distill(more);
  const detect = given("detect", detectOptions as never, base);
  for (const more of [
    {},
    { lr: undefined },
    { lr: undefined, baseLr: 1 },
    { baseLr: 1 },
    { minLr: 0 },
    { warmupEpochs: 0 },
    { warmupLr: 0 },
    { cooldownEpochs: 0 },
    { layerDecay: 0.5 },
    { dropPath: 1 },
    { warmupSteps: -1 },
    { warmupSteps: 0 },
    { warmupFactor: 0 },
    { warmupFactor: 1.1 },
    { milestones: [] },
    { milestones: [0.5] },
    { milestones: [0.5, 0.5] },
    { milestones: [0.6, 0.5] },
    { milestones: [0.1, 0.5, 1] },
    { milestones: [1.1] },
    { milestones: 0.5 },
    { factor: 0 },
    { factor: 2 },
    { normalize: "batch" },
    { normalize: "all" },
    { validation: 1 },
  ])
    await detect(more);
  const segment = given("segment", segmentOptions as never, base);
  for (const more of [
    {},
    { layerDecay: 0 },
    { dropPath: 1 },
    { augment: true },
    { augment: {} },
    { validation: {} },
    { lr: undefined },
    { mix },
  ])
    await segment(more);
  const pretrain = given("pretrain", pretrainOptions as never, base);
  for (const more of [
    {},
    { distill: {} },
    { distill: { teacher: 1, features } },
    { distill: null },
    { lr: undefined, baseLr: undefined },
    { maskRatio: 0.5 },
  ])
    await pretrain(more);
  const answer = given("answer", answerOptions as never, base);
  for (const more of [{}, { stage: "align" }, { stage: "instruct" }, { stage: "both" }, { lr: undefined }])
    await answer(more);
  const ask = given("ask", askOptions as never, {});
  for (const more of [
    {},
    { temperature: 0 },
    { temperature: -0.1 },
    { temperature: 1000 },
    { temperature: 1001 },
    { seed: 1.5 },
    { maxTokens: 0 },
    { maxTokens: 1 },
    { maxTokens: 100_001 },
    { engine: "onnxruntime" },
    { topK: 1 },
  ])
    await ask(more);
  for (const [name, options] of [
    ["evaluate", evaluateOptions],
    ["evaluateAnswers", evaluateAnswersOptions],
  ] as const)
    for (const more of [
      {},
      { batchSize: 0 },
      { batchSize: 1 },
      { batchSize: 1.5 },
      { batchSize: 1_000_001 },
      { threads: 1 },
      { workers: 1 },
    ])
      await given(name, options as never, {})(more);
  for (const more of [{}, { averaged: true }, { averaged: 1 }, { step: 1 }])
    await given("loadRunWeights", runWeightsOptions as never, {})(more);
  const text = {
    steps: 4,
    batchSize: 2,
    length: 3,
    lr: 0.1,
    minLr: 0,
    warmupSteps: 1,
    weightDecay: 0,
    seed: 0,
  };
  const language = given("language", languageModelTraining as never, text);
  for (const more of [
    {},
    { steps: 0 },
    { steps: undefined },
    { warmupSteps: 4 },
    { warmupSteps: 5 },
    { minLr: 0.1 },
    { minLr: 0.2 },
    { length: 0 },
    { onStep: 1 },
    { onStep: () => {} },
    { lr: 0 },
    { seed: -1 },
    { weightDecay: -1 },
    { epochs: 1 },
  ])
    await language(more);
  for (const match of [
    {},
    { temperature: 3, weight: 2 },
    { weight: 0 },
    { targets: "hard" },
    { reduction: "mean" },
    undefined,
  ] as const) {
    await calls.of(settleLogits, match as never);
    if (match)
      await calls.does(`logits ${JSON.stringify(match)}`, () => checkOptions("logits", logitMatch, match));
  }
  for (const match of [
    features[0],
    { ...features[0], teacher: "" },
    { ...features[0], normalize: "unit" },
    { ...features[0], normalize: "max" },
    { ...features[0], loss: "smoothL1", beta: 2 },
  ])
    await calls.does(`feature ${JSON.stringify(match)}`, () => checkOptions("feature", featureMatch, match));
  calls.approve("train/options");
});

test("recipes and what they cost", async () => {
  const calls = new Calls();
  for (const [name, recipe] of Object.entries({ ...recipes, ...answerRecipes })) calls.note(name, recipe);
  for (const [recipe, images] of [
    [{ epochs: 3, batchSize: 4 }, 23],
    [{ epochs: 3, batchSize: 4, accumulate: 2 }, 23],
    [{ epochs: 3, batchSize: 4, cooldownEpochs: 2 }, 23],
    [{ epochs: 1, batchSize: 64 }, undefined],
    [{ epochs: 1 }, 3],
    [null, 3],
  ] as const)
    await calls.of(costOf, recipe as never, images);
  for (const workers of [1, 2, 3, 8])
    for (const more of [{}, { networkRate: 10 }, { updateSeconds: 9 }, { bytesPerNumber: 2, accumulate: 24 }])
      await calls.of(planWork, {
        workers,
        accumulate: 12,
        totalSteps: 5,
        trained: 100,
        bytesPerNumber: 4,
        batchSeconds: 0.5,
        updateSeconds: 0.25,
        networkRate: 1000,
        ...more,
      });
  for (const [one, two] of [
    [3, 5],
    [3, 3],
    [3, 9],
    [3, 4.5],
    [3, 1],
    [0, 0],
  ])
    await calls.of(partsOfSteps, one, two);
  calls.approve("train/recipes");
});
