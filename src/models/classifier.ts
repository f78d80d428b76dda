import { LuvitError } from "../core/errors";
import {
  checkOptions,
  entry,
  list,
  oneOf,
  optionsOf,
  seed,
  shaped,
  such,
  text,
  whole,
} from "../core/options";
import { type Preprocessing, usualPreprocessing } from "../core/preprocessing";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { type Context, inference, site } from "../nn/context";
import { normal } from "../nn/init";
import { LayerNorm, Linear } from "../nn/layers";
import { AttentionPool } from "./attentionPool";
import type { ClassifierConfig } from "./config";
import { Encoder } from "./encoder";
import { type FusionPlan, fusion } from "./fusion";
import type { LlamaBlocks } from "./llamaBlock";
import { fusionPlan, type MaskedAutoencoder, maeField } from "./mae";
import { has, modelField as moduleField, preprocessing } from "./options";
import { PreparedModel } from "./prepared";
import { type Activations, type Place, placesOf, type TraceOptions, traceForward } from "./trace";
import { expectClassToken, type ViTConfig, vitConfig } from "./vit";

/**
 * "mean": patch tokens averaged, then `fc_norm` (MAE's default, LUViT); "cls": final norm, then the class token; "attention":
 * final norm, then one learned query that looks at all tokens (SigLIP).
 */
export type Pooling = "mean" | "cls" | "attention";
export const poolings: readonly Pooling[] = ["mean", "cls", "attention"];

export interface HeadOptions {
  classes: number;
  pooling?: Pooling;
  /** Names of the classes in label order; finetuning takes them from its data set. */
  classNames?: readonly string[];
  /** How images are prepared; default MAE's for evaluation at the model's size. */
  preprocessing?: Preprocessing;
  seed?: number;
}

/** Parts of a classifier: encoder, what stands behind it, classes, pooling. */
export interface ClassifierOptions extends HeadOptions {
  encoder: ViTConfig;
  fusion?: LlamaBlocks | FusionPlan;
}

export const classifierField = such<Classifier>(
  "a classifier, from classifier.create, fromPretrained or open",
  (value) => has(value, "encoder", "head", "classes"),
);

export const headOptions = optionsOf<HeadOptions>(
  { classes: entry(whole(2, 1_000_000), "classes the head tells apart", 1000) },
  {
    pooling: entry(
      oneOf(poolings),
      "what the head sees: the mean of the patches, the class token, or what a learned query makes of all",
      "mean",
    ),
    seed,
    classNames: list(text, 1),
    preprocessing,
  },
);

export const classifierOptions = optionsOf<ClassifierOptions>(
  { ...headOptions.required, encoder: vitConfig },
  { ...headOptions.optional, fusion },
);

/**
 * Encoder, pooling, linear head. Keys of `Encoder`, `fc_norm.*` (mean pooling) or `norm.*` (class token), `attn_pool.*` (of
 * that pooling), `head.*`.
 * Reference: mae/models_vit.py.
 */
export class Classifier extends PreparedModel {
  readonly encoder: Encoder;
  readonly fc_norm?: LayerNorm;
  readonly attn_pool?: AttentionPool;
  readonly head: Linear;
  readonly pooling: Pooling;
  readonly classes: number;
  /** In label order, where they are known. */
  classNames: readonly string[] | undefined;

  constructor(encoder: Encoder, options: HeadOptions, headStd: number) {
    checkOptions("Classifier", moduleField, encoder);
    checkOptions("Classifier", shaped("its options", "classes"), options);
    super(options.preprocessing ?? usualPreprocessing(encoder.config.imageSize));
    const { classes, pooling = "mean", seed = 0, classNames } = options;
    checkOptions("Classifier", headOptions, { classes, pooling, seed });
    expectNames(classes, classNames);
    const rng = new Rng(seed).fork("head");
    this.encoder = encoder;
    if (pooling === "cls") expectClassToken('pooling "cls"', encoder.config);
    if (pooling === "mean") this.fc_norm = new LayerNorm(encoder.config.dim, encoder.config.normEps);
    if (pooling === "attention") this.attn_pool = new AttentionPool(encoder.config, rng.fork("pool"));
    this.head = new Linear(encoder.config.dim, classes, rng, { initialize: normal(headStd) });
    this.pooling = pooling;
    this.classes = classes;
    this.classNames = classNames && [...classNames];
  }

  override describe(): ClassifierConfig {
    const { encoder, pooling, classes, classNames } = this;
    return {
      modelType: "luvit-classifier",
      encoder: encoder.describe(),
      pooling,
      classes,
      classNames: classNames ? [...classNames] : null,
      preprocessing: this.describePreprocessing(),
      ...this.describeCommon(),
    };
  }

