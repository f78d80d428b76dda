import { before, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { checkOptions } from "../../../src/core/options";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import type { Workers } from "../../../src/engine";
import { LayerNorm, Linear, Module, Parameter, zeros } from "../../../src/nn";
import { pretrainRules } from "../../../src/optim";
import { Agreement, expectShares, unshared } from "../../../src/train/agreement";
import { answerOptions } from "../../../src/train/answer";
import * as answerRecipes from "../../../src/train/answerRecipes";
import { askOptions } from "../../../src/train/ask";
import { besideModel, loadHelpers } from "../../../src/train/besideModel";
import { expectClasses, expectClassOrder, expectImageSize } from "../../../src/train/checkSizes";
import { detectOptions } from "../../../src/train/detection/options";
import { distillOptions } from "../../../src/train/distill";
import { drawDropPath, dropPathFactors, dropPathRates } from "../../../src/train/dropPath";
import { evaluateOptions } from "../../../src/train/evaluate";
import { evaluateAnswersOptions } from "../../../src/train/evaluateAnswers";
import { featureMatch } from "../../../src/train/featureMatches";
import {
  arraysOf,
  imageFeed,
  normalizedImages,
  pixelFeed,
  pixelsOf,
  specsOf,
} from "../../../src/train/feeds";
import { finetuneOptions } from "../../../src/train/finetuneOptions";
import { KeptSlot } from "../../../src/train/kept";
import { languageModelTraining } from "../../../src/train/languageModel";
import { logitMatch, settleLogits } from "../../../src/train/logitMatch";
import { withLossScale } from "../../../src/train/lossScale";
import { lastGoodCheckpoint, nonFiniteNames, nonFiniteState, onlyFinite } from "../../../src/train/nonFinite";
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
import { judge, mappingFor } from "../../../src/train/scoring";
import { segmentOptions } from "../../../src/train/segment";
import { averageName, moved, WeightAverage } from "../../../src/train/weightAverage";
import { partsOfSteps, planWork } from "../../../src/train/workPlan";
import { Calls } from "../../support/calls";

before(() => startBackend());

const dataset = (length: number, more: object = {}) =>
  ({ length, size: 16, classes: ["a", "b", "c"], ...more }) as unknown as ImageDataset;

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
      settlePlan(dataset(23), options, [0.9, 0.95]),
    );
    const plan = settlePlan(dataset(23), options, [0.9, 0.95]);
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
    ...settlePlan(dataset(23), plain, [0.9, 0.95]),
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
      () => settlePlan(dataset(length), { ...plain, accumulate }, [0.9, 0.95]).totalSteps,
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

