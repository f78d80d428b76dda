import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, type TestContext, test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { LuvitError } from "../../../src/core/errors";
import { transforms } from "../../../src/data";
import { tableOf } from "../../../src/io/tables";
import { classifier, mae, segmenter } from "../../../src/models";
import { repository } from "../io/support";
import { temporaryFolder, writeImages } from "../train/support";
import { encoder } from "./support";

import detecting = require("../../../src/train/detection/detect");
import distilling = require("../../../src/train/distill");
import evaluatingDetectors = require("../../../src/analysis/detection/evaluateDetector");
import finetuning = require("../../../src/train/finetune");
import lookingAtMasks = require("../../../src/analysis/pseudoMaskIou");
import lookingAtShares = require("../../../src/analysis/entropyShares");
import pretraining = require("../../../src/train/pretrain");
import recipes = require("../../../src/train/recipes");
import scoring = require("../../../src/analysis/segmentation/evaluate");
import segmenting = require("../../../src/train/segment");
import suites = require("../../../src/analysis/suite/suite");

/*
 * What a configuration and the words beside it say reaches the function that does the work, entry by entry. That function
 * is not run: it notes what it is handed.
 */

const folder = temporaryFolder();
const here = (name: string) => join(folder, name);
/** What `--out` names lies where the command is called, not beside the file. */
const elsewhere = relative(process.cwd(), here("elsewhere"));
const shapes = join(repository, "data", "shapes");
const decoder = { dim: 8, depth: 1, heads: 2, mlpRatio: 3 };
const engine = { engine: "eager", threads: 1 };
const held = { images: join(shapes, "val"), masks: join(shapes, "segmentation", "validation") };

before(async () => {
  await writeImages(here("images"));
  await mae.create({ encoder, decoder, seed: 3 }).save(here("mae"));
  const tuned = classifier.create({ encoder, classes: 2, seed: 4 });
  await Object.assign(tuned, { classNames: ["green", "red"] }).save(here("tuned"));
  await classifier.create({ encoder, classes: 5, seed: 4 }).save(here("wide"));
  const parts = segmenter.create({ encoder: { ...encoder, imageSize: 32 }, classes: 3, seed: 5 });
  await parts.save(here("parts"));
});

/** What a function of the library is handed: models, sets, options. */
type Loose = ReturnType<typeof JSON.parse>;

type Handed = { model: Loose; images: Loose; options: Loose; given: Loose[] };

/** What a command hands to the function of that name, and what it says until then. */
async function handed<Name extends string>(
  t: TestContext,
  module: Record<Name, unknown>,
  name: Name,
  words: readonly string[],
  config: object,
): Promise<Handed & { said: string }> {
  const calls: Loose[][] = [];
  const mocked = t.mock.method(
    module as Record<Name, () => unknown>,
    name as never,
    ((...given: Loose[]) => {
      calls.push(given);
      throw new LuvitError("interrupted", "noted");
    }) as never,
  ) as unknown as { mock: { restore(): void } };
  writeFileSync(here("run.json"), JSON.stringify(config));
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main([...words, "--config", here("run.json")], { print: hear, complain: hear });
  mocked.mock.restore();
  assert.equal(calls.length, 1, said.join("\n"));
  assert.deepEqual([status, said.at(-1)], [1, "luvit: noted"]);
  const [[model, images, options]] = calls;
  return { model, images, options, given: calls[0], said: said.join("\n") };
}

/** Entries of what was handed on, under the names of what was asked for. */
const likeIn = (handedOn: Record<string, unknown>, asked: object) =>
  Object.fromEntries(Object.keys(asked).map((key) => [key, handedOn[key]]));

const trained = {
  epochs: 3,
  batchSize: 2,
  accumulate: 2,
  lr: 3e-4,
  minLr: 1e-6,
  warmupEpochs: 1,
  warmupLr: 1e-5,
  cooldownEpochs: 2,
  weightDecay: 0.03,
  betas: [0.8, 0.97],
  clipGradNorm: 2,
  seed: 11,
  checkpointEvery: 2,
  maxUnreadable: 0.25,
  keepCheckpoints: 4,
  sums: "bfloat16",
};
const tuned = { ...trained, layerDecay: 0.7, dropPath: 0.2, emaDecay: 0.9 };

