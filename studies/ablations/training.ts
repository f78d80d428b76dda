import { data, recipes, train } from "../../src";
import type { Classifier } from "../../src/models/classifier";
import type { MaskedAutoencoder } from "../../src/models/mae";
import { trained } from "../core/trained";
import type { StudyDrawings } from "./drawings";
import { ENGINE } from "./measures";

/** Steps of 60 images: 100 an epoch of 6,000. */
const steps = { batchSize: 60, lr: 3e-3, warmupEpochs: 0.5, weightDecay: 0.05 };
export const pretraining = { ...recipes.pretrainToy, ...steps, ...ENGINE };
export const finetuning = { ...recipes.finetuneToy, ...steps, ...ENGINE };

/** How long a model is trained, from which seed, on what, and where the run lies. */
export interface Training {
  seed: number;
  epochs: number;
  out: string;
  images: Pick<StudyDrawings, "train">;
}

export function pretrain(model: MaskedAutoencoder, { images, ...options }: Training) {
  const set = images.train.withTransform(data.transforms.mae(model.encoder.config.imageSize));
  return trained(train.pretrain(model, set, { ...pretraining, ...options, resume: true }));
}

/** Keeps a checkpoint of every epoch, by which the sign of the effect can be followed. */
export function finetune(model: Classifier, { images, ...options }: Training): Promise<Classifier> {
  const size = model.encoder.config.imageSize;
  const transform = data.transforms.finetune(size, { randAugment: null, erasing: 0 });
  const keepCheckpoints = options.epochs;
  const run = { ...finetuning, ...options, resume: true, keepCheckpoints };
  return trained(train.finetune(model, images.train.withTransform(transform), run));
}
