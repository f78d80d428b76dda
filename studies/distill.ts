import { join } from "node:path";
import * as luvit from "../src";
import { packageRoot } from "../src/core/packageRoot";
import type { Classifier } from "../src/models/classifier";
import type { Measure, Study, StudySize, Trial } from "./core/study";
import { trained } from "./core/trained";

const { analysis, classifier, data, llama, lora, recipes, train, vit } = luvit;
const CLASSES = 6;
const shapes = join(packageRoot(), "data", "shapes");

/** The language model's block is the same for every seed; LoRA and mappers begin anew. */
async function luvitModel(seed: number): Promise<Classifier> {
  const block = await llama.loadBlock(join(packageRoot(), "data", "llama-toy"), { block: 4 });
  lora.attach(block, { rank: 4, seed });
  const fusion = luvit.fusion.through(block, { seed });
  return classifier.create({ encoder: vit.toy, fusion, classes: CLASSES, seed });
}

const plainModel = (seed: number) => classifier.create({ encoder: vit.toy, classes: CLASSES, seed });

async function measured(variant: string, model: Classifier, seed: number): Promise<Measure[]> {
  const transform = data.transforms.none(64);
  const val = await data.imageFolder(join(shapes, "val"), { transform });
  const split = (name: "original" | "mixed_same" | "mixed_rand") =>
    data.imageNet9(join(shapes, "in9"), name, { transform });
  const masked = await data.imageNetS({
    images: join(shapes, "val"),
    masks: join(shapes, "segmentation", "validation"),
    patch: 8,
    transform,
  });
  const { top1 } = await train.evaluate(model, val);
  const { backgroundGap } = await analysis.backgroundReliance(model, {
    original: await split("original"),
    mixed_same: await split("mixed_same"),
    mixed_rand: await split("mixed_rand"),
  });
  const { shares } = await analysis.entropyShares(model, { val: masked });
  const signal = await analysis.gradientSignal(model, val, { groups: 150, seed });
  const whole = { variant };
  return [
    { ...whole, metric: "top-1 (%)", value: top1 },
    { ...whole, metric: "background gap (points)", value: backgroundGap },
    {
      ...whole,
      metric: "background entropy above (% of images)",
      value: shares.val.percentBackgroundGreater,
    },
    { ...whole, metric: "time per image (ms)", value: await millisecondsPerImage(model) },
    { ...whole, metric: "parameters (M)", value: model.counts().total / 1e6 },
    ...signal.layers.map(({ layer, gsnr }) => ({ variant, metric: "gradient signal", layer, value: gsnr })),
  ];
}

/** Median over batches of 16, as one graph. */
async function millisecondsPerImage(model: Classifier): Promise<number> {
  const [batch, side] = [16, model.encoder.config.imageSize];
  const forward = await luvit.compile("time", {
    model,
    inputs: { images: { shape: [batch, 3, side, side] } },
    body: ({ images }) => ({ logits: model.forward(images) }),
  });
  const images = new Float32Array(batch * 3 * side * side);
  const times: number[] = [];
  for (let i = 0; i < 40; i++) {
    const started = performance.now();
    await forward.run({ images });
    if (i >= 5) times.push((performance.now() - started) / batch);
  }
  await forward.dispose();
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}

function trialsOf(seed: number, { epochs }: StudySize): Trial[] {
  const common = { seed, resume: true, epochs };
  const images = () => data.imageFolder(join(shapes, "train"), { transform: data.transforms.finetune(64) });
  const finetuned = async (model: Classifier, out: string, factor = 1) =>
    trained(
      train.finetune(model, await images(), {
        ...recipes.finetuneToy,
        ...common,
        epochs: factor * epochs,
        out,
      }),
    );
  const trial = (variant: string, train: (folder: string) => Promise<Classifier>): Trial => ({
    name: `${variant}-${seed}`,
    seed,
    run: async (folder) => {
      const model = await train(folder);
      try {
        return await measured(variant, model, seed);
      } finally {
        model.dispose();
      }
    },
  });
  return [
    trial("teacher", async (out) => finetuned(await luvitModel(seed), out)),
    trial("plain", (out) => finetuned(plainModel(seed), out)),
    // A step of distillation passes images through two models.
    trial("plain-twice", (out) => finetuned(plainModel(seed), out, 2)),
    trial("student", async (out) => {
      const teacher = await classifier.open(join(out, "..", `teacher-${seed}`));
      const options = { ...recipes.distillToy, ...common, out };
      return trained(train.distill(plainModel(seed), teacher, await images(), options));
    }),
  ];
}

/**
 * Is what a language model's block brings kept when it teaches a plain ViT? Teacher (a LUViT), plain ViT of as many steps,
 * plain ViT of as many forward passes, and student (a plain ViT taught by the teacher), each from every seed.
 */
export const distillStudy: Study = {
  name: "distill",
  size: { seeds: 5, epochs: 8 },
  baseline: "plain",
  trials: (size) => Array.from({ length: size.seeds }, (_, seed) => trialsOf(seed, size)).flat(),
};