test("pretraining is handed its options, engine, folder, model and images as the file says them", async (t) => {
  const config = {
    model: { encoder, decoder, maskRatio: 0.5, normPixLoss: false, seed: 5 },
    data: { train: { path: "images", take: 7 } },
    recipe: "pretrainMae",
    options: trained,
    engine: { ...engine, memory: "recompute" },
    out: "out-pretrain",
  };
  const { model, images, options, said } = await handed(t, pretraining, "pretrain", ["pretrain"], config);
  assert.deepEqual(likeIn(options, trained), trained);
  assert.deepEqual(likeIn(options, config.engine), config.engine);
  assert.deepEqual([options.out, options.resume], [here("out-pretrain"), false]);
  assert.equal(options.recipe, recipes.pretrainMae.recipe);
  assert.equal(options.baseLr, undefined, "the recipe's rate gives way");
  assert.equal(images.length, 7);
  assert.deepEqual(images.transform.spec, transforms.mae(encoder.imageSize).spec);
  const { maskRatio, normPixLoss } = model;
  assert.deepEqual([maskRatio, normPixLoss, { ...model.decoder }], [0.5, false, decoder]);
  assert.match(said, /recipe pretrainMae /);
  const words = ["pretrain", "--out", elsewhere, "--seed", "12", "--resume"];
  const asked = await handed(t, pretraining, "pretrain", words, config);
  const { out, seed, resume } = asked.options;
  assert.deepEqual([out, seed, resume], [elsewhere, 12, true]);
});

test("finetuning is handed them too, and distilling the model that teaches", async (t) => {
  const config = {
    model: { encoder, classes: 5, pooling: "cls", seed: 6 },
    data: { train: { path: "images", take: 8 }, validation: { path: "images", take: 3 } },
    recipe: "finetuneMae",
    options: tuned,
    engine,
    out: "out-finetune",
  };
  const finetuned = await handed(t, finetuning, "finetune", ["finetune"], config);
  const distilled = await handed(t, distilling, "distill", ["distill"], {
    ...config,
    model: { encoder, pooling: "cls", classes: 2 },
    teacher: { weights: "tuned" },
    recipe: "distillLuvit",
  });
  const [student, teacher, images, options] = distilled.given;
  for (const [name, one] of Object.entries({
    finetune: finetuned,
    distill: { model: student, images, options },
  })) {
    assert.deepEqual(likeIn(one.options, tuned), tuned, name);
    assert.deepEqual(likeIn(one.options, engine), engine, name);
    assert.deepEqual([one.options.out, one.options.resume], [here("out-finetune"), false], name);
    assert.deepEqual([one.images.length, one.options.validation.length], [8, 3], name);
    assert.deepEqual(one.images.transform.spec, transforms.finetune(encoder.imageSize).spec, name);
    const { transform } = one.options.validation;
    assert.deepEqual(transform.spec, transforms.evaluation(encoder.imageSize).spec, name);
    assert.equal(one.model.pooling, "cls", name);
  }
  assert.deepEqual([finetuned.model.classes, student.classes, teacher.classes], [5, 2, 2]);
  assert.equal(finetuned.options.recipe, recipes.finetuneMae.recipe);
  assert.equal(options.recipe, recipes.distillLuvit.recipe);
  assert.ok(distilled.said.includes(`teacher: ${teacher}`));
  const onMae = { ...config, model: { pretrained: "mae" } };
  const bySet = await handed(t, finetuning, "finetune", ["finetune"], onMae);
  const byTeacher = await handed(t, distilling, "distill", ["distill"], {
    ...onMae,
    teacher: { weights: "wide" },
    recipe: "distillLuvit",
  });
  const heads = [bySet.model.classes, byTeacher.model.classes, bySet.images.classes.length];
  assert.deepEqual(heads, [2, 5, 2], "a head is for the classes of the images, or of the teacher");
  const words = ["--out", elsewhere, "--seed", "12", "--resume"];
  const again = await handed(t, finetuning, "finetune", ["finetune", ...words], config);
  const { out, seed, resume } = again.options;
  assert.deepEqual([out, seed, resume], [elsewhere, 12, true]);
});

