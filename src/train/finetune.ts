import { checkOptions } from "../core/options";
import { datasetField, type ImageDataset } from "../data/dataset";
import { type Classifier, classifierField } from "../models/classifier";
import { type FinetuneOptions, finetuneOptions } from "./finetuneOptions";
import { finetuneTask } from "./finetuneTask";
import { startRun } from "./loop";
import type { Run } from "./run";

export { type FinetuneOptions, finetuneOptions } from "./finetuneOptions";

/**
 * Supervised finetuning (mae/engine_finetune.py; LUViT D.3). Returns at once with a handle; the model is trained in place.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, or data that do not fit the model.
 *
 * @example
 * const transform = luvit.data.transforms.finetune(64);
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const { history } = await luvit.train.finetune(model, images.take(32), { ...luvit.recipes.finetuneToy, epochs: 1, out: false }).done;
 */
export function finetune(model: Classifier, images: ImageDataset, options: FinetuneOptions): Run<Classifier> {
  checkOptions("finetune", classifierField, model);
  checkOptions("finetune", datasetField, images);
  checkOptions("finetune", finetuneOptions, options);
  return startRun(finetuneTask("finetune", model, images, options), options);
}
