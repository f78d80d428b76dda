import { join } from "node:path";
import { before, mock, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageNetS, toy, transforms } from "../../../src/data";
import { baselines, classifier, fusion, llavit, mae, segmenter, vit } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { llama7b } from "../../../src/models/llamaConfig";
import { answer } from "../../../src/train/answer";
import { auxiliary } from "../../../src/train/auxiliary";
import { distill } from "../../../src/train/distill";
import { keepingLayers, settleMatches } from "../../../src/train/featureMatches";
import type { Feeds } from "../../../src/train/feeds";
import { finetune } from "../../../src/train/finetune";
import type * as Loop from "../../../src/train/loop";
import { maskFeeds, pretrain } from "../../../src/train/pretrain";
import { roomFor } from "../../../src/train/questions";
import { segment } from "../../../src/train/segment";
import { squareIoU, squareLogits } from "../../../src/train/squareIoU";
import type { TrainingTask } from "../../../src/train/steps";
import { KeptAnswers } from "../../../src/train/teacherAnswers";
import { Calls } from "../../support/calls";
import { repository } from "../nn/support";
import { images, tinyClassifier, tinyDecoder, tinyMae, tinyViT } from "./support";

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

const told = { epochs: 2, batchSize: 2, lr: 1e-3, seed: 5 };
const rulesOf = ({ rules }: TrainingTask<never>) =>
  [...rules].map(
    ([path, { weightDecay, lrScale }]) => `${path} ${weightDecay} ${Number(lrScale.toFixed(5))}`,
  );
const fedOf = (feeds: Feeds) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape, dtype }]) => [name, [shape.join(" x "), dtype, data]]),
  );
const tensorsOf = (feeds: Feeds) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape, dtype }]) => [
      name,
      tf.tensor(data, [...shape], dtype ?? "float32"),
    ]),
  );

/** What a task is, without what its loss comes to. */
function describe(task: TrainingTask<never>) {
  const {
    name,
    settings,
    plan,
    repeats,
    emaDecay,
    pixels,
    functions = {},
    whole,
    frozen,
    validation,
    evaluate,
  } = task;
  return {
    ...{ name, settings, repeats, emaDecay, pixels },
    schedule: plan.schedule,
    decay: plan.weightDecay,
    betas: plan.betas,
    functions: Object.entries(functions).map(([key, { inputs }]) => [key, inputs]),
    whole: whole && [...whole.namedParameters()].length,
    frozen: frozen && [...frozen.keys()].slice(0, 3),
    validated: [validation?.length, evaluate !== undefined],
  };
}

/** What a task is fed for a batch, and what its loss comes to then. */
async function step(calls: Calls, what: string, task: TrainingTask<never>, batch: object, micro = 3) {
  const feeds = task.feeds(batch as never, micro);
  calls.note(`  ${what}, fed`, fedOf(feeds));
  const other = task.feeds(batch as never, micro + 1);
  calls.note(
    `  ${what}, fed otherwise the next time`,
    Object.keys(feeds).filter((name) => feeds[name].data.some((value, i) => value !== other[name].data[i])),
  );
  const loss = tf.tidy(() => task.loss(tensorsOf(feeds)).dataSync()[0]);
  calls.note(`  ${what}, loss`, loss);
}

const batchOf = (side: number, more: object = {}) => {
  const values = Float32Array.from({ length: 2 * 3 * side * side }, (_, i) => ((i * 37) % 101) / 50 - 1);
  return {
    images: values,
    labels: Int32Array.of(1, 0),
    indices: Int32Array.of(0, 1),
    paths: ["a", "b"],
    batch: 0,
    samples: [],
    ...more,
  };
};