test("a segmenter is trained and scored as the file says", async (t) => {
  const { emaDecay: _, ...known } = tuned;
  const config = {
    model: { encoder: { ...encoder, imageSize: 32 }, frozen: true, seed: 5 },
    data: { train: { ...held, take: 6 }, validation: { ...held, take: 4 } },
    recipe: "segmentSsl",
    options: { ...known, augment: false },
    engine,
    out: "out-segment",
  };
  const { model, images, options } = await handed(t, segmenting, "segment", ["segment"], config);
  assert.deepEqual(likeIn(options, config.options), config.options);
  assert.deepEqual(likeIn(options, engine), engine);
  assert.deepEqual([options.out, options.resume], [here("out-segment"), false]);
  assert.deepEqual([images.length, options.validation.length], [6, 4]);
  assert.equal(options.recipe, recipes.segmentSsl.recipe);
  assert.equal(model.classes, images.classes.length + 1, "other among them");
  const head = model.classes * (encoder.dim + 1);
  assert.equal(model.counts().trainable, head, "only the head is trained");
  for (const set of [images, options.validation])
    assert.deepEqual(set.transform.spec, transforms.evaluation(32).spec);

  const evaluation = {
    model: { weights: "parts", name: "ours" },
    data: { some: { ...held, take: 5 } },
    ...{ protocol: "square", shorterSide: 40, batchSize: 3, recipe: "mine", seed: 9 },
    engine,
    out: "out-scores",
  };
  const evaluate = ["segment", "evaluate"];
  const scored = await handed(t, scoring, "segmentation", [...evaluate, "--shard", "2/3"], evaluation);
  assert.equal(scored.images.length, 5);
  const { signal, ...rest } = scored.options;
  assert.ok(signal instanceof AbortSignal);
  assert.deepEqual(rest, {
    ...engine,
    ...{ protocol: "square", shorterSide: 40, batchSize: 3, recipe: "mine", seed: 9 },
    ...{ model: "ours", data: "some", out: join(here("out-scores"), "some"), shard: { index: 2, count: 3 } },
  });
  const words = ["--seed", "12", "--out", elsewhere];
  const { seed, out, shard } = (await handed(t, scoring, "segmentation", [...evaluate, ...words], evaluation))
    .options;
  assert.deepEqual([seed, out, shard], [12, join(elsewhere, "some"), undefined]);
});

test("a detector is trained and evaluated as the file says", async (t) => {
  const root = join(shapes, "coco");
  const known = { epochs: 3, batchSize: 2, lr: 3e-4, weightDecay: 0.03, seed: 11, keepCheckpoints: 4 };
  const config = {
    model: { preset: "toy", masks: false, seed: 5 },
    data: {
      train: { root, part: "train", take: 6 },
      validation: { root, part: "val", take: 3 },
      scale: [0.5, 1.5],
    },
    recipe: "coco",
    options: known,
    engine,
    out: "out-detect",
  };
  const { model, images, options } = await handed(t, detecting, "detect", ["detect"], config);
  assert.deepEqual(likeIn(options, known), known);
  assert.deepEqual(likeIn(options, engine), engine);
  assert.deepEqual([options.out, options.resume], [here("out-detect"), false]);
  assert.deepEqual([images.length, options.validation.length], [6, 3]);
  const side = model.settings.encoder.imageSize;
  assert.deepEqual(images.transform.spec, transforms.largeScaleJitter(side, { scale: [0.5, 1.5] }).spec);
  assert.deepEqual(options.validation.transform.spec, transforms.fitSquare(side).spec);
  assert.equal(model.settings.masks, false);
  assert.deepEqual(model.classNames, images.classes);
  await model.save(here("detector"));

  const evaluation = {
    model: { weights: "detector", name: "ours" },
    data: { root, part: "val", take: 4 },
    ...{ recipe: "mine", seed: 9 },
    engine,
    out: "out-found",
  };
  const evaluate = ["detect", "evaluate"];
  const found = await handed(
    t,
    evaluatingDetectors,
    "evaluateDetector",
    [...evaluate, "--shard", "2/3"],
    evaluation,
  );
  const { signal, ...rest } = found.options;
  assert.ok(signal instanceof AbortSignal);
  assert.equal(found.images.length, 4);
  assert.deepEqual(rest, {
    ...engine,
    ...{ model: "ours", recipe: "mine", seed: 9, out: here("out-found"), shard: { index: 2, count: 3 } },
  });
  const words = ["--seed", "12", "--out", elsewhere];
  const again = await handed(t, evaluatingDetectors, "evaluateDetector", [...evaluate, ...words], evaluation);
  assert.deepEqual([again.options.seed, again.options.out], [12, elsewhere]);
});

