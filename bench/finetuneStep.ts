import { Rng } from "../src/core/rng";
import type { Tensor } from "../src/core/tf";
import { create } from "../src/models/classifier";
import { smoothedTargets, softTargetCrossEntropy } from "../src/nn/losses";
import { finetuneRules } from "../src/optim/groups";
import { drawDropPath } from "../src/train/dropPath";
import type { Feeds } from "../src/train/feeds";
import { fusionOf, type Preset, presetOf } from "./core/presets";
import { randomImages } from "./core/randomImages";
import type { StepBench } from "./core/stepBench";
import { openTraining } from "./core/work";

const betas = [0.9, 0.999] as const;
const lr = 5e-4;
const dropPath = 0.1;
const layerDecay = 0.75;

/** One finetuning step of the classifier: soft targets, drop path, layer-wise decay. */
export const finetuneStep: StepBench = {
  batch: 4,
  job: { betas, lr, dropPath, layerDecay },
  open(options, batch) {
    const preset = presetOf(options.preset);
    const { vit, classes } = preset;
    const model = create({ encoder: vit, fusion: fusionOf(preset), classes });
    const task = {
      name: "finetune",
      model,
      rules: finetuneRules(model, { weightDecay: 0.05, layerDecay, depth: vit.depth }),
      loss: ({ images, targets, dropPath: factors }: Readonly<Record<string, Tensor>>) =>
        softTargetCrossEntropy(model.forward(images, { dropPath: factors }), targets),
    };
    const batches = [0, 1].map((seed) => feedsOf(preset, batch, new Rng(seed)));
    return openTraining({ task, betas, lr, batches }, options);
  },
};

function feedsOf({ vit, classes }: Preset, batch: number, rng: Rng): Feeds {
  const labels = Array.from({ length: batch }, () => rng.integer(classes));
  return {
    images: randomImages(batch, vit.imageSize, rng),
    targets: { data: smoothedTargets(labels, classes, 0.1), shape: [batch, classes] },
    dropPath: { data: drawDropPath(vit.depth, dropPath, batch, rng), shape: [2 * vit.depth, batch] },
  };
}