test("scores, factors of branches, scales of losses and sizes", async () => {
  const calls = new Calls();
  const scores = Float32Array.of(-3, -1, -2, -1, -4, -5, -0.5);
  const mapping = (competing: "all" | "mapped") =>
    ({
      competing,
      name: "some",
      modelClasses: 7,
      mappedClasses: competing === "all" ? undefined : [5, 1, 3],
      predict: (row: Float32Array) => row.indexOf(Math.max(...row)) - 4,
    }) as never;
  for (const label of [0, 1, 3, 4, 5, 6]) await calls.of(judge, scores, label);
  for (const label of [0, 1, 2])
    await calls.does(`mapped ${label}`, () => judge(scores, label, mapping("mapped")));
  await calls.does("all", () => judge(scores, 2, mapping("all")));
  for (const competing of ["all", "mapped", undefined] as const)
    await calls.does(`broken, ${competing}`, () =>
      judge(Float32Array.of(1, Number.NaN, 3), 2, competing && mapping(competing)),
    );
  await calls.does("endless", () => judge(Float32Array.of(0, Number.NEGATIVE_INFINITY), 1));
  for (const [classes, has, of] of [
    [3, undefined, 3],
    [3, undefined, 5],
    [3, undefined, 2],
    [3, 7, 7],
    [3, 7, 3],
    [3, 7, 5],
  ] as const)
    await calls.does(
      `mappingFor ${classes}, ${has}, ${of}`,
      () =>
        mappingFor(
          {
            classes: Array(classes).fill("a"),
            mapping: has && ({ name: "some", modelClasses: has } as never),
          },
          of,
          "evaluate",
        )?.name,
    );
  for (const [depth, last] of [
    [1, 0.3],
    [2, 0.3],
    [5, 0.2],
    [3, 0],
    [0, 0.5],
  ])
    await calls.of(dropPathRates, depth, last);
  for (const rate of [0, 0.25, 0.5, 0.999])
    await calls.of(dropPathFactors, [0, 0.2, 0.25, 0.5, 0.7501, 0.999], rate);
  await calls.does("drawDropPath", () => drawDropPath(3, 0.6, 4, new Rng(5)));
  await calls.does("drawDropPath without a stream", () => drawDropPath(3, 0.6, 4, 5 as never));
  for (const good of [2 ** 15, 2 ** 12, 1, 0.5])
    for (const loss of [2, Number.NaN])
      await calls.does(`withLossScale up to ${good}, ${loss}`, async () => {
        const scales: number[] = [];
        const found = await withLossScale(async (scale) => {
          scales.push(scale);
          return { loss, gradientNorm: scale > good ? Number.POSITIVE_INFINITY : 1 };
        });
        return [found, scales.length, scales.at(-1)];
      });
  await calls.does("withLossScale failing", () =>
    withLossScale(() => Promise.reject(new LuvitError("engine-died", "gone"))),
  );
  const squares = (more: object) => ({ size: 16, ...more }) as never;
  for (const [set, size] of [
    [squares({}), 16],
    [squares({}), 24],
    [squares({ ownShapes: true }), 16],
  ] as const)
    await calls.does(`expectImageSize ${JSON.stringify(set)}, ${size}`, () =>
      expectImageSize(set, size, "finetune"),
    );
  for (const classes of [2, 3, 4])
    await calls.does(`expectClasses of ${classes}`, () => expectClasses(dataset(1), classes, "detect"));
  for (const classNames of [
    undefined,
    ["a", "b", "c"],
    ["b", "a", "c"],
    ["a", "c", "b"],
    ["a", "b"],
    ["a", "b", "d"],
    ["d", "e", "f"],
  ])
    for (const mapping of [undefined, {}])
      await calls.does(`expectClassOrder ${classNames}, ${mapping !== undefined}`, () =>
        expectClassOrder(dataset(1, { mapping }), { classNames }, "evaluate"),
      );
  calls.approve("train/scores and sizes");
});

test("what is fed, averaged, and no longer finite", async () => {
  const calls = new Calls();
  const images = Float32Array.from({ length: 24 }, (_, i) => i);
  const bytes = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
  await calls.of(imageFeed, images, 2);
  for (const count of [undefined, 2, 3]) {
    await calls.of(pixelFeed, { images } as never, 2, count);
    await calls.of(pixelFeed, { images, bytes } as never, 2, count);
  }
  for (const hasBytes of [true, false, undefined]) await calls.of(pixelsOf, { hasBytes } as never);
  const fed = {
    a: { data: bytes, shape: [24] },
    b: { data: images, shape: [4, 6] },
    c: { data: Int32Array.of(3), shape: [1], dtype: "int32" },
  } as const;
  await calls.of(specsOf, fed);
  await calls.of(arraysOf, fed);
  for (const pixels of ["bytes", "normalized"] as const)
    await calls.does(`normalizedImages of ${pixels}`, () =>
      tf.tidy(() => tf.clone(normalizedImages(tf.tensor([0, 255, 51, 102, 153, 7], [1, 3, 1, 2]), pixels))),
    );

  const model = new Linear(3, 2, new Rng(1));
  model.freeze("bias");
  const average = new WeightAverage(model, pretrainRules(model, 0.1), 0.75);
  const state = async () => [...(await average.state())];
  calls.note("names", [
    averageName("a.b"),
    [...average.parameters()].map(([name]) => name),
    [...average.byPath().keys()],
    average.decay,
  ]);
  calls.note("before a step, values are the weights", [...average.values()][0][1] === model.weight);
  calls.note("state", await state());
  for (const [what, dict] of [
    ["nothing", new Map()],
    ["another shape", new Map([["weight", { shape: [3, 2], data: new Float32Array(6) }]])],
  ] as const)
    await calls.does(`load ${what}`, () => average.load(dict as never, "somewhere"));
  await calls.does("load", () =>
    average.load(
      new Map([
        ["weight", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
        ["other", { shape: [1], data: Float32Array.of(1) }],
      ]),
      "somewhere",
    ),
  );
  calls.note("state", await state());
  await calls.does("moved", () => tf.tidy(() => moved(tf.tensor([4, -8]), tf.tensor([0, 4]), 0.75)));
  average.dispose();
  calls.note("disposed", await state());

  const streamOf = (numbers: Record<string, number[]>) => ({
    shapes: new Map(Object.entries(numbers).map(([name, values]) => [name, [values.length]])),
    read: async (names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, Float32Array.from(numbers[name])])),
  });
  const bad = { a: [1, 2], b: [Number.NaN], c: [3, Number.POSITIVE_INFINITY], d: [] };
  await calls.does("nonFiniteNames", () => nonFiniteNames(streamOf(bad)));
  for (const checkpoint of [undefined, "runs/a/step-3"]) {
    await calls.of(lastGoodCheckpoint, checkpoint);
    await calls.of(nonFiniteState, ["b", "c"], 7, 0.00123456, checkpoint);
  }
  await calls.of(
    nonFiniteState,
    Array.from({ length: 30 }, (_, i) => `w${i}`),
    1,
    1,
    undefined,
  );
  for (const broken of [[], ["b"]])
    await calls.does(`onlyFinite of ${broken}`, () => {
      const stream = { ...streamOf(bad), writeInto: async () => broken };
      return onlyFinite(stream, async () => new LuvitError("non-finite", "refused")).writeInto!(
        "file",
        new Map(),
      );
    });
  calls.approve("train/feeds and averages");
});

