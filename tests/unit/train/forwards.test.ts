import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, before, mock, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import { imageNetS } from "../../../src/data";
import * as transforms from "../../../src/data/transforms";
import type * as Opening from "../../../src/engine/open";
import { fusion, segmenter } from "../../../src/models";
import type * as Compiling from "../../../src/nn/compile";
import { Linear } from "../../../src/nn/layers";
import { auxiliary } from "../../../src/train/auxiliary";
import { distill } from "../../../src/train/distill";
import { finetune } from "../../../src/train/finetune";
import type { FinetuneOptions } from "../../../src/train/finetuneOptions";
import { openForward } from "../../../src/train/forward";
import { openForwards } from "../../../src/train/forwards";
import type * as Loop from "../../../src/train/loop";
import { segment } from "../../../src/train/segment";
import type { TrainingTask } from "../../../src/train/steps";
import { repository } from "../nn/support";
import { assertRejects, assertThrows, images, tinyClassifier, tinyViT } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));
afterEach(() => mock.restoreAll());

const opening = require("../../../src/engine/open") as typeof Opening;
const compiling = require("../../../src/nn/compile") as typeof Compiling;
const loop = require("../../../src/train/loop") as typeof Loop;

const doubling = () => {
  const model = new Linear(2, 1, new Rng(0));
  const inputs = { x: { shape: [1, 2] } };
  return { model, spec: { inputs, body: ({ x }: Record<string, never>) => ({ y: model.forward(x) }) } };
};

test("a forward function has ended when its dispose says so, and an error of its end is told", async () => {
  const { model, spec } = doubling();
  const real = await compiling.compile("y", { ...spec, model }, { engine: "eager" });
  let ended = 0;
  let fails = false;
  const dispose = async () => {
    await real.dispose();
    await new Promise(setImmediate);
    if (fails) throw new Error("cannot end");
    ended++;
  };
  mock.method(compiling, "compile", async () => Object.assign(Object.create(real), { dispose }));
  await (await openForward("y", model, spec)).dispose();
  assert.equal(ended, 1);
  fails = true;
  await assert.rejects((await openForward("y", model, spec)).dispose(), /cannot end/);
});

test("an engine that cannot be given weights is not left open", async () => {
  const { model, spec } = doubling();
  const open = opening.openEngine;
  for (const broken of ["weights", "kept"]) {
    const disposed: unknown[] = [];
    mock.method(opening, "openEngine", async (...given: Parameters<typeof open>) => {
      const engine = await open(...given);
      const { writeState, dispose } = engine;
      engine.dispose = () => dispose.call(engine).then(() => void disposed.push(broken));
      engine.writeState = async (state) => {
        if (broken === "weights" || "sum" in state) throw new Error(`no ${broken}`);
        return writeState.call(engine, state);
      };
      return engine;
    });
    const functions = { y: { ...spec, kept: { sum: [1] } } };
    await assert.rejects(openForwards(model, functions, { engine: "eager" }), new RegExp(`no ${broken}`));
    assert.deepEqual(disposed, [broken]);
    mock.restoreAll();
  }
});

/** The task that a call begins, which is not run. */
function taskOf(begin: () => unknown): TrainingTask<never> {
  const begun = mock.method(loop, "startRun", () => undefined as never);
  begin();
  const [task] = begun.mock.calls[0].arguments as unknown[];
  begun.mock.restore();
  return task as TrainingTask<never>;
}

const features = [{ teacher: "blocks.1", student: "blocks.1" }] as const;
const told = { epochs: 1, batchSize: 2, lr: 1e-3, out: false } as const;
type Set = Parameters<typeof finetune>[1];

/** Every training of a classifier, with a set to validate with. */
const kinds: Record<string, (set: Set, options: Partial<FinetuneOptions>) => unknown> = {
  finetune: (set, options) => finetune(tinyClassifier(), set, { ...told, ...options }),
  distill: (set, options) =>
    distill(tinyClassifier(), tinyClassifier(3), set, { ...told, features, ...options }),
  "distill, answers kept": (set, options) =>
    distill(tinyClassifier(), tinyClassifier(3), set, {
      ...told,
      features,
      cache: true,
      engine: "eager",
      ...options,
    }),
  "distill without labels": (set, options) =>
    distill(tinyClassifier(), tinyClassifier(3), set, {
      ...told,
      features,
      labels: { weight: 0 },
      ...options,
    }),
  auxiliary: (set, options) =>
    auxiliary(tinyClassifier(), set, { ...told, branch: fusion.mlp(8), ...options }),
};

