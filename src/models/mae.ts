/*
 * LUViT's masked auto-encoder, in the order an image goes through it:
 *   patches   nn/patches.ts (patchify), models/vit.ts (PatchEmbed)
 *   masking   models/masking.ts: which patches stay; drawn on the host by train/pretrain.ts
 *   encoder   models/encoder.ts: blocks of models/vit.ts over the patches that stayed
 *   fusion    models/fusion.ts: mapper, the frozen blocks of models/llamaBlock.ts, mapper; inside the encoder
 *   decoder   below (decode): mask tokens in place of the others, blocks of models/vit.ts
 *   loss      nn/losses.ts (maskedPatchLoss), over what `target` below makes of the images
 * Options and defaults: models/options.ts; opening and saving: models/openMae.ts, models/savable.ts.
 */
import type { StateDict } from "../core/hostTensor";
import { checkOptions, entry, flag, optionsOf, seed, shaped, shareBelowOne, such } from "../core/options";
import { usualPreprocessing } from "../core/preprocessing";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { type Context, inference } from "../nn/context";
import { normal } from "../nn/init";
import { LayerNorm, Linear } from "../nn/layers";
import type { LoadOptions, LoadReport } from "../nn/loadStateDict";
import { maskedPatchLoss, normalizedPixels } from "../nn/losses";
import { Parameter } from "../nn/parameter";
import { patchify } from "../nn/patches";
import { type PatchGrid, positionsOfGrid } from "../nn/positionEmbedding";
import type { MaeConfig } from "./config";
import { describeBlocks } from "./describe";
import { Encoder } from "./encoder";
import { type FusionPlan, fusion, through } from "./fusion";
import { LlamaBlocks } from "./llamaBlock";
import type { PatchMask } from "./masking";
import { depth, dim, has, heads, mlpRatio, stackFits } from "./options";
import { positionParameter } from "./positions";
import { SavableModel } from "./savable";
import { type Activations, type Place, placesOf, type TraceOptions, traceForward } from "./trace";
import { Block, expectClassToken, patchCount, runBlocks, type ViTConfig, vitConfig } from "./vit";

/** Shape of MAE's decoder. */
export interface DecoderConfig {
  dim: number;
  depth: number;
  heads: number;
  mlpRatio: number;
}

/** The decoder of every released MAE: 512 wide, 8 blocks, 16 heads. */
export const decoder512x8: Readonly<DecoderConfig> = { dim: 512, depth: 8, heads: 16, mlpRatio: 4 };
/** Goes with `vit.toy`. */
export const decoderToy: Readonly<DecoderConfig> = { dim: 48, depth: 1, heads: 4, mlpRatio: 4 };

/** Parts of a masked auto-encoder: encoder, what stands behind it, decoder. */
export interface MaeOptions {
  encoder: ViTConfig;
  /** A LLaMA block (LUViT's default placement) or a plan from `fusion.*`; left out, this is a plain MAE. */
  fusion?: LlamaBlocks | FusionPlan;
  decoder?: DecoderConfig;
  /** Share of patches removed. */
  maskRatio?: number;
  /** Reconstruct each patch normalized by its own mean and deviation, as all released results do. */
  normPixLoss?: boolean;
  seed?: number;
}

/** Sines and cosines of rows and columns, a quarter of the channels each. */
const tableFits = ({ dim: wide = 0 }: Readonly<Partial<DecoderConfig>>) =>
  wide % 4 === 0 ? [] : [["dim", "a multiple of 4, for the table of positions"] as const];

/** Shape of MAE's decoder. */
export const decoderConfig = optionsOf<DecoderConfig>({ dim, depth, heads, mlpRatio }, {}, (decoder) => [
  ...stackFits(decoder),
  ...tableFits(decoder),
]);

export const maeField = such<MaskedAutoencoder>("a masked auto-encoder, from mae.create", (value) =>
  has(value, "encoder", "decoder_blocks"),
);

export const maeOptions = optionsOf<MaeOptions>(
  { encoder: vitConfig },
  {
    fusion,
    decoder: decoderConfig,
    maskRatio: entry(shareBelowOne, "share of patches removed", 0.75),
    normPixLoss: entry(flag, "targets are patches normalized by their own mean and deviation", true),
    seed,
  },
  ({ encoder }) =>
    tableFits(encoder ?? {}).map(([name, expected]) => ["encoder", `${name} ${expected}`] as const),
);

