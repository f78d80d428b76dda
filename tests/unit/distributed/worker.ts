/*
 * node worker.js <task> <engine> <folder or -> <resume> [accident]: one worker of a toy run. Prints, each from every
 * worker: "loss <step> <loss>", after an epoch "<metric> <step> <number>", and at the end "weights <hash>".
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as luvit from "../../../src";
import { packageRoot } from "../../../src/core/packageRoot";
import { placeIn } from "../../../src/distributed/place";
import { leaveWorkers } from "../../../src/engine";
import type { Module } from "../../../src/nn/module";
import type { Run } from "../../../src/train/run";

const { classifier, data, detector, llama, llavit, lora, mae, recipes, segmenter, train, vit } = luvit;
const [, , task, engine, folder, resume, accident] = process.argv;
const shapes = join(packageRoot(), "data", "shapes");
const { rank, size } = placeIn();

async function fusion() {
  const block = await llama.loadBlock(join(packageRoot(), "data", "llama-toy"), { block: 4 });
  lora.attach(block, { rank: 4, seed: 1 });
  return block;
}

/** With accident "nan" the last worker comes to pixels that are no numbers after some steps. */
function maeTransform(): luvit.data.ImageTransform {
  const usual = data.transforms.mae(64);
  if (accident !== "nan" || rank !== size - 1) return usual;
  let images = 0;
  const apply: typeof usual.apply = (image, rng) =>
    ++images > 200 ? new Float32Array(3 * 64 * 64).fill(Number.NaN) : usual.apply(image, rng);
  return { name: "poisoned", size: 64, apply };
}

const wish = { engine: engine as "onnxruntime", threads: 1 };
const out = folder === "-" ? (false as const) : folder;
const common = { ...wish, out, resume: resume === "resume", seed: 3 };

/** Runs of a few steps, with a validation where there is one. */
const short = { ...common, epochs: 1, warmupEpochs: 0, accumulate: 4 };
const others: Readonly<Record<string, () => Promise<unknown>>> = {
  async distill() {
    const [training, validation] = await Promise.all(
      (["train", "val"] as const).map((part) =>
        data.imageFolder(join(shapes, part), { transform: data.transforms.evaluation(64) }),
      ),
    );
    const teacher = classifier.create({ encoder: vit.toy, fusion: await fusion(), classes: 6, seed: 5 });
    const student = classifier.create({ encoder: vit.toy, classes: 6, seed: rank });
    const options = { ...recipes.distillToy, ...short, augment: undefined, mix: null };
    const sets = { validation: validation.take(21), batchSize: 8 };
    return train.distill(student, teacher, training.take(96), { ...options, ...sets });
  },
  async segment() {
    const how = { patch: 8, transform: data.transforms.evaluation(64) };
    const training = await data.imageNetS({ root: shapes, split: "train-semi", ...how });
    const held = { images: join(shapes, "val"), masks: join(shapes, "segmentation", "validation") };
    const validation = await data.imageNetS({ ...held, ...how });
    const model = segmenter.create({ encoder: vit.toy, classes: training.classes.length + 1, seed: rank });
    const sets = { validation: validation.take(7), batchSize: 2, augment: false };
    return train.segment(model, training.take(24), { ...recipes.segmentToy, ...short, ...sets });
  },
  async answer() {
    const language = await llavit.languageModel(join(packageRoot(), "data", "llama-toy"));
    const tower = mae.create({ encoder: vit.toy, decoder: mae.decoderToy, seed: 5 });
    const model = await llavit.create({ tower, language, seed: rank });
    return train.answer(model, data.toy.questions(1, 48), { ...short, batchSize: 4, lr: 1e-3 });
  },
};

async function start(): Promise<Run<Module>> {
  if (others[task]) return (await others[task]()) as Run<Module>;
  if (task === "detect") {
    const transform = data.transforms.largeScaleJitter(96, { scale: [0.8, 1.25] });
    const scenes = (await data.coco({ root: join(shapes, "coco"), part: "train", transform })).take(80);
    const model = detector.create({ ...detector.toy, classes: scenes.classes.length, seed: rank });
    // At the recipe's own rate a difference of rounding decides another choice of boxes within these steps.
    const options = { ...recipes.detectToy, ...common, lr: 1e-4, epochs: 1, batchSize: 1, accumulate: 4 };
    return train.detect(model, scenes, options) as unknown as Run<Module>;
  }
  const transform = task === "finetune" ? data.transforms.finetune(64) : maeTransform();
  const images = (await data.imageFolder(join(shapes, "train"), { transform })).take(128);
  const options = {
    ...common,
    epochs: accident === "long" ? 1000 : 5,
    batchSize: 8,
    accumulate: 4,
    checkpointEvery: 1,
  };
  // Each worker begins with weights of its own: the first one's are to be taken by all.
  if (task === "finetune") {
    const model = classifier.create({ encoder: vit.toy, fusion: await fusion(), classes: 6, seed: rank });
    return train.finetune(model, images, { ...recipes.finetuneToy, ...options }) as unknown as Run<Module>;
  }
  const model = mae.create({ encoder: vit.toy, fusion: await fusion(), decoder: mae.decoderToy, seed: rank });
  const run = train.pretrain(model, images, { ...recipes.pretrainToy, ...options });
  return run as unknown as Run<Module>;
}

async function main(): Promise<void> {
  if (task === "distill") await luvit.ready(wish); // its layers are looked at before the run
  const run = await start();
  run.onRecord(({ step, loss, epoch: _, lr: __, imagesPerSecond: ___, ...metrics }) => {
    for (const [name, value] of Object.entries({ loss, ...metrics })) console.log(`${name} ${step} ${value}`);
  });
  const { model, stopped } = await run.done;
  const hash = createHash("sha256");
  const all: Float32Array[] = [];
  for (const [path, parameter] of model.namedParameters()) {
    const numbers = Float32Array.from(await parameter.value.data());
    hash.update(path).update(new Uint8Array(numbers.buffer));
    if (parameter.trainable) all.push(numbers);
  }
  if (rank === 0 && accident?.startsWith("/"))
    writeFileSync(accident, Buffer.concat(all.map((numbers) => Buffer.from(numbers.buffer))));
  console.log(`weights ${hash.digest("hex").slice(0, 16)}${stopped ? " stopped" : ""}`);
  await leaveWorkers();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(`worker ${rank + 1} of ${size}: ${error.message}`);
    process.exit(1);
  },
);
