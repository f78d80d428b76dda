import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import * as transforms from "../../../src/data/transforms";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { baselines, classifier, fusion } from "../../../src/models";
import { llama7b } from "../../../src/models/llamaConfig";
import { type DistillOptions, distill } from "../../../src/train/distill";
import { keepingLayers } from "../../../src/train/featureMatches";
import { finetune } from "../../../src/train/finetune";
import { KeptAnswers } from "../../../src/train/teacherAnswers";
import {
  assertRejects,
  assertSameBits,
  assertSameCheckpoint,
  assertThrows,
  finetuning,
  images,
  losses,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyViT,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

/** Wider than the student, with a language model's block behind it. */
function luvitTeacher({ dim = 24, seed = 5, classes = 2 } = {}) {
  const block = baselines.randomBlock({ ...llama7b, dim: 32, heads: 2, hiddenDim: 40 });
  return classifier.create({ encoder: { ...tinyViT, dim }, fusion: fusion.through(block), classes, seed });
}

const features = [{ teacher: "fusion.mapper2", student: "blocks.1" }] as const;
const taught: DistillOptions = { ...finetuning, features, logits: { temperature: 2, weight: 0.5 } };
/** The same images at every visit. */
const plain: DistillOptions = { ...taught, mix: null, dropPath: 0 };

test("the teacher stays as it is to the bit, and the student becomes more like it", async () => {
  const set = await images(transforms.evaluation);
  const [student, teacher] = [tinyClassifier(), luvitTeacher()];
  const before = await teacher.stateDict();
  const options = { ...plain, epochs: 12, labels: { weight: 0 }, out: false } as const;
  const { history } = await distill(student, teacher, set, options).done;
  assertSameBits(await teacher.stateDict(), before);
  const [first, last] = [losses(history)[0], losses(history).at(-1)!];
  assert.ok(last < 0.6 * first, `loss ${first}, in the end ${last}`);
});

test("with weights of 0 distillation is finetuning to the bit", async () => {
  const set = await images(transforms.finetune);
  const [alone, beside] = [tinyClassifier(), tinyClassifier()];
  const emaDecay = 0.9;
  const expected = await finetune(alone, set, { ...finetuning, emaDecay, out: false }).done;
  const nothing = { features: [{ ...features[0], weight: 0 }], logits: { weight: 0 } };
  const found = await distill(beside, luvitTeacher(), set, {
    ...finetuning,
    ...nothing,
    emaDecay,
    out: false,
  }).done;
  assert.deepEqual(losses(found.history), losses(expected.history));
  assertSameBits(await beside.stateDict(), await alone.stateDict());
  assertSameBits(found.averaged!, expected.averaged!);
});

test("a distillation stopped in the middle goes on bit for bit, its map and average too", async () => {
  const set = await images(transforms.finetune);
  const folder = temporaryFolder();
  const start = (out: string, resume = false) =>
    distill(tinyClassifier(), luvitTeacher(), set, {
      ...taught,
      emaDecay: 0.9,
      validation: set,
      out,
      resume,
    });
  const whole = await start(join(folder, "whole")).done;
  const out = join(folder, "stopped");
  await stopAfter(start(out), 1);
  await stopAfter(start(out, true), 4);
  const rest = await start(out, true).done;
  assert.deepEqual(losses(rest.history), losses(whole.history));
  await assertSameCheckpoint(rest.checkpoint, whole.checkpoint);
  const { helpers, model } = await readTrainingCheckpoint(rest.checkpoint!);
  assert.deepEqual([...helpers!.keys()].sort(), ["distill.0.bias", "distill.0.weight"]);
  assert.ok(![...model.keys()].some((path) => /^(distill|teacher)\./.test(path)));
});

test("a run's checkpoint is the student's alone and opens as any classifier", async () => {
  const set = await images(transforms.evaluation);
  const out = join(temporaryFolder(), "run");
  const { model } = await distill(tinyClassifier(), luvitTeacher(), set, { ...plain, out }).done;
  assertSameBits(await (await classifier.open(out)).stateDict(), await model.stateDict());
});

test("nothing is saved beside the model where widths agree", async () => {
  const set = await images(transforms.evaluation);
  const out = join(temporaryFolder(), "run");
  const { checkpoint } = await distill(tinyClassifier(), luvitTeacher({ dim: 16 }), set, { ...plain, out })
    .done;
  assert.equal(existsSync(join(checkpoint!, "helpers.safetensors")), false);
});

test("another teacher, or other weights of the same, cannot take over a run", async () => {
  const set = await images(transforms.evaluation);
  const out = join(temporaryFolder(), "run");
  await stopAfter(distill(tinyClassifier(), luvitTeacher(), set, { ...plain, out }), 2);
  const go = (teacher: ReturnType<typeof luvitTeacher>, more: Partial<DistillOptions> = {}) =>
    distill(tinyClassifier(), teacher, set, { ...plain, ...more, out, resume: true }).done;
  await assertRejects(go(luvitTeacher({ seed: 6 })), "key-mismatch", "teacher.blocks.0.attn.qkv.weight");
  await assertRejects(
    go(luvitTeacher({ seed: 6 }), { cache: true }),
    "key-mismatch",
    "teacher.blocks.0.attn.qkv.weight",
  );
  const logits = { temperature: 3, weight: 0.5 };
  await assertRejects(go(luvitTeacher(), { logits }), "bad-argument", "logits.temperature: was 2, now 3");
});

test("kept answers give the losses that the teacher in the step gives", async () => {
  const set = await images(transforms.evaluation);
  const run = async (cache: boolean) =>
    losses(
      (await distill(tinyClassifier(), luvitTeacher(), set, { ...plain, cache, out: false }).done).history,
    );
  const [kept, asked] = [await run(true), await run(false)];
  assert.equal(kept.length, asked.length);
  for (const [i, loss] of kept.entries()) assert.ok(Math.abs(loss - asked[i]) < 2e-5, `${loss}, ${asked[i]}`);
});

test("cache is refused where images are augmented, with what stands against it", async () => {
  const set = await images(transforms.finetune);
  const go = (options: DistillOptions) => () => distill(tinyClassifier(), luvitTeacher(), set, options);
  assertThrows(
    go({ ...plain, cache: true, out: false }),
    "bad-argument",
    "always the same",
    "leave cache out",
  );
  const all = { ...taught, cache: true, augment: {}, repeatedAugmentation: 3, out: false } as const;
  assertThrows(go(all), "bad-argument", "mix", "augment", "repeatedAugmentation");
});

test("every layer that is not there is named at once, with those that are", async () => {
  const set = await images();
  const wrong = [
    { teacher: "fusion.mapper3", student: "blocks.1" },
    { teacher: "blocks.0", student: "block.1" },
    { teacher: "blocks.7", student: "blocks.9" },
  ];
  assertThrows(
    () => distill(tinyClassifier(), luvitTeacher(), set, { ...plain, features: wrong, out: false }),
    "bad-argument",
    "features[0].teacher: no layer fusion.mapper3; did you mean fusion.mapper",
    "features[1].student: no layer block.1; did you mean blocks.1?",
    "features[2].teacher: no layer blocks.7",
    "features[2].student: no layer blocks.9",
    /The teacher has .*blocks\.0, .*blocks\.1, .*fusion\.mapper1, .*fusion\.block, fusion\.mapper2, .*pooled/,
    /The student has .*blocks\.0, .*blocks\.1, .*pooled/,
  );
});

test("models and layers that do not fit each other are refused with everything that does not", async () => {
  const set = await images();
  const student = tinyClassifier();
  const go =
    (teacher: ReturnType<typeof luvitTeacher>, more: Partial<DistillOptions> = {}) =>
    () =>
      distill(student, teacher, set, { ...plain, ...more, out: false });
  const fine = classifier.create({ encoder: { ...tinyViT, patchSize: 4, imageSize: 16 }, classes: 2 });
  const match = { teacher: "blocks.0", student: "blocks.1" };
  assertThrows(go(fine, { features: [match] }), "bad-argument", "features[0]", "as many tokens");
  const large = classifier.create({ encoder: { ...tinyViT, imageSize: 32 }, classes: 3 });
  assertThrows(go(large), "bad-argument", "the teacher takes 32 px", "3 classes");
  assertThrows(
    go(luvitTeacher(), { features: [{ ...features[0], map: false }] }),
    "bad-argument",
    "24 and 16",
  );
  assertThrows(go(student, { features: [match] }), "bad-argument", "the same model", "cls_token");
});

test("something has to be learned from the teacher", async () => {
  const set = await images();
  const go = (options: DistillOptions) => () => distill(tinyClassifier(), luvitTeacher(), set, options);
  assertThrows(go({ ...finetuning, out: false }), "bad-argument", "features");
  const zeros = { features: [{ ...features[0], weight: 0 }], labels: { weight: 0 } };
  assertThrows(go({ ...finetuning, ...zeros, out: false }), "bad-argument", "labels");
  const hard = { targets: "hard", temperature: 2 } as const;
  assertThrows(go({ ...finetuning, logits: hard, out: false }), "bad-argument", "temperature");
});

test("with a weight of 0 labels may be anything, mixing or not; the student takes its classes from the teacher", async () => {
  const set = await images(transforms.evaluation);
  const foreign = Object.create(set, { classes: { value: ["a", "b", "c"] } }) as ImageDataset;
  for (const options of [plain, taught]) {
    const [student, teacher] = [tinyClassifier(), luvitTeacher()];
    teacher.classNames = ["green", "red"];
    const unlabeled = { ...options, labels: { weight: 0 }, logits: { targets: "hard" }, out: false } as const;
    await distill(student, teacher, foreign, unlabeled).done;
    assert.deepEqual(student.classNames, ["green", "red"]);
  }
  assertThrows(
    () => distill(tinyClassifier(), luvitTeacher(), foreign, { ...plain, out: false }),
    "bad-argument",
    "3 classes",
  );
});

test("op by op gives the losses that one graph gives", async () => {
  const set = await images(transforms.evaluation);
  const run = async (engine: "eager" | "onnxruntime") =>
    losses(
      (await distill(tinyClassifier(), luvitTeacher(), set, { ...taught, engine, out: false }).done).history,
    );
  const [eager, graph] = [await run("eager"), await run("onnxruntime")];
  for (const [i, loss] of graph.entries())
    assert.ok(Math.abs(loss - eager[i]) < 1e-3, `${loss}, ${eager[i]}`);
});

test("answers that would take more than 4 GiB are not kept; those that were not asked for are missed by their image", async () => {
  const teacher = tinyClassifier(3);
  const always = transforms.evaluation(16).preprocessing;
  const match = {
    index: 0,
    teacher: "blocks.0",
    student: "blocks.0",
    weight: 1,
    shape: [5, 16],
    distance: {},
  };
  const keep = (length: number, matches = [match], withLogits = true) =>
    new KeptAnswers(teacher, { length, preprocessing: always } as ImageDataset, matches, withLogits);
  // 82 numbers of each image.
  const most = Math.floor(2 ** 30 / 82);
  keep(most);
  assertThrows(
    () => keep(most + 1),
    "bad-argument",
    "13094413 images x 82 numbers are 4.0 GiB, more than 4",
    "match logits alone",
  );
  keep(most + 1, [match], false);
  keep(most + 1, []);
  const set = await images(transforms.evaluation);
  const kept = new KeptAnswers(teacher, set, [match], true);
  const batch = (...indices: number[]) => ({ indices, paths: indices.map((i) => set.path(i)) }) as never;
  await kept.prepare(5, { engine: "eager" }, { stopped: true });
  assertThrows(
    () => kept.feeds(batch(3)),
    "bad-dataset",
    `no kept answer to ${set.path(3)}`,
    "could not be read",
  );
  await kept.prepare(5, { engine: "eager" }, { stopped: false });
  const { "teacher.logits": logits, "teacher.blocks.0": tokens } = kept.feeds(batch(7, 2));
  assert.deepEqual(
    [logits.shape, tokens.shape],
    [
      [2, 2],
      [2, 5, 16],
    ],
  );
  const layers = new Map<string, Tensor>();
  const image = async (index: number) => tf.tensor((await set.load(index, new Rng(0))).image, [1, 3, 16, 16]);
  for (const [place, index] of [7, 2].entries()) {
    const own = teacher.forward(await image(index), keepingLayers(layers)).dataSync();
    const ownTokens = layers.get("blocks.0")!.dataSync();
    for (const [i, x] of own.entries()) assert.ok(Math.abs(x - logits.data[2 * place + i]) < 1e-5);
    for (const [i, x] of ownTokens.entries()) assert.ok(Math.abs(x - tokens.data[80 * place + i]) < 1e-5);
  }
});
