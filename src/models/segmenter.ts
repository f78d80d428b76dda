import { LuvitError } from "../core/errors";
import { checkOptions, entry, flag, list, optionsOf, seed, shaped, such, text, whole } from "../core/options";
import { type Preprocessing, usualPreprocessing } from "../core/preprocessing";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { type Context, inference } from "../nn/context";
import { normal, uniform } from "../nn/init";
import { LayerNorm } from "../nn/layers";
import { Module } from "../nn/module";
import { linear } from "../nn/ops";
import { crossEntropy } from "../nn/ops/crossEntropy";
import { Parameter } from "../nn/parameter";
import type { PositionRule } from "../nn/positionEmbedding";
import { resizeBilinear } from "../nn/resizeBilinear";
import { Classifier } from "./classifier";
import type { SegmenterConfig } from "./config";
import { Encoder } from "./encoder";
import { type FusionPlan, fusion } from "./fusion";
import type { LlamaBlocks } from "./llamaBlock";
import { fusionPlan, MaskedAutoencoder } from "./mae";
import { has, modelField as moduleField, preprocessing } from "./options";
import { PreparedModel } from "./prepared";
import { IGNORED_ID } from "./segmentTargets";
import { type ViTConfig, vitConfig } from "./vit";

/** What a segmenter tells apart. */
export interface SegmentHeadOptions {
  /** Ids told apart, "other" (id 0) among them: 51, 301 or 920 for ImageNet-S. */
  classes: number;
  /** Names of the classes 1, 2, …, one less than `classes`; training takes them from its data set. */
  classNames?: readonly string[];
  /** How images are prepared; default MAE's for evaluation at the model's size. */
  preprocessing?: Preprocessing;
  /** Only the head is trained: a linear probe. */
  frozen?: boolean;
  seed?: number;
}

/** Parts of a segmenter that starts from nothing. */
export interface SegmenterOptions extends SegmentHeadOptions {
  encoder: ViTConfig;
  fusion?: LlamaBlocks | FusionPlan;
}

export const segmenterField = such<Segmenter>(
  "a segmenter, from segmenter.create, fromPretrained or open",
  (value) => has(value, "encoder", "head", "patchLogits"),
);

const pretrainedField = such<MaskedAutoencoder | Classifier>(
  "a masked auto-encoder or a classifier",
  (value) => value instanceof MaskedAutoencoder || value instanceof Classifier,
);

export const segmentHeadOptions = optionsOf<SegmentHeadOptions>(
  { classes: entry(whole(2, IGNORED_ID), 'ids that are told apart, "other" among them', 920) },
  { classNames: list(text, 1), preprocessing, frozen: flag, seed },
);

export const segmenterOptions = optionsOf<SegmenterOptions>(
  { ...segmentHeadOptions.required, encoder: vitConfig },
  { ...segmentHeadOptions.optional, fusion },
);

/** What a segmenter's loss is computed from. */
export interface SegmentInputs {
  /** [B, 3, H, W], normalized. */
  images: Tensor;
  /** int32 [B * 2 rows * 2 columns], see `segmentTargets`. */
  ids: Tensor;
  /** [B * 2 rows * 2 columns]. */
  weights: Tensor;
}

/** The 1x1 convolution behind the encoder. Keys `weight` [K, D, 1, 1], `bias` [K]; run as a product. */
class SegmentHead extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(dim: number, classes: number, rng: Rng) {
    super();
    // The weights of the official head start near zero, its bias as torch leaves it.
    this.weight = new Parameter([classes, dim, 1, 1], normal(2e-5), rng.uint32());
    this.bias = new Parameter([classes], uniform(1 / Math.sqrt(dim)), rng.uint32());
  }

  forward(tokens: Tensor): Tensor {
    return linear(tokens, tf.reshape(this.weight.value, [this.weight.shape[0], -1]), this.bias.value);
  }
}

/**
 * Encoder, a LayerNorm on its patch tokens, and a 1x1 convolution. Keys of `Encoder`, `fc_norm.*`, `head.*`. Images may
 * have any size of at least a patch; positions of other grids are made by DINO's rule unless the context says another.
 *
 * Reference: LUSSeg/ImageNetSegModel models/models_vit.py.
 */
export class Segmenter extends PreparedModel {
  readonly encoder: Encoder;
  readonly fc_norm: LayerNorm;
  readonly head: SegmentHead;
  /** "other" among them. */
  readonly classes: number;
  /** How positions of other grids are made, as its authors do. */
  readonly positions: PositionRule = "dino";
  /** Of ids 1, 2, …, where they are known. */
  classNames: readonly string[] | undefined;

  constructor(encoder: Encoder, options: SegmentHeadOptions) {
    checkOptions("Segmenter", moduleField, encoder);
    checkOptions("Segmenter", shaped("its options", "classes"), options);
    checkOptions("Segmenter", segmentHeadOptions, options);
    super(options.preprocessing ?? usualPreprocessing(encoder.config.imageSize));
    const { classes, classNames, seed = 0 } = options;
    expectNames(classes, classNames);
    this.encoder = encoder;
    this.fc_norm = new LayerNorm(encoder.config.dim, encoder.config.normEps);
    this.head = new SegmentHead(encoder.config.dim, classes, new Rng(seed).fork("head"));
    this.classes = classes;
    this.classNames = classNames && [...classNames];
    if (options.frozen) this.freeze().unfreeze("head");
  }

