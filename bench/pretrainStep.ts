import { Rng } from "../src/core/rng";
import { create, type MaeInputs, type MaskedAutoencoder } from "../src/models/mae";
import { drawNoise, maskFromNoise } from "../src/models/masking";
import { patchCount } from "../src/models/vit";
import { pretrainRules } from "../src/optim/groups";
import { type Feeds, normalizedImages } from "../src/train/feeds";
import { fusionOf, type PresetName, presetOf } from "./core/presets";
import { randomBytes } from "./core/randomImages";
import type { StepBench } from "./core/stepBench";
import { openTraining, type Training } from "./core/work";

const betas = [0.9, 0.95] as const;
const lr = 1.5e-4;

/** One MAE pretraining step: forward, gradients, AdamW; three quarters of the patches removed. */
export const pretrainStep: StepBench = {
  batch: 8,
  job: { betas, lr },
  open: (options, batch) => openTraining(pretraining(options.preset, batch), options),
};

/** The step of a preset, its model without memory for weights so far. */
export function pretraining(name: PresetName, batch: number): Training<MaskedAutoencoder> {
  const preset = presetOf(name);
  const model = create({ encoder: preset.vit, decoder: preset.decoder, fusion: fusionOf(preset) });
  const task = {
    name: "pretrain",
    model,
    rules: pretrainRules(model, 0.05),
    loss: (inputs: unknown) => {
      const given = inputs as MaeInputs;
      return model.loss({ ...given, images: normalizedImages(given.images, "bytes") });
    },
  };
  const batches = [0, 1].map((seed) => feedsOf(model, batch, new Rng(seed)));
  return { task, betas, lr, batches };
}

function feedsOf(model: MaskedAutoencoder, batch: number, rng: Rng): Feeds {
  const { config } = model.encoder;
  const patches = patchCount(config);
  const { keepRows, restoreRows, mask } = maskFromNoise(
    drawNoise(batch, patches, rng),
    batch,
    model.maskRatio,
  );
  return {
    images: randomBytes(batch, config.imageSize, rng),
    keepRows: { data: keepRows, shape: [keepRows.length], dtype: "int32" },
    restoreRows: { data: restoreRows, shape: [restoreRows.length], dtype: "int32" },
    mask: { data: mask, shape: [batch, patches] },
  };
}