/** The tensors of one pretraining step; everything random is drawn on the host. */
export interface MaeInputs {
  /** [B, 3, S, S], normalized; with the context's `positions` [B, 3, H, W]. */
  images: Tensor;
  /** int32 [B*K]. */
  keepRows: Tensor;
  /** int32 [B*L]. */
  restoreRows: Tensor;
  /** [B, L], 1 = removed. */
  mask: Tensor;
}

/** A plan from either spelling of the `fusion` option. */
export function fusionPlan(fusion: LlamaBlocks | FusionPlan | undefined): FusionPlan | undefined {
  return fusion instanceof LlamaBlocks ? through(fusion) : fusion;
}

/**
 * Masked auto-encoder over an encoder that may carry the fusion path. Keys as in mae/models_mae.py, plus those of
 * `Encoder`. Reference: mae/models_mae.py; LUViT section 3.
 */
export class MaskedAutoencoder extends SavableModel {
  readonly encoder: Encoder;
  readonly decoder_embed: Linear;
  readonly mask_token: Parameter;
  readonly decoder_pos_embed: Parameter;
  readonly decoder_blocks: Block[];
  readonly decoder_norm: LayerNorm;
  readonly decoder_pred: Linear;
  readonly decoder: Readonly<DecoderConfig>;
  readonly maskRatio: number;
  readonly normPixLoss: boolean;
  /** True until the decoder was trained or its weights were loaded: released encoders come without. */
  decoderIsFresh = true;

  constructor(options: MaeOptions) {
    super();
    checkOptions("MaskedAutoencoder", shaped("its options", "encoder"), options);
    const { encoder: vit, decoder = decoder512x8, maskRatio = 0.75, normPixLoss = true, seed = 0 } = options;
    expectClassToken("MaskedAutoencoder", vit);
    const rng = new Rng(seed).fork("decoder");
    const fusion = fusionPlan(options.fusion);
    this.encoder = new Encoder({ vit, fusion, finalNorm: true, positions: "sincos", init: "mae", seed });
    this.decoder_embed = new Linear(vit.dim, decoder.dim, rng);
    this.mask_token = new Parameter([1, 1, decoder.dim], normal(0.02), rng.uint32());
    this.decoder_pos_embed = positionParameter(decoder.dim, patchCount(vit), rng, "sincos");
    this.decoder_blocks = Array.from({ length: decoder.depth }, () => new Block(decoder, rng, "mae"));
    this.decoder_norm = new LayerNorm(decoder.dim);
    this.decoder_pred = new Linear(decoder.dim, vit.patchSize ** 2 * 3, rng);
    this.decoder = { ...decoder };
    this.maskRatio = maskRatio;
    this.normPixLoss = normPixLoss;
  }

  protected override transparentFields(): readonly string[] {
    return ["encoder"];
  }

  override loadStateDict(state: StateDict, options?: LoadOptions): LoadReport {
    const report = super.loadStateDict(state, options);
    if (report.loaded.some((path) => path.startsWith("decoder_blocks."))) this.decoderIsFresh = false;
    return report;
  }

  override describe(): MaeConfig {
    const { encoder, maskRatio, normPixLoss, decoderIsFresh } = this;
    const { mean, std, ...geometry } = usualPreprocessing(encoder.config.imageSize);
    return {
      modelType: "luvit-mae",
      encoder: encoder.describe(),
      decoder: describeBlocks(this.decoder, this.decoder_blocks),
      normPixLoss,
      maskRatio,
      decoderIsFresh,
      preprocessing: { ...geometry, mean: [...mean], std: [...std] },
      ...this.describeCommon(),
    };
  }

  /** Visible patches -> latent [B, 1+K, D], class token first, then kept patches in shuffled order. */
  encode({ images, keepRows }: MaeInputs, context: Context = inference): Tensor {
    const patches = this.encoder.embedPatches(images, context);
    const [batch, , dim] = patches.shape as [number, number, number];
    const kept = keepRows.size / batch;
    const visible = tf.gather(tf.reshape(patches, [-1, dim]), keepRows as tf.Tensor1D);
    const tokens = this.encoder.prependClassToken(tf.reshape(visible, [batch, kept, dim]));
    return this.encoder.forward(tokens, context);
  }

