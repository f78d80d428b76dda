import { dirname } from "node:path";
import { LuvitError } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { checkOptions, oneOf, optionsOf, text, whole } from "../core/options";
import { usualPreprocessing } from "../core/preprocessing";
import { type MaeCheckpoint, readMaeCheckpoint, readMaeFile, type WeightPartOptions } from "../io/checkpoint";
import { type HubOptions, hubLocation, hubOptions, withHubCheckpoint } from "../io/hub";
import { source as sourceArgument } from "../io/options";
import { headCount } from "../nn/options";
import type { PositionResize } from "../nn/positionEmbedding";
import { positionResizes } from "../nn/positionTaps";
import { type Activation, activationNames } from "./branches";
import { type Classifier, create, type Pooling, poolings } from "./classifier";
import { withOfficialNames } from "./officialNames";
import { channelsBeside } from "./preprocessorConfig";
import { applyClassifier, sourceOf } from "./pretrained";
import { shapeOf } from "./shapeOf";
import { towerSettings } from "./towerSettings";

export interface BackboneOptions extends WeightPartOptions, HubOptions {
  /** Classes of the head, whose weights are fresh; default 2. */
  classes?: number;
  /**
   * What the head sees; default the tower's own attention (SigLIP), else the class token behind the final norm, else the mean
   * of the patches.
   */
  pooling?: Pooling;
  /** Pixels, other than those it was trained with: positions are resized. */
  imageSize?: number;
  /** How; default "mae" for CLIP and SigLIP, as transformers does, else "dino". See `classifier.loadCheckpoint`. */
  positions?: PositionResize;
  /** Of a file that does not say it, for widths other than the published ones. */
  heads?: number;
  /** Of a CLIP without its config.json. */
  activation?: Activation;
}

const backboneOptions = optionsOf<BackboneOptions>(
  {},
  {
    ...hubOptions.optional,
    classes: whole(2, 1_000_000),
    pooling: oneOf(poolings),
    imageSize: whole(1, 16_384),
    positions: oneOf(positionResizes),
    heads: headCount,
    activation: oneOf(activationNames),
    key: text,
  },
);

/**
 * A classifier, its head fresh, on the ViT of a file, a folder or a repository of the Hugging Face hub (`org/name`, or
 * `hf://org/name@revision/file`): transformers' ViT, DINOv2 (registers, layer scales, SwiGLU, any patch), the vision towers of CLIP, SigLIP and
 * SigLIP 2 (of one resolution) in the layouts of transformers and timm, MAE, DINO, timm. Width, depth, patch and image size
 * are read off the tensors, what they do not say off the config.json beside them. For features, maps, probes, or finetuning.
 * Images are prepared with the tower's own mean and deviation.
 *
 * @throws LuvitError("key-mismatch") for a file that holds no ViT, LuvitError("bad-argument") without `heads` or
 * `activation` where nothing says them, or for SigLIP 2 of any aspect ratio (NaFlex); LuvitError("bad-file") for a config of
 * something else; "network" or "no-access" saying what the hub refused.
 */
export async function openBackbone(path: string, options: BackboneOptions = {}): Promise<Classifier> {
  checkOptions("classifier.openBackbone", sourceArgument, { path });
  checkOptions("classifier.openBackbone", backboneOptions, options);
  const { classes = 2, heads, imageSize, activation } = options;
  const checkpoint = await readFrom(path, options);
  const { configPath } = checkpoint;
  const official = withOfficialNames(checkpoint.tensors, path);
  const source = sourceOf(path, checkpoint, official);
  const { tensors } = official;
  expectParts(source, tensors, ["pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"]);
  const both = { file: checkpoint.tensors, official: tensors };
  const settings = await towerSettings(source, both, configPath, activation);
  const shape = shapeOf(path, tensors, heads ?? settings?.heads);
  const encoder = {
    ...shape,
    ...(settings && { mlp: settings.mlp, normEps: settings.normEps }),
    ...(imageSize && { imageSize }),
  };
  const usual = tensors.has("attn_pool.latent") ? "attention" : encoder.classToken === false ? "mean" : "cls";
  const folder = configPath && dirname(configPath);
  const preprocessing = settings && {
    ...usualPreprocessing(encoder.imageSize, 1),
    ...(folder ? await channelsBeside(folder, settings) : { mean: settings.mean, std: settings.std }),
  };
  const model = create({ encoder, pooling: options.pooling ?? usual, classes, preprocessing });
  const { positions = settings ? "mae" : "dino" } = options;
  model.loaded = applyClassifier(model, path, checkpoint, { positions, key: options.key });
  return model;
}

async function readFrom(path: string, options: BackboneOptions): Promise<MaeCheckpoint> {
  const { key } = options;
  const location = await hubLocation(path);
  if (!location) return readMaeCheckpoint(path, { key });
  const { result, report } = await withHubCheckpoint(location, options, (file) =>
    readMaeFile(file, path, { key }),
  );
  return { ...result, notes: [...result.notes, ...report.notes] };
}

/** @throws LuvitError("key-mismatch") */
function expectParts(source: string, tensors: StateDict, needed: readonly string[]): void {
  const lacking = needed.filter((key) => !tensors.has(key));
  if (lacking.length === 0) return;
  throw new LuvitError("key-mismatch", `${source}: no ViT, it has no ${lacking.join(", ")}`);
}
