import { join } from "node:path";
import * as luvit from "../src";
import { packageRoot } from "../src/core/packageRoot";
import type { MaskedAutoencoder } from "../src/models/mae";
import type { Module } from "../src/nn/module";
import type { Run } from "../src/train/run";
import { type Measure, Stopped, type Study, type StudySize, type Trial } from "./core/study";

const { benchmark, coco, data, detector, llama, lora, mae, recipes, segmenter, train } = luvit;
const shapes = join(packageRoot(), "data", "shapes");
const { encoder, ...heads } = detector.toy;
const PRETRAINING_EPOCHS = 6;
const SEGMENT_EPOCHS = 20;
/** Models are so small that a second thread mostly waits for the first. */
const ENGINE = { threads: 1 } as const;

const variants = ["ViT", "LUViT"] as const;
type Variant = (typeof variants)[number];

/** Trains to the end, or as far as a stop lets it. */
async function trained<M extends Module>(run: Run<M>): Promise<M> {
  const { stopped, model } = await run.done;
  if (stopped) throw new Stopped();
  return model;
}

/** The language model's block is the same for every seed; LoRA and mappers begin anew. */
async function pretrained(variant: Variant, seed: number, out: string): Promise<MaskedAutoencoder> {
  const block =
    variant === "LUViT"
      ? await llama.loadBlock(join(packageRoot(), "data", "llama-toy"), { block: 4 })
      : undefined;
  if (block) lora.attach(block, { rank: 4, seed });
  const model = mae.create({ encoder, fusion: block, decoder: mae.decoderToy, seed });
  const transform = data.transforms.mae(encoder.imageSize);
  const images = await data.imageFolder(join(shapes, "train"), { transform });
  const options = { ...recipes.pretrainToy, ...ENGINE, epochs: PRETRAINING_EPOCHS, seed, out, resume: true };
  return trained(train.pretrain(model, images, options));
}

/** What and where: boxes and masks of drawn scenes. */
async function detected(
  variant: Variant,
  start: MaskedAutoencoder,
  { seed, epochs, out }: { seed: number; epochs: number; out: string },
): Promise<Measure[]> {
  const { imageSize } = encoder;
  const jitter = data.transforms.largeScaleJitter(imageSize, { scale: [0.8, 1.25] });
  const scenes = (part: string, transform: typeof jitter) =>
    data.coco({ root: join(shapes, "coco"), part, transform });
  const images = await scenes("train", jitter);
  const held = await scenes("val", data.transforms.fitSquare(imageSize));
  const model = await detector.fromPretrained(start, { ...heads, classes: images.classes.length, seed });
  const options = { ...recipes.detectToy, ...ENGINE, epochs, seed, out, resume: true };
  await trained(train.detect(model, images, options));
  const { boxes, masks, results } = await coco.evaluateDetector(model, held, { ...ENGINE, seed });
  const { gain } = await coco.errorsByKind(held.truth, results);
  model.dispose();
  const percent = (metric: string, share: number): Measure => ({ variant, metric, value: 100 * share });
  return [
    percent("AP of boxes (%)", boxes!.summary.AP),
    percent("AP50 of boxes (%)", boxes!.summary.AP50),
    percent("AP of masks (%)", masks!.summary.AP),
    percent("AP50 of masks (%)", masks!.summary.AP50),
    ...Object.entries(gain).map(([kind, share]) => percent(`AP50 lost, ${kind} (points)`, share)),
  ];
}

/** A class for every pixel, learned from ten images of each class. */
async function segmented(
  variant: Variant,
  start: MaskedAutoencoder,
  { seed, out }: { seed: number; out: string },
): Promise<Measure[]> {
  const { imageSize, patchSize: patch } = encoder;
  const semi = await data.imageNetS({
    root: shapes,
    split: "train-semi",
    patch,
    transform: data.transforms.segment(imageSize),
  });
  const held = await data.imageNetS({
    images: join(shapes, "val"),
    masks: join(shapes, "segmentation", "validation"),
    patch,
    transform: data.transforms.none(imageSize),
  });
  const model = await segmenter.fromPretrained(start, { classes: semi.classes.length + 1, seed });
  const options = { ...recipes.segmentToy, ...ENGINE, epochs: SEGMENT_EPOCHS, seed, out, resume: true };
  await trained(train.segment(model, semi, options));
  const { summary } = await benchmark.segmentation(model, held, ENGINE);
  model.dispose();
  return [
    { variant, metric: "mIoU (%)", value: summary.mIoU },
    { variant, metric: "F of object and other (%)", value: summary.F },
  ];
}

function trial(variant: Variant, seed: number, { epochs }: StudySize): Trial {
  return {
    name: `${variant}-${seed}`,
    seed,
    run: async (folder) => {
      const start = await pretrained(variant, seed, join(folder, "pretrain"));
      const found = await detected(variant, start, { seed, epochs, out: join(folder, "detect") });
      const drawn = await segmented(variant, start, { seed, out: join(folder, "segment") });
      start.dispose();
      return [...found, ...drawn];
    },
  };
}

/**
 * Does a language model's block help where and what? ViT and LUViT, pretrained in the same way from every seed, each made
 * a detector and a segmenter.
 */
export const detectStudy: Study = {
  name: "detect",
  size: { seeds: 5, epochs: 8 },
  baseline: "ViT",
  trials: (size) =>
    Array.from({ length: size.seeds }, (_, seed) => variants.map((one) => trial(one, seed, size))).flat(),
};