test("what finetuning and pretraining make of their options", async () => {
  const calls = new Calls();
  const set = await images(transforms.finetune);
  const validation = set.withTransform(transforms.evaluation(16));
  const mix = { mixupAlpha: 0.8, cutmixAlpha: 1 };
  for (const options of [
    {},
    { layerDecay: 0.5, weightDecay: 0.1 },
    { dropPath: 0 },
    { dropPath: 0.5, smoothing: 0 },
    { smoothing: 0.3, dropPath: 0 },
    { mix, dropPath: 0 },
    { augment: {}, dropPath: 0 },
    { repeatedAugmentation: 3, dropPath: 0 },
    { emaDecay: 0.5, validation, dropPath: 0 },
  ]) {
    const model = tinyClassifier(3);
    const task = taskOf(() => finetune(model, set, { ...told, ...options }));
    const names = { ...options, ...("validation" in options && { validation: "given" }) };
    calls.note(`finetune ${JSON.stringify(names)}`, describe(task));
    calls.note("  rules", rulesOf(task));
    calls.note("  learnt", [model.classNames, model.preprocessing]);
    await step(calls, "step", task, batchOf(16));
  }
  const set3 = Object.assign(Object.create(set), { classes: ["a", "b", "c"] });
  const empty = set.subset([]);
  for (const [what, begin] of [
    ["no model", () => finetune({} as never, set, told)],
    ["no set", () => finetune(tinyClassifier(), {} as never, told)],
    ["no options", () => finetune(tinyClassifier(), set, undefined as never)],
    ["three classes", () => finetune(tinyClassifier(), set3, told)],
    ["three classes in validation", () => finetune(tinyClassifier(), set, { ...told, validation: set3 })],
    ["an empty validation", () => finetune(tinyClassifier(), set, { ...told, validation: empty })],
    ["another size", () => finetune(tinyClassifier(), set.withTransform(transforms.evaluation(24)), told)],
    [
      "another size in validation",
      () => finetune(tinyClassifier(), set, { ...told, validation: set.withTransform(transforms.none(24)) }),
    ],
    ["too few images", () => finetune(tinyClassifier(), set, { ...told, batchSize: 13 })],
  ] as const)
    await calls.does(`finetune with ${what}`, () => taskOf(begin).name);

  const own = await images();
  for (const [what, model] of [
    ["usual", tinyMae(2)],
    [
      "a quarter hidden",
      mae.create({
        encoder: { ...tinyViT, patchSize: 4 },
        decoder: tinyDecoder,
        seed: 2,
        maskRatio: 0.25,
        normPixLoss: false,
      }),
    ],
  ] as const) {
    const task = taskOf(() => pretrain(model, own, { ...told, weightDecay: 0.3 }));
    calls.note(`pretrain, ${what}`, describe(task));
    calls.note("  rules", rulesOf(task));
    await step(
      calls,
      "step",
      task,
      batchOf(16, { bytes: Uint8Array.from({ length: 1536 }, (_, i) => (i * 7) % 256) }),
    );
    await calls.does("maskFeeds", () => fedOf(maskFeeds(model, 3, new Rng(4))));
  }
  const teacher = mae.create({ encoder: { ...tinyViT, dim: 24 }, decoder: tinyDecoder, seed: 7 });
  const features = [
    { teacher: "blocks.1", student: "blocks.0", loss: "l1", normalize: "unit", weight: 2 },
  ] as const;
  const student = tinyMae(2);
  const taught = taskOf(() => pretrain(student, own, { ...told, distill: { teacher, features } }));
  calls.note("pretrain, taught", describe(taught));
  calls.note("  rules", rulesOf(taught).slice(-4));
  await step(
    calls,
    "taught step",
    taught,
    batchOf(16, { bytes: Uint8Array.from({ length: 1536 }, (_, i) => (i * 7) % 256) }),
  );
  const small = mae.create({ encoder: { ...tinyViT, patchSize: 4 }, decoder: tinyDecoder });
  for (const [what, begin] of [
    ["no model", () => pretrain({} as never, own, told)],
    ["another size", () => pretrain(tinyMae(), own.withTransform(transforms.mae(24)), told)],
    ["itself as teacher", () => pretrain(student, own, { ...told, distill: { teacher: student, features } })],
    ["other patches", () => pretrain(tinyMae(), own, { ...told, distill: { teacher: small, features } })],
    [
      "an unknown layer",
      () =>
        pretrain(tinyMae(), own, {
          ...told,
          distill: { teacher, features: [{ teacher: "block.1", student: "blocks.7" }] },
        }),
    ],
    [
      "nothing that counts",
      () =>
        pretrain(tinyMae(), own, {
          ...told,
          distill: { teacher, features: [{ ...features[0], weight: 0 }] },
        }),
    ],
  ] as const)
    await calls.does(`pretrain with ${what}`, () => taskOf(begin).settings);
  calls.approve("train/tasks");
});

const block = () => baselines.randomBlock({ ...llama7b, dim: 32, heads: 2, hiddenDim: 40 });