  protected override transparentFields(): readonly string[] {
    return ["encoder"];
  }

  /** images [B, 3, S, S] -> tokens [B, 1+L, D] after the whole encoder. */
  tokens(images: Tensor, context: Context = inference): Tensor {
    return this.encoder.tokens(images, context);
  }

  /** images [B, 3, S, S] -> [B, D]: what the head (after `fc_norm`) sees. Site `pooled`. */
  pool(images: Tensor, context: Context = inference): Tensor {
    return site(context, "pooled", this.poolTokens(this.tokens(images, context), context));
  }

  /** Tokens [B, T, D] as the encoder gives them -> [B, D]. */
  poolTokens(tokens: Tensor, context: Context = inference): Tensor {
    if (this.attn_pool) return this.attn_pool.forward(tokens, context);
    return poolTokens(tokens, this.pooling === "cls" ? "cls" : "mean", this.encoder.firstPatch);
  }

  /**
   * Runs images [B, 3, S, S] (a tensor, or the numbers of a data set's samples) on the engine and keeps named values; the
   * names are in `places()` and docs/looking-inside.md.
   *
   * @throws LuvitError("bad-argument") for names that no place has, listing those there are.
   */
  trace(images: Tensor | Float32Array, options: TraceOptions): Promise<Activations> {
    return traceForward(this, (fed, context) => this.forward(fed, context), images, options);
  }

  /** Every named place of a forward pass, with its shape for one image, axes and unit. */
  places(): Place[] {
    return placesOf(this, (fed, context) => this.forward(fed, context));
  }

  /** images [B, 3, S, S] -> logits [B, classes]. Sites of the encoder, `pooled`, `features`, `logits`. */
  forward(images: Tensor, context: Context = inference): Tensor {
    const pooled = this.pool(images, context);
    const features = site(context, "features", this.fc_norm ? this.fc_norm.forward(pooled) : pooled);
    return site(context, "logits", this.head.forward(features, context, "head"));
  }
}

/** Tokens [B, T, D] -> [B, D]: the class token, or the mean of what stands behind it. */
export function poolTokens(tokens: Tensor, pooling: "cls" | "mean", firstPatch: 0 | 1 = 1): Tensor {
  const [batch, count, dim] = tokens.shape as [number, number, number];
  if (pooling === "cls") return tf.reshape(tf.slice(tokens, [0, 0, 0], [batch, 1, dim]), [batch, dim]);
  return tf.mean(tf.slice(tokens, [0, firstPatch, 0], [batch, count - firstPatch, dim]), 1);
}

/**
 * A classifier to be trained from scratch (timm's initialization, trainable positions).
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, fusion: block, classes: 6 });
 */
export function create(options: ClassifierOptions): Classifier {
  checkOptions("classifier.create", classifierOptions, options);
  const { encoder: vit, pooling = "mean", seed = 0 } = options;
  const encoder = new Encoder({
    vit,
    fusion: fusionPlan(options.fusion),
    finalNorm: pooling !== "mean",
    positions: "learned",
    init: "timm",
    seed,
  });
  return new Classifier(encoder, options, 0.02);
}

/**
 * A classifier on a copy of a pretrained encoder, as MAE finetunes: positions become trainable, `norm` gives way to
 * `fc_norm`, the head starts near zero (std 2e-5). The pretrained model stays as it is; frozen weights are shared.
 *
 * @example
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const tuned = await luvit.classifier.fromPretrained(model, { classes: 6 });
 */
export async function fromPretrained(
  pretrained: MaskedAutoencoder,
  options: HeadOptions,
): Promise<Classifier> {
  checkOptions("classifier.fromPretrained", maeField, pretrained);
  checkOptions("classifier.fromPretrained", headOptions, options);
  const positions = pretrained.encoder.pos_embed;
  const encoder = await pretrained.encoder.clone((p) => !p.trainable && p !== positions);
  const plan = encoder.fusion?.plan;
  if ((options.pooling ?? "mean") === "mean" && !plan?.normFirst) {
    encoder.norm?.dispose();
    encoder.norm = undefined;
  }
  encoder.pos_embed.trainable = true;
  return new Classifier(encoder, options, 2e-5);
}

function expectNames(classes: number, names?: readonly string[]): void {
  if (names === undefined || names.length === classes) return;
  throw new LuvitError("bad-argument", `classifier: ${names.length} classNames for ${classes} classes`);
}