  override describe(): SegmenterConfig {
    const { encoder, classes, classNames } = this;
    return {
      modelType: "luvit-segmenter",
      encoder: encoder.describe(),
      classes,
      classNames: classNames ? [...classNames] : null,
      preprocessing: this.describePreprocessing(),
      ...this.describeCommon(),
    };
  }

  protected override transparentFields(): readonly string[] {
    return ["encoder"];
  }

  /** images [B, 3, H, W] -> tokens [B, 1 + rows*columns, D] after the whole encoder. */
  tokens(images: Tensor, context: Context = inference): Tensor {
    return this.encoder.tokens(images, { positions: this.positions, ...context });
  }

  /** images [B, 3, H, W] -> logits of every patch [B, rows, columns, classes]. */
  patchLogits(images: Tensor, context: Context = inference): Tensor {
    const { patchSize } = this.encoder.config;
    const [rows, columns] = images.shape.slice(2).map((side) => Math.floor(side / patchSize));
    const tokens = this.tokens(images, context);
    const [batch, count, dim] = tokens.shape as [number, number, number];
    const { firstPatch } = this.encoder;
    const patches = tf.slice(tokens, [0, firstPatch, 0], [batch, count - firstPatch, dim]);
    const logits = this.head.forward(this.fc_norm.forward(patches));
    return tf.reshape(logits, [batch, rows, columns, this.classes]);
  }

  /** images [B, 3, H, W] -> logits [B, classes, rows, columns], one place for each patch. */
  forward(images: Tensor, context: Context = inference): Tensor {
    return tf.transpose(this.patchLogits(images, context), [0, 3, 1, 2]);
  }

  /** Scalar loss of a batch: logits doubled bilinearly, mean cross entropy over the pixels that count. */
  loss({ images, ids, weights }: SegmentInputs, context: Context = inference): Tensor {
    const logits = this.patchLogits(images, context);
    const [, rows, columns] = logits.shape as [number, number, number, number];
    const doubled = tf.reshape(resizeBilinear(logits, 2 * rows, 2 * columns), [-1, this.classes]);
    const targets = tf.mul(tf.oneHot(ids as tf.Tensor1D, this.classes), tf.reshape(weights, [-1, 1]));
    return crossEntropy(doubled, targets);
  }
}

/**
 * A segmenter to be trained from nothing (timm's initialization, trainable positions).
 *
 * @example
 * const model = luvit.segmenter.create({ encoder: luvit.vit.toy, classes: 7 });
 */
export function create(options: SegmenterOptions): Segmenter {
  checkOptions("segmenter.create", segmenterOptions, options);
  const { encoder: vit, fusion, seed = 0, ...head } = options;
  const start = { finalNorm: false, positions: "learned", init: "timm", seed } as const;
  return new Segmenter(new Encoder({ vit, fusion: fusionPlan(fusion), ...start }), { ...head, seed });
}

/**
 * A segmenter on a copy of a pretrained encoder, of a masked auto-encoder (ImageNet-S's "SSL") or of a finetuned
 * classifier ("SSL+Sup"), LUViT's path included: positions become trainable, `norm` gives way to `fc_norm`, which a
 * classifier that pools by mean hands on, and the head starts near zero. The pretrained model stays as it is; frozen weights are shared.
 *
 * Reference: LUSSeg/ImageNetSegModel main_segfinetune.py.
 *
 * @example
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const segmenter = await luvit.segmenter.fromPretrained(model, { classes: 7 });
 */
export async function fromPretrained(
  pretrained: MaskedAutoencoder | Classifier,
  options: SegmentHeadOptions,
): Promise<Segmenter> {
  checkOptions("segmenter.fromPretrained", pretrainedField, pretrained);
  checkOptions("segmenter.fromPretrained", segmentHeadOptions, options);
  const positions = pretrained.encoder.pos_embed;
  const encoder = await pretrained.encoder.clone((p) => !p.trainable && p !== positions);
  if (!encoder.fusion?.plan.normFirst) {
    encoder.norm?.dispose();
    encoder.norm = undefined;
  }
  encoder.pos_embed.trainable = true;
  const model = new Segmenter(encoder, options);
  const norm = pretrained instanceof Classifier ? pretrained.fc_norm : undefined;
  if (norm) model.fc_norm.loadStateDict(await norm.stateDict());
  return model;
}

function expectNames(classes: number, names?: readonly string[]): void {
  if (names === undefined || names.length === classes - 1) return;
  throw new LuvitError(
    "bad-argument",
    `segmenter: ${names.length} classNames for ${classes} ids, expected ${classes - 1}: one for each but "other"`,
  );
}