test("what distillation and an auxiliary exit make of theirs", async () => {
  const calls = new Calls();
  const set = await images(transforms.evaluation);
  const teacherOf = () =>
    classifier.create({
      encoder: { ...tinyViT, dim: 24 },
      fusion: fusion.through(block()),
      classes: 2,
      seed: 5,
    });
  const teacher = teacherOf();
  const pair = { teacher: "fusion.mapper2", student: "blocks.1" };
  for (const options of [
    { logits: {} },
    { logits: { temperature: 3, reduction: "deit", weight: 2 }, labels: { weight: 4 } },
    { logits: { targets: "hard", weight: 0.5 } },
    { logits: {}, labels: { weight: 0 } },
    { features: [pair] },
    {
      features: [
        { ...pair, weight: 0 },
        { teacher: "blocks.0", student: "blocks.0", loss: "mse", weight: 3 },
      ],
      logits: { weight: 0 },
    },
    { features: [{ ...pair, weight: 0 }] },
    {
      features: [{ ...pair, map: true, loss: "smoothL1", beta: 0.5, normalize: "layer" }],
      labels: { weight: 0 },
    },
  ] as const) {
    const student = tinyClassifier(3);
    const task = taskOf(() => distill(student, teacher, set, { ...told, dropPath: 0, ...options }));
    calls.note(`distill ${JSON.stringify(options)}`, describe(task));
    calls.note(
      "  trained beside the student",
      rulesOf(task).filter((line) => line.startsWith("distill")),
    );
    calls.note("  learnt", student.classNames);
    await step(calls, "step", task, batchOf(16));
  }
  const other = classifier.create({
    encoder: { ...tinyViT, imageSize: 24 },
    classes: 3,
    preprocessing: { ...transforms.none(24).preprocessing!, mean: [0.5, 0.5, 0.5] },
  });
  for (const [what, begin] of [
    ["itself", () => distill(teacher, teacher, set, { ...told, logits: {} })],
    ["another teacher", () => distill(tinyClassifier(), other, set, { ...told, logits: {} })],
    [
      "another teacher, features alone",
      () => distill(tinyClassifier(), other, set, { ...told, features: [pair] }),
    ],
    [
      "unknown layers",
      () =>
        distill(tinyClassifier(), teacher, set, {
          ...told,
          features: [
            { teacher: "fusion.maper2", student: "blocks.2" },
            { teacher: "xyz", student: "blocks.0" },
          ],
        }),
    ],
    [
      "vectors and tokens",
      () =>
        distill(tinyClassifier(), teacher, set, {
          ...told,
          features: [
            { teacher: "pooled", student: "blocks.0" },
            { ...pair, map: false },
          ],
        }),
    ],
    [
      "answers kept of augmented images",
      () =>
        distill(tinyClassifier(), teacher, set.withTransform(transforms.finetune(16)), {
          ...told,
          logits: {},
          cache: true,
        }),
    ],
  ] as const)
    await calls.does(`distill with ${what}`, () => taskOf(begin).name);
  const asked = (model: ReturnType<typeof tinyClassifier>) => ({
    model,
    inputs: { images: { shape: [1, 3, 16, 16] } },
    forward: (fed: Readonly<Record<string, Tensor>>, context: object) => model.forward(fed.images, context),
  });
  await calls.does("settleMatches of none", () =>
    settleMatches("here", [], asked(teacher), asked(tinyClassifier())),
  );
  await calls.does("settleMatches of two", () =>
    settleMatches(
      "here",
      [pair, { teacher: "blocks.0", student: "blocks.0", map: true, weight: 2, loss: "l1" }],
      asked(teacher),
      asked(tinyClassifier()),
    ),
  );
  const finer = classifier.create({ encoder: { ...tinyViT, patchSize: 4 }, classes: 2 });
  const tokens = { teacher: "blocks.0", student: "blocks.0" };
  for (const map of [undefined, false, true])
    await calls.does(`settleMatches of other patches, map ${map}`, () =>
      settleMatches("here", [{ ...tokens, map }], asked(teacher), asked(finer)),
    );
  await calls.does("settleMatches of the same widths", () =>
    settleMatches(
      "here",
      [tokens, { ...tokens, map: true }, { ...tokens, weight: 0 }],
      asked(tinyClassifier(2)),
      asked(tinyClassifier()),
    ),
  );
  await calls.does("layers of a teacher", () =>
    tf.tidy(() => {
      const layers = new Map<string, Tensor>();
      teacher.forward(tf.zeros([2, 3, 16, 16]), keepingLayers(layers));
      return [...layers].map(([name, { shape }]) => `${name} ${shape}`);
    }),
  );

  const matches = settleMatches(
    "here",
    [{ teacher: "pooled", student: "pooled" }],
    asked(teacher),
    asked(tinyClassifier()),
  );
  const kept = new KeptAnswers(teacher, set, matches, true);
  const run = async (what: string, stopped: boolean) => {
    await kept.prepare(5, { engine: "eager" }, { stopped });
    const feeds = (indices: number[]) =>
      kept.feeds({
        indices: Int32Array.from(indices),
        paths: indices.map((index) => `image ${index}`),
      } as never);
    await calls.does(`answers ${what}`, () => fedOf(feeds([3, 11, 0])));
  };
  await run("to none", true);
  await run("to all", false);
  await calls.does("answers as tensors", () =>
    tf.tidy(() => {
      const { logits, layers } = kept.of({
        "teacher.logits": tf.zeros([2, 2]),
        "teacher.pooled": tf.ones([2, 24]),
      });
      return [logits.shape, [...layers].map(([name, { shape }]) => [name, shape])];
    }),
  );
  const many = Object.create(set, { length: { value: 5e7 } });
  await calls.does("too many answers", () => new KeptAnswers(teacher, many, matches, true));
  await calls.does(
    "few enough",
    () =>
      new KeptAnswers(teacher, Object.create(set, { length: { value: 4e7 } }), matches, false) instanceof
      KeptAnswers,
  );

  for (const options of [
    {},
    { weight: 0 },
    { weight: 2, tokens: { weight: 0 } },
    { tokens: { weight: 3, loss: "mse", normalize: "layer" } },
    { branch: fusion.mlp(6), seed: 8 },
  ] as const) {
    const task = taskOf(() =>
      auxiliary(tinyClassifier(3), set, { ...told, dropPath: 0, branch: block(), ...options } as never),
    );
    calls.note(
      `auxiliary ${JSON.stringify({ ...options, ...("branch" in options && { branch: "given" }) })}`,
      describe(task),
    );
    calls.note(
      "  trained beside the model",
      rulesOf(task).filter((line) => line.startsWith("auxiliary")),
    );
    await step(calls, "step", task, batchOf(16));
  }
  for (const [what, begin] of [
    ["a path that is there", () => auxiliary(teacher, set, { ...told, branch: block() })],
    ["no branch", () => auxiliary(tinyClassifier(), set, told as never)],
    [
      "a branch between blocks",
      () =>
        auxiliary(tinyClassifier(), set, { ...told, branch: fusion.through(block(), { after: 0 } as never) }),
    ],
    ["a weight below 0", () => auxiliary(tinyClassifier(), set, { ...told, branch: block(), weight: -1 })],
    [
      "another distance",
      () => auxiliary(tinyClassifier(), set, { ...told, branch: block(), tokens: { loss: "far" } as never }),
    ],
  ] as const)
    await calls.does(`auxiliary with ${what}`, () => taskOf(begin).name);
  calls.approve("train/taught tasks");
});

