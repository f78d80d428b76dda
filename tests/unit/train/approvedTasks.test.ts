import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import { transforms } from "../../../src/data";
import { mae } from "../../../src/models";
import { finetune } from "../../../src/train/finetune";
import { maskFeeds, pretrain } from "../../../src/train/pretrain";
import { Calls } from "../../support/calls";
import { batchOf, described, fedOf, rulesOf, step, taskOf, told } from "./describedTasks";
import { images, tinyClassifier, tinyDecoder, tinyMae, tinyViT } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

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
    calls.note(`finetune ${JSON.stringify(names)}`, described(task));
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
    calls.note(`pretrain, ${what}`, described(task));
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
  calls.note("pretrain, taught", described(taught));
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
