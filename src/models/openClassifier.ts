import { LuvitError } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { checkOptions, flag, oneOf, optionsOf, text, whole } from "../core/options";
import { readMaeCheckpoint, type WeightPartOptions } from "../io/checkpoint";
import { source as sourceArgument } from "../io/options";
import { headCount } from "../nn/options";
import type { PositionResize } from "../nn/positionEmbedding";
import { positionResizes } from "../nn/positionTaps";
import { type Classifier, create, type Pooling } from "./classifier";
import { withDinoNames } from "./dinoNames";
import {
  isSavedFolder,
  type LoadModelOptions,
  loadModel,
  type OpenModelOptions,
  openModel,
} from "./openModel";

import { applyClassifier } from "./pretrained";
import type { ViTConfig } from "./vit";

/** Heads of the published widths; ViT-H's are 80 wide, all others 64. */
const publishedHeads: Readonly<Record<number, number>> = {
  192: 3,
  384: 6,
  768: 12,
  1024: 16,
  1280: 16,
  1536: 24,
};

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
  model.loaded = applyClassifier(model, checkpoint);
  return model;
}

export interface BackboneOptions extends WeightPartOptions {
  /** Classes of the head, whose weights are fresh; default 2. */
  classes?: number;
  /** What the head sees; default the class token, behind the final norm. */
  pooling?: Pooling;
  /** Pixels, other than those it was trained with: positions are resized. */
  imageSize?: number;
  /** How; default "dino". See `classifier.loadCheckpoint`. */
  positions?: PositionResize;
  /** Of a file that does not say it, for widths other than the published ones. */
  heads?: number;
}

const backboneOptions = optionsOf<BackboneOptions>(
  {},
  {
    classes: whole(2, 1_000_000),
    pooling: oneOf(["mean", "cls"]),
    imageSize: whole(1, 16_384),
    positions: oneOf(positionResizes),
    heads: headCount,
    key: text,
  },
);

/**
 * A classifier, its head fresh, on the ViT of a file or folder: DINOv2 (registers, layer scales, SwiGLU, any patch), MAE,
 * DINO, timm. Width, depth, patch and image size are read off the tensors. For features, maps, probes, or finetuning.
 *
 * @throws LuvitError("key-mismatch") for a file that holds no ViT, LuvitError("bad-argument") without `heads`.
 */
export async function openBackbone(path: string, options: BackboneOptions = {}): Promise<Classifier> {
  checkOptions("classifier.openBackbone", sourceArgument, { path });
  checkOptions("classifier.openBackbone", backboneOptions, options);
  const { classes = 2, pooling = "cls", positions = "dino", heads, key, imageSize } = options;
  const checkpoint = await readMaeCheckpoint(path, { key });
  const tensors = withDinoNames(checkpoint.tensors);
  expectParts(checkpoint.source, tensors, [
    "pos_embed",
    "patch_embed.proj.weight",
    "blocks.0.attn.qkv.weight",
  ]);
  const encoder = shapeOf(path, tensors, heads);
  const model = create({ encoder: { ...encoder, ...(imageSize && { imageSize }) }, pooling, classes });
  model.loaded = applyClassifier(model, { ...checkpoint, tensors }, { positions });
  return model;
}

/** @throws LuvitError("key-mismatch") */
function expectParts(source: string, tensors: StateDict, needed: readonly string[]): void {
  const lacking = needed.filter((key) => !tensors.has(key));
  if (lacking.length === 0) return;
  throw new LuvitError("key-mismatch", `${source}: no ViT, it has no ${lacking.join(", ")}`);
}

function shapeOf(path: string, tensors: StateDict, given: number | undefined): ViTConfig {
  const shape = (key: string) => tensors.get(key)!.shape;
  const [dim, , patchSize] = shape("patch_embed.proj.weight");
  const heads = given ?? publishedHeads[dim];
  if (heads === undefined) {
    throw new LuvitError("bad-argument", `${path}: no published ViT is ${dim} wide, pass { heads }`);
  }
  const grid = Math.floor(Math.sqrt(shape("pos_embed")[1]));
  const depth = [...tensors.keys()].filter((key) => /^blocks\.\d+\.norm1\.weight$/.test(key)).length;
  const sizes = { imageSize: grid * patchSize, patchSize, dim, depth, heads };
  const extras = {
    ...(tensors.has("register_tokens") && { registers: shape("register_tokens")[1] }),
    ...(tensors.has("blocks.0.ls1.gamma") && { layerScale: 1e-5 }),
  };
  // A gated branch is two thirds as wide as an MLP of the same weights.
  if (tensors.has("blocks.0.mlp.w3.weight"))
    return { ...sizes, ...extras, mlp: "swiglu", mlpRatio: (1.5 * shape("blocks.0.mlp.w3.weight")[1]) / dim };
  return { ...sizes, ...extras, mlpRatio: shape("blocks.0.mlp.fc1.weight")[0] / dim };
}