for (const [name, begin] of Object.entries(kinds))
  test(`images to validate with are looked at before the first step, in every training: ${name}`, async () => {
    const set = await images(transforms.evaluation);
    const validation = (await images(transforms.evaluation)).take(10);
    for (const index of [1, 7]) validation.report.add(validation.path(index), `torn ${index}`);
    const prepare = (options: Partial<FinetuneOptions>) =>
      taskOf(() => begin(set, options)).prepare?.({ stopped: false });
    await assertRejects(
      prepare({ validation })!,
      "bad-dataset",
      "2 of 10 images cannot be read (20 %)",
      "torn 7",
    );
    await prepare({ validation, maxUnreadable: 0.2 });
    await prepare({});
    const more = Object.create(validation, { classes: { value: ["green", "red", "blue"] } }) as Set;
    assertThrows(
      () => begin(set, { validation: more }),
      "bad-argument",
      "the data set has 3 classes, the model's head has 2",
    );
  });

test("a teacher whose classes are in another order than the images' teaches layers, and logits where labels do not count", async () => {
  const set = await images(transforms.evaluation);
  const begin = (options: object) => () => {
    const teacher = tinyClassifier(3);
    teacher.classNames = ["red", "green"];
    return distill(tinyClassifier(), teacher, set, { ...told, ...options });
  };
  const says =
    "distill: the classes are in another order: class 0 is red for the model, green in the data set";
  assertThrows(begin({ logits: {} }), "bad-argument", says);
  assertThrows(begin({ logits: {}, features }), "bad-argument", says);
  for (const options of [
    { features },
    { logits: {}, labels: { weight: 0 } },
    { logits: { weight: 0 }, features },
  ])
    assert.equal(taskOf(begin(options)).name, "distill");
});

test("a model is prepared for as the images to validate with are, or else as those it learns from; where both are drawn, as before", async () => {
  const set = await images(transforms.evaluation);
  const [own, held] = [0.5, 0.8].map((cropRatio) => transforms.evaluation(16, { cropRatio }));
  const drawn = transforms.finetune(16);
  const masks = await imageNetS({ root: join(repository, "data/shapes"), split: "train-semi", patch: 8 });
  for (const [trained, validated, expected] of [
    [own, held, held],
    [own, undefined, own],
    [own, drawn, own],
    [drawn, held, held],
    [drawn, undefined, undefined],
  ] as const) {
    const model = tinyClassifier();
    const before = model.preprocessing;
    const validation = validated && set.withTransform(validated);
    taskOf(() => finetune(model, set.withTransform(trained), { ...told, validation }));
    assert.deepEqual(model.preprocessing, expected?.preprocessing ?? before);
    if (trained === drawn || validated === drawn) continue;
    const other = segmenter.create({ encoder: { ...tinyViT, imageSize: 16 }, classes: 7 });
    const few = masks.subset([0, 1, 10, 11]);
    const more = validated && few.withTransform(validated);
    const task = taskOf(() => segment(other, few.withTransform(trained), { ...told, validation: more }));
    assert.deepEqual([other.preprocessing, other.classNames], [expected!.preprocessing, few.classes]);
    if (!more) continue;
    for (const index of [1, 3]) more.report.add(more.path(index), `torn ${index}`);
    await assertRejects(
      task.prepare!({ stopped: false }),
      "bad-dataset",
      "2 of 4 images cannot be read (50 %)",
    );
    const allowed = { ...told, validation: more, maxUnreadable: 0.5 };
    await taskOf(() => segment(other, few.withTransform(trained), allowed)).prepare!({ stopped: false });
  }
});

test("a student taught without labels takes its classes from its teacher or its validation, and looks at no label", async () => {
  const set = await images(transforms.evaluation);
  const foreign = Object.create(set, { classes: { value: ["x", "y"] } }) as Set;
  const unlabeled = { ...told, features, labels: { weight: 0 } } as const;
  for (const [options, expected] of [
    [{}, undefined],
    [{ validation: set }, ["green", "red"]],
    [{ logits: {} }, ["red", "green"]],
    [{ logits: {}, validation: set }, ["green", "red"]],
  ] as const) {
    const [student, teacher] = [tinyClassifier(), tinyClassifier(3)];
    teacher.classNames = ["red", "green"];
    const task = taskOf(() => distill(student, teacher, foreign, { ...unlabeled, ...options }));
    assert.deepEqual(student.classNames, expected);
    const batch = { images: new Float32Array(2 * 768), labels: Int32Array.of(7, -1), indices: [0, 1] };
    assert.deepEqual(Object.keys(task.feeds(batch as never, 0)), ["images", "dropPath"]);
  }
});