  /**
   * latent [B, 1+K, D] -> predicted patches [B, L, p*p*3] in (row, column, channel) order. `grid` of images that are not
   * the model's own square; their positions are made by the context's rule, left out "mae".
   */
  decode(latent: Tensor, restoreRows: Tensor, context: Context = inference, grid?: PatchGrid): Tensor {
    const embedded = this.decoder_embed.forward(latent);
    const [batch, visible, dim] = embedded.shape as [number, number, number];
    const patches = restoreRows.size / batch;
    const classToken = tf.slice(embedded, [0, 0, 0], [batch, 1, dim]);
    const kept = tf.reshape(tf.slice(embedded, [0, 1, 0], [batch, visible - 1, dim]), [-1, dim]);
    const rows = tf.concat([kept, tf.reshape(this.mask_token.value, [1, dim])], 0);
    const ordered = tf.reshape(tf.gather(rows, restoreRows as tf.Tensor1D), [batch, patches, dim]);
    const tokens = tf.add(tf.concat([classToken, ordered], 1), this.decoderPositions(context, grid));
    const decoded = this.decoder_norm.forward(
      runBlocks(tokens, this.decoder_blocks, withoutDropPath(context), "decoder_blocks"),
    );
    return this.decoder_pred.forward(tf.slice(decoded, [0, 1, 0], [batch, patches, dim]));
  }

  /** [1, 1+L, D], the class token's first. */
  private decoderPositions({ positions = "mae" }: Context, grid?: PatchGrid): Tensor {
    const { imageSize, patchSize } = this.encoder.config;
    const [table, own] = [this.decoder_pos_embed.value, imageSize / patchSize];
    if (!grid || (grid.rows === own && grid.columns === own)) return table;
    const first = tf.slice(table, [0, 0, 0], [1, 1, this.decoder.dim]);
    return tf.concat([first, positionsOfGrid(table, grid, positions)], 1);
  }

  /** As `classifier.Classifier.trace`, for the encoder on whole images, nothing masked. */
  trace(images: Tensor | Float32Array, options: TraceOptions): Promise<Activations> {
    return traceForward(this, (fed, context) => this.encoder.tokens(fed, context), images, options);
  }

  /** Every named place of the encoder's forward pass, with its shape for one image, axes and unit. */
  places(): Place[] {
    return placesOf(this, (fed, context) => this.encoder.tokens(fed, context));
  }

  /** What the decoder should predict: patches [B, L, p*p*3], normalized if `normPixLoss`. */
  target(images: Tensor): Tensor {
    const patches = patchify(images, this.encoder.config.patchSize);
    return this.normPixLoss ? normalizedPixels(patches) : patches;
  }

  /** Scalar loss of one batch: mean over removed patches of the mean squared error. */
  loss(inputs: MaeInputs, context: Context = inference): Tensor {
    const { images, restoreRows } = inputs;
    const [rows, columns] = images.shape.slice(2).map((side) => side / this.encoder.config.patchSize);
    const prediction = this.decode(this.encode(inputs, context), restoreRows, context, { rows, columns });
    return maskedPatchLoss(prediction, this.target(images), inputs.mask);
  }

  /** Host mask -> input tensors; the caller disposes them (or tidies). */
  inputs(images: Tensor, mask: PatchMask): MaeInputs {
    return {
      images,
      keepRows: tf.tensor1d(mask.keepRows, "int32"),
      restoreRows: tf.tensor1d(mask.restoreRows, "int32"),
      mask: tf.tensor2d(mask.mask, [mask.batch, mask.patches]),
    };
  }
}

function withoutDropPath(context: Context): Context {
  const { tap, edit } = context;
  return { tap, edit };
}

/**
 * Builds a (LUViT) masked auto-encoder.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, fusion: block, decoder: luvit.mae.decoderToy });
 */
export function create(options: MaeOptions): MaskedAutoencoder {
  checkOptions("mae.create", maeOptions, options);
  return new MaskedAutoencoder(options);
}
