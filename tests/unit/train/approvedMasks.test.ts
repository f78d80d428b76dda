import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { imageNetS, toy, transforms } from "../../../src/data";
import { classifier, llavit, segmenter, vit } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { answer } from "../../../src/train/answer";
import type { Feeds } from "../../../src/train/feeds";
import { roomFor } from "../../../src/train/questions";
import { segment } from "../../../src/train/segment";
import { squareIoU, squareLogits } from "../../../src/train/squareIoU";
import { Calls } from "../../support/calls";
import { repository } from "../nn/support";
import { batchOf, described, rulesOf, step, taskOf, told } from "./describedTasks";
import { tinyViT } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

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
      described(task),
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
    calls.note(`answer ${JSON.stringify(options)}`, described(task));
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