test("evaluation and entropy are handed the model, its name, the sets, and how to run", async (t) => {
  const common = {
    model: { weights: "tuned", name: "ours" },
    ...{ recipe: "mine", seed: 9, batchSize: 3 },
    engine,
  };
  const about = { ...engine, model: "ours", recipe: "mine", seed: 9, batchSize: 3 };
  const evaluation = { ...common, data: { own: { a: "images", b: "images" } }, out: "out-suite" };
  const evaluated = await handed(t, suites, "suite", ["evaluate", "--shard", "2/3"], evaluation);
  const { signal, ...rest } = evaluated.options;
  assert.ok(signal instanceof AbortSignal);
  assert.deepEqual(rest, { ...about, out: here("out-suite"), shard: { index: 2, count: 3 } });
  assert.deepEqual(Object.keys(evaluated.images.own), ["a", "b"]);
  assert.equal(evaluated.model.classes, 2);

  const looking = { ...common, data: { some: held }, layer: "blocks.0", out: "out-entropy" };
  const shares = await handed(t, lookingAtShares, "entropyShares", ["entropy", "--shard", "2/3"], looking);
  const { signal: stop, ...options } = shares.options;
  assert.ok(stop instanceof AbortSignal);
  const shard = { index: 2, count: 3 };
  assert.deepEqual(options, { ...about, layer: "blocks.0", out: here("out-entropy"), shard });
  assert.deepEqual(Object.keys(shares.images), ["some"]);
  const words = ["entropy", "--seed", "12", "--out", elsewhere];
  const again = await handed(t, lookingAtShares, "entropyShares", words, looking);
  assert.deepEqual([again.options.seed, again.options.out], [12, elsewhere]);
});

test("pseudo-masks are looked at behind the shares of each set, unless a file says no or the shares were stopped", async (t) => {
  const config = {
    model: { weights: "tuned", name: "ours" },
    data: { one: held, two: held },
    ...{ batchSize: 3, layer: "blocks.0" },
    engine,
    out: "out-masks",
  };
  const table = tableOf({ a: [1, 2] });
  const looked: string[] = [];
  let isComplete = true;
  let unfinished = "";
  t.mock.method(
    lookingAtShares,
    "entropyShares",
    async (_: unknown, sets: object, { out }: { out: string }) => {
      looked.push(`shares of ${Object.keys(sets)} into ${out}`);
      return { complete: isComplete, table };
    },
  );
  t.mock.method(lookingAtMasks, "pseudoMaskIou", async (...[, , options]: [unknown, unknown, Loose]) => {
    const { data, out, layer, batchSize, model } = options;
    looked.push(`masks of ${data} into ${out}, ${layer}, ${batchSize}, ${model}`);
    return { complete: isComplete && data !== unfinished };
  });
  const run = async (more: object, ...words: string[]) => {
    looked.length = 0;
    writeFileSync(here("run.json"), JSON.stringify({ ...config, ...more }));
    const said: string[] = [];
    const hear = (line: string) => void said.push(line);
    const status = await main(["entropy", "--config", here("run.json"), ...words], {
      print: hear,
      complain: hear,
    });
    return [status, looked.slice(), said.join("\n")] as const;
  };
  const out = here("out-masks");
  const shares = (name: string) => `shares of ${name} into ${out}`;
  const masks = (name: string) => `masks of ${name} into ${join(out, name)}, blocks.0, 3, ours`;
  const [status, all] = await run({});
  assert.deepEqual([status, all], [0, [shares("one"), masks("one"), shares("two"), masks("two")]]);
  const lines = readFileSync(join(out, "two", "entropy.jsonl"), "utf8");
  assert.equal(lines, '{"a":1}\n{"a":2}\n');
  rmSync(out, { recursive: true });
  const [, sharded, said] = await run({ pseudoMasks: false }, "--shard", "1/2");
  assert.deepEqual(sharded, [shares("one"), shares("two")]);
  assert.match(said, /shard 1\/2 alone\n.*luvit entropy --config [^ ]*run\.json\ndone/);
  assert.ok(!existsSync(out), "a shard's numbers are not the set's");
  const goOn = /stopped; what was computed is kept\. Go on with: luvit entropy --config [^ ]*run\.json$/;
  for (const [at, name] of ["one", "two"].entries()) {
    unfinished = name;
    const [ended, until, words] = await run({});
    assert.deepEqual([ended, until], [130, all.slice(0, 2 * at + 2)]);
    assert.match(words, goOn);
    assert.deepEqual(
      existsSync(join(out, name)),
      false,
      "of a set that is not at its end nothing is written",
    );
  }
  isComplete = false;
  const [stopped, first, rest] = await run({});
  assert.deepEqual([stopped, first], [130, [shares("one")]]);
  assert.match(rest, goOn);
});