test("what segmenting and answering make of theirs", async () => {
  const calls = new Calls();
  const shapes = join(repository, "data", "shapes");
  const set = (
    await imageNetS({ root: shapes, split: "train-semi", patch: 8, transform: transforms.none(64) })
  ).take(6);
  const encoder = { ...vit.toy, dim: 16, depth: 2, heads: 2 };
  const modelOf = (classes = 7) => segmenter.create({ encoder, classes, seed: 3 });
  const ids = (from: number) => Int32Array.from({ length: 64 * 64 }, (_, i) => ((i >> 5) + from) % 7);
  const batch = batchOf(64, { samples: [{ ids: ids(0) }, { ids: ids(3) }] });
  for (const options of [
    {},
    { layerDecay: 0.5, weightDecay: 0.2, dropPath: 0 },
    { augment: true, dropPath: 0 },
    { validation: set, dropPath: 0 },
  ]) {
    const model = modelOf();
    const task = taskOf(() => segment(model, set, { ...told, ...options }));
    calls.note(
      `segment ${JSON.stringify({ ...options, ...("validation" in options && { validation: "given" }) })}`,
      describe(task),
    );
    calls.note("  rules", rulesOf(task));
    calls.note("  learnt", [model.classNames, model.preprocessing, task.dataset === set]);
    await step(calls, "step", task, batch);
  }
  const renamed = (classNames: string[]) => Object.assign(modelOf(), { classNames });
  for (const [what, begin] of [
    ["no model", () => segment({} as never, set, told)],
    ["no masks", () => segment(modelOf(), {} as never, told)],
    ["other classes", () => segment(modelOf(5), set, told)],
    ["another size", () => segment(modelOf(), set.withTransform(transforms.none(32)), told)],
    ["classes in another order", () => segment(renamed([...set.classes].reverse()), set, told)],
    ["classes of other names", () => segment(renamed(set.classes.map((name) => `${name}s`)), set, told)],
    ["an empty validation", () => segment(modelOf(), set, { ...told, validation: set.subset([]) as never })],
    [
      "a validation of another size",
      () => segment(modelOf(), set, { ...told, validation: set.withTransform(transforms.none(32)) }),
    ],
  ] as const)
    await calls.does(`segment with ${what}`, () => taskOf(begin).name);
  const model = modelOf();
  const grids: number[][] = [];
  const logits = async ({ images: fed }: Feeds) => {
    grids.push([...fed.shape]);
    return Float32Array.from({ length: 4 * 7 * 64 }, (_, i) => ((i * 31) % 17) / 4);
  };
  await calls.does("squareIoU", () =>
    squareIoU(logits, model, set, 4, { rank: 0, size: 1, gather: async (own) => [own] }),
  );
  calls.note("asked with", grids.slice(0, 2));
  await calls.does("squareIoU of a half, and none of the other", () =>
    squareIoU(logits, model, set, 4, {
      rank: 1,
      size: 2,
      gather: async <T>(own: T) => [own, { ...own, read: 0 }],
    }),
  );
  await calls.does("squareIoU of nothing", () =>
    squareIoU(logits, model, set, 4, {
      rank: 0,
      size: 1,
      gather: async <T>(own: T) => [{ ...own, read: 0 }],
    }),
  );
  calls.note("squareLogits", squareLogits(model, 3).inputs);

  const shape = {
    dim: 24,
    heads: 4,
    hiddenDim: 32,
    normEps: 1e-6,
    ropeTheta: 10000,
    depth: 2,
    vocabulary: 256,
    causal: true,
    rope: true,
    rowOrder: "hf",
  } as const;
  const tower = classifier.create({ encoder: { ...tinyViT, imageSize: 16 }, classes: 2, seed: 4 });
  const speaking = await llavit.create({
    tower,
    language: new LlamaLanguageModel(shape, 5),
    visionQkv: "full",
    layers: [1, 2],
  });
  const questions = toy.questions(1, 12, { size: 16 });
  for (const options of [
    {},
    { stage: "instruct", weightDecay: 0.1 },
    { stage: "align", betas: [0.5, 0.6] },
  ] as const) {
    const task = taskOf(() => answer(speaking, questions, { ...told, ...options }));
    calls.note(`answer ${JSON.stringify(options)}`, describe(task));
    calls.note("  rules", rulesOf(task));
    await step(calls, "step", task, {
      images: batchOf(16).images,
      samples: [0, 5].map((i) => questions.question(i)),
    });
  }
  const asking = (change: (index: number) => object) =>
    Object.assign(Object.create(questions), {
      question: (index: number) => ({ ...questions.question(index), ...change(index) }),
    });
  await calls.does("roomFor", () => roomFor(speaking, questions, "here"));
  await calls.does("roomFor choices", () => roomFor(speaking, questions, "here", ({ choices }) => choices));
  await calls.does("roomFor a long answer", () =>
    roomFor(
      speaking,
      asking((index) => (index === 3 ? { answer: "a very long answer é" } : {})),
      "here",
    ),
  );
  await calls.does("roomFor no answer", () =>
    roomFor(
      speaking,
      asking((index) => (index === 11 ? { answer: "" } : {})),
      "here",
    ),
  );
  await calls.does("roomFor another size", () =>
    roomFor(speaking, toy.questions(1, 2, { size: 32 }), "here"),
  );
  for (const [what, begin] of [
    ["no model", () => answer({} as never, questions, told)],
    ["no questions", () => answer(speaking, set as never, told)],
    ["too few", () => answer(speaking, questions, { ...told, batchSize: 13 })],
  ] as const)
    await calls.does(`answer with ${what}`, () => taskOf(begin).name);
  calls.approve("train/tasks of masks and answers");
});
