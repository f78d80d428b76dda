import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { transforms } from "../../../src/data";
import { baselines, classifier, fusion } from "../../../src/models";
import { llama7b } from "../../../src/models/llamaConfig";
import { auxiliary } from "../../../src/train/auxiliary";
import { distill } from "../../../src/train/distill";
import { keepingLayers, settleMatches } from "../../../src/train/featureMatches";
import { KeptAnswers } from "../../../src/train/teacherAnswers";
import { Calls } from "../../support/calls";
import { batchOf, described, fedOf, rulesOf, step, taskOf, told } from "./describedTasks";
import { images, tinyClassifier, tinyViT } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

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
    calls.note(`distill ${JSON.stringify(options)}`, described(task));
    calls.note(
      "  trained beside the student",
      rulesOf(task).filter((line) => line.startsWith("distill")),
    );
    calls.note("  learnt", student.classNames);
    await step(calls, "step", task, batchOf(16));
  }
  const named = Object.assign(tinyClassifier(), { classNames: ["own", "names"] });
  const unlabeled = { ...told, logits: {}, labels: { weight: 0 } };
  taskOf(() => distill(named, Object.assign(teacherOf(), { classNames: ["a", "b"] }), set, unlabeled));
  const unnamed = tinyClassifier();
  taskOf(() => distill(unnamed, Object.assign(teacherOf(), { classNames: ["a", "b"] }), set, unlabeled));
  calls.note("names without labels", [named.classNames, unnamed.classNames]);
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
      described(task),
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