/** The workers of a job as one of them sees them. */
const workersOf = (rank: number, others: (own: unknown) => unknown[], said: number[] = []) =>
  ({
    rank,
    size: said.length + 1,
    sum: async ([own]: number[]) => [said.reduce((sum, one) => sum + one, own)],
    gather: async (own: unknown) => others(own),
  }) as unknown as Workers;

test("what workers agree on", async () => {
  const calls = new Calls();
  const alone = new Agreement(undefined);
  calls.note("alone", [
    alone.rank,
    alone.size,
    await alone.any(true),
    await alone.any(false),
    await alone.gather("own"),
  ]);
  calls.note("unshared", [unshared.rank, unshared.size, await unshared.gather("own")]);
  await calls.does("alone, alike", () => alone.expectAlike({ a: 1 }));
  await calls.does("alone, reports", () => alone.shareReports([]));
  const shared = new Agreement(workersOf(1, (own) => [own, "b"], [0, 1]));
  calls.note("shared", [shared.rank, shared.size, await shared.any(false), await shared.gather("own")]);
  calls.note("nobody", await new Agreement(workersOf(0, () => [], [0, 0])).any(false));
  const first = { a: "1", b: '"x"', c: "none" };
  for (const [what, all] of [
    ["alike", [first, first]],
    ["one other", [first, { ...first, a: "2" }]],
    ["missing and more", [first, { a: "1", d: "3" }, first, { ...first, b: '"y"', c: "[]" }]],
  ] as const)
    await calls.does(what, () => new Agreement(workersOf(0, () => [...all])).expectAlike({ a: 1 }));
  await calls.does("what is told", async () => {
    let told: unknown;
    await new Agreement(
      workersOf(0, (own) => {
        told = own;
        return [own, own];
      }),
    ).expectAlike({ a: 1, b: "x", c: undefined, d: [1, null], e: { f: Number.NaN } });
    return told;
  });
  const log: string[] = [];
  const set = (name: string) =>
    ({
      report: { skipped: [], add: (path: string, reason: string) => log.push(`${name} ${path} ${reason}`) },
    }) as never;
  await new Agreement(
    workersOf(0, () => [
      [[{ path: "p", reason: "cut" }], []],
      [[], [{ path: "q", reason: "text" }]],
    ]),
  ).shareReports([set("one"), set("two")]);
  calls.note("reports", log);
  for (const [accumulate, size, batchSize] of [
    [4, 1, 8],
    [4, 2, 8],
    [4, 3, 8],
    [4, 3, 6],
    [6, 4, 2],
    [1, 2, 5],
    [12, 8, 2],
  ])
    await calls.does(`${accumulate} batches of ${batchSize}, ${size} workers`, () =>
      expectShares({ accumulate, batchSize } as never, { rank: 0, size }),
    );
  calls.approve("train/agreements");
});

