import { LuvitError } from "../core/errors";
import { checkOptions, flag, optionsOf, text } from "../core/options";
import { readMaeCheckpoint, type WeightPartOptions } from "../io/checkpoint";
import { source as sourceArgument } from "../io/options";
import { headCount } from "../nn/options";
import { type Classifier, create } from "./classifier";
import {
  isSavedFolder,
  type LoadModelOptions,
  loadModel,
  type OpenModelOptions,
  openModel,
} from "./openModel";
import { applyClassifier } from "./pretrained";
import { shapeOf } from "./shapeOf";

/**
 * The classifier that `model.save(folder)` wrote: the same settings, weights, class names and preprocessing, and the same
 * logits bit for bit.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "bad-argument" | "key-mismatch") where nothing is there, entries of
 * config.json are missing or unknown, it is another kind of model, or weights and config do not belong together.
 */
export function loadClassifierFolder(folder: string, options: LoadModelOptions = {}): Promise<Classifier> {
  return loadModel("luvit-classifier", folder, options);
}

export interface OpenClassifierOptions extends OpenModelOptions, WeightPartOptions {
  /** Of a file that does not say it, for widths other than the published ones. */
  heads?: number;
}

export const openClassifierOptions = optionsOf<OpenClassifierOptions>(
  {},
  { heads: headCount, key: text, averaged: flag, block: text },
);

/**
 * The classifier of a run's folder (its newest checkpoint), of a folder that `model.save` wrote, or of a finetuned
 * checkpoint of MAE or timm, whose width, depth, patch and image size, pooling and classes are read off the tensors.
 *
 * @throws LuvitError("key-mismatch") for a file that holds no ViT with a head, LuvitError("bad-argument") without `heads`,
 * and what `load` throws.
 */
export async function openClassifier(path: string, given: OpenClassifierOptions = {}): Promise<Classifier> {
  checkOptions("classifier.open", sourceArgument, { path });
  checkOptions("classifier.open", openClassifierOptions, given);
  const { heads, key, ...options } = given;
  if (await isSavedFolder(path)) {
    if (heads === undefined && key === undefined) return openModel("luvit-classifier", path, options);
    throw new LuvitError("bad-argument", `${path}: says itself what its model is; leave heads and key out`);
  }
  const checkpoint = await readMaeCheckpoint(path, { key });
  const { tensors, source } = checkpoint;
  const lacking = ["head.weight", "pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight"].filter(
    (key) => !tensors.has(key),
  );
  if (lacking.length > 0) {
    throw new LuvitError("key-mismatch", `${source}: no finetuned ViT, it has no ${lacking.join(", ")}`);
  }
  const encoder = shapeOf(path, tensors, heads);
  const pooling = tensors.has("fc_norm.weight") ? "mean" : "cls";
  const model = create({ encoder, pooling, classes: tensors.get("head.weight")!.shape[0] });
  model.loaded = applyClassifier(model, path, checkpoint, { key });
  return model;
}