class Sized extends Module {
  readonly norm = new LayerNorm(2);
  readonly table: Parameter;
  constructor(numbers = 3) {
    super();
    this.table = new Parameter([numbers], zeros, 0);
  }
}

class Whole extends Module {
  readonly helper = new Linear(2, 1, new Rng(2));
  readonly teacher = new Linear(1, 1, new Rng(3));
  constructor(readonly model: Sized) {
    super();
  }
  protected override transparentFields(): readonly string[] {
    return ["model"];
  }
}

test("what stays open, and what is beside a model", async (t) => {
  const calls = new Calls();
  const log: string[] = [];
  let count = 0;
  const open = async () => {
    const name = ++count;
    log.push(`open ${name}`);
    return { name, dispose: async () => void log.push(`close ${name}`) };
  };
  const slot = new KeptSlot<Awaited<ReturnType<typeof open>>>();
  const model = new Sized();
  const step = async (what: string, use: () => Promise<unknown>) =>
    calls.note(what, [await use().catch((error: Error) => error.message), log.splice(0).join(", ")]);
  const use = async (key: string, of: Module = model) => {
    const { value, giveBack } = await slot.take(of, key, open);
    await giveBack();
    return value.name;
  };
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await step("first", () => use("a"));
  await step("again", () => use("a"));
  await step("another question", () => use("b"));
  await step("other weights", async () => {
    model.table.load({ shape: [3], data: Float32Array.of(5, 6, 7) });
    return use("b");
  });
  await step("another model", () => use("b", new Sized()));
  await step("one that cannot be opened", () =>
    slot.take(model, "c", () => Promise.reject(new Error("no room"))),
  );
  await step("after it", () => use("b"));
  await step("two at once", async () => {
    const [one, two] = [await slot.take(model, "b", open), await slot.take(model, "b", open)];
    await one.giveBack();
    await two.giveBack();
    return [one.value.name, two.value.name];
  });
  await step("released", () => slot.release());
  await step("released again", () => slot.release());
  await step("for an hour", async () => {
    await use("b");
    t.mock.timers.tick(3_599_999);
  });
  await step("and no longer", async () => t.mock.timers.tick(1));
  t.mock.timers.reset();

  const [whole, taken] = [new Whole(model), new Linear(1, 1, new Rng(4))];
  whole.teacher.freeze();
  const rules = pretrainRules(whole, 0.1);
  const frozen = new Map(
    [...taken.namedParameters()].map(([path, parameter]) => [`taken.${path}`, parameter]),
  );
  const beside = besideModel({ model, whole, frozen, rules });
  calls.note("beside", [[...beside.helpers.keys()], [...beside.frozen.keys()]]);
  const alone = besideModel({ model, rules });
  calls.note("beside nothing", [[...alone.helpers.keys()], [...alone.frozen.keys()]]);
  const numbers = (shape: number[]) => ({
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(7),
  });
  for (const [what, dict] of [
    ["none", new Map()],
    ["a part", new Map([["helper.weight", numbers([1, 2])]])],
    [
      "misshapen",
      new Map([
        ["helper.weight", numbers([2, 1])],
        ["helper.bias", numbers([1])],
      ]),
    ],
    [
      "all",
      new Map([
        ["helper.weight", numbers([1, 2])],
        ["helper.bias", numbers([1])],
      ]),
    ],
    [
      "more",
      new Map([
        ["helper.weight", numbers([1, 2])],
        ["helper.bias", numbers([1])],
        ["other", numbers([1])],
      ]),
    ],
  ] as const)
    await calls.does(`loadHelpers of ${what}`, async () => {
      loadHelpers(beside.helpers, dict as never, "runs/a");
      return [...(await whole.helper.weight.read()).data];
    });
  calls.approve("train/kept and beside");
});
