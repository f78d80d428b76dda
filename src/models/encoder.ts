import { LuvitError } from "../core/errors";
import { formatShape } from "../core/hostTensor";
import { checkOptions } from "../core/options";
import { Rng } from "../core/rng";
import { type Tensor, tensorField, tf } from "../core/tf";
import { type Context, inference, site } from "../nn/context";
import { normal } from "../nn/init";
import { LayerNorm } from "../nn/layers";
import { Module } from "../nn/module";
import { firstAlong } from "../nn/ops";
import { Parameter } from "../nn/parameter";
import { type PatchGrid, type PositionRule, positionsOfGrid } from "../nn/positionEmbedding";
import type { EncoderConfig } from "./config";
import { describeBlocks } from "./describe";
import { FusionPath, type FusionPlan } from "./fusion";
import { positionParameter } from "./positions";
import { Block, type InitScheme, PatchEmbed, patchCount, runBlocks, type ViTConfig } from "./vit";

export interface EncoderOptions {
  vit: ViTConfig;
  fusion?: FusionPlan;
  /** Keep a final LayerNorm `norm` (MAE, class-token classifiers); false where pooling has its own norm. */
  finalNorm: boolean;
  positions: "sincos" | "learned";
  init: InitScheme;
  seed: number;
}

/**
 * A ViT with, or without, the fusion path behind it. Keys `cls_token`, `pos_embed`, `register_tokens`, `patch_embed.*`, `norm_pre.*`, `blocks.*`,
 * `llama_dim_mapper1.*`, `llama.*`, `llama_dim_mapper2.*`, `norm.*`.
 */
export class Encoder extends Module {
  readonly cls_token?: Parameter;
  readonly pos_embed: Parameter;
  readonly patch_embed: PatchEmbed;
  readonly register_tokens?: Parameter;
  readonly norm_pre?: LayerNorm;
  readonly blocks: Block[];
  readonly fusion?: FusionPath;
  norm?: LayerNorm;
  readonly config: Readonly<ViTConfig>;

  constructor({ vit, fusion, finalNorm, positions, init, seed }: EncoderOptions) {
    super();
    const rng = new Rng(seed).fork("encoder");
    const patches = patchCount(vit);
    requirePlace(fusion, vit.depth);
    this.config = { ...vit };
    const { classToken = true, preNorm = false, normEps } = vit;
    const seedOfToken = rng.uint32();
    if (classToken) this.cls_token = new Parameter([1, 1, vit.dim], normal(0.02), seedOfToken);
    this.pos_embed = positionParameter(vit.dim, patches, rng, positions, this.firstPatch);
    this.patch_embed = new PatchEmbed(vit.patchSize, vit.dim, rng, init);
    if (preNorm) this.norm_pre = new LayerNorm(vit.dim, normEps);
    this.blocks = Array.from({ length: vit.depth }, () => new Block(vit, rng, init));
    const { registers = 0 } = vit;
    if (registers > 0)
      this.register_tokens = new Parameter([1, registers, vit.dim], normal(0.02), rng.uint32());
    if (fusion) this.fusion = new FusionPath(vit.dim, fusion);
    if (finalNorm || fusion?.normFirst) this.norm = new LayerNorm(vit.dim, normEps);
  }

  protected override transparentFields(): readonly string[] {
    return ["fusion"];
  }

  /** Where the patches begin among the tokens: behind the class token, where there is one. */
  get firstPatch(): 0 | 1 {
    return this.cls_token ? 1 : 0;
  }

  /** Everything that decides what its weights compute. */
  describe(): EncoderConfig {
    const { config, norm, blocks } = this;
    const { imageSize, patchSize } = config;
    const fusion = this.fusion?.describe(config.depth) ?? null;
    const finalNorm = norm !== undefined;
    return {
      imageSize,
      patchSize,
      ...describeBlocks(config, blocks),
      ...extrasOf(config),
      finalNorm,
      fusion,
    };
  }

  /**
   * images [B, 3, S, S] -> patch tokens with position [B, L, D], class token not yet there. With `positions`, images
   * [B, 3, H, W] of any size that the patch divides, see `Context`.
   */
  embedPatches(images: Tensor, { positions }: Context = inference): Tensor {
    const { imageSize, patchSize } = this.config;
    const grid = gridOf(images, this.config, positions);
    const [batch, , height, width] = images.shape as [number, number, number, number];
    const [rows, columns] = [grid.rows * patchSize, grid.columns * patchSize];
    // DINO's rule spares the model's own square, but not another image with as many rows and columns of patches.
    const isOwn = height === width && rows === imageSize;
    const table = positionsOfGrid(
      this.pos_embed.value,
      grid,
      isOwn ? "mae" : (positions ?? "mae"),
      this.firstPatch,
    );
    const isFilled = rows === height && columns === width;
    const filling = isFilled ? images : tf.slice(images, [0, 0, 0, 0], [batch, 3, rows, columns]);
    return tf.add(this.patch_embed.forward(filling), table);
  }

  /** Puts the class token, with its position, in front, where there is one: x [B, T, D] -> [B, 1+T, D]. */
  prependClassToken(x: Tensor): Tensor {
    if (!this.cls_token) return x;
    const position = tf.slice(this.pos_embed.value, [0, 0, 0], [1, 1, this.config.dim]);
    const token = tf.add(this.cls_token.value, position);
    return tf.concat([tf.tile(token, [x.shape[0], 1, 1]), x], 1);
  }

  /** images [B, 3, S, S] -> tokens [B, 1+L, D] after everything, nothing masked; other sizes with `positions`. */
  tokens(images: Tensor, context: Context = inference): Tensor {
    return this.forward(this.prependClassToken(this.embedPatches(images, context)), context);
  }

  /**
   * Tokens with class token [B, T, D] -> [B, T, D] through blocks, fusion path and final norm, as configured. Sites
   * `embed`, `blocks.*`, `fusion.*`, `llama.*`, `tokens`.
   */
  forward(x: Tensor, context: Context): Tensor {
    const last = this.states(x, context).at(-1)!;
    return site(
      context,
      "tokens",
      this.norm && !this.fusion?.plan.normFirst ? this.norm.forward(last) : last,
    );
  }

  /** images [B, 3, S, S] -> their `states`, nothing masked. */
  statesOf(images: Tensor, context: Context = inference): Tensor[] {
    return this.states(this.prependClassToken(this.embedPatches(images, context)), context);
  }

  /**
   * Tokens [B, T, D] -> what entered the first block and what left each, [1 + depth] of [B, T, D], before the final norm.
   * Registers go through all of it and are not given back. The fusion path belongs to the block in front of it: what leaves that one has been through both.
   */
  states(x: Tensor, context: Context): Tensor[] {
    const { after = this.config.depth, normFirst = false } = this.fusion?.plan ?? {};
    const { lastQueries } = context;
    const last = this.fusion && after === this.config.depth ? "fusion" : "block";
    const fused = (tokens: Tensor, blocks: number) => {
      if (!this.fusion || blocks !== after) return tokens;
      const entering = normFirst && this.norm ? this.norm.forward(tokens) : tokens;
      return this.fusion.forward(entering, context, last === "fusion" ? lastQueries : undefined);
    };
    const complete = this.withRegisters(x);
    const entering = this.norm_pre ? this.norm_pre.forward(complete) : complete;
    const states = [fused(site(context, "embed", entering), 0)];
    for (const [i, block] of this.blocks.entries()) {
      const queries = last === "block" && i === this.blocks.length - 1 ? lastQueries : undefined;
      states.push(fused(runBlocks(states[i], [block], context, "blocks", i, queries), i + 1));
    }
    return this.register_tokens ? states.map((state) => firstAlong(state, 1, x.shape[1]!)) : states;
  }

  /** x [B, T, D] -> [B, T + R, D]. Where they stand among the tokens does not matter: they have no position. */
  private withRegisters(x: Tensor): Tensor {
    if (!this.register_tokens) return x;
    return tf.concat([x, tf.tile(this.register_tokens.value, [x.shape[0], 1, 1])], 1);
  }
}

/** What a ViT has beyond MAE's, entries only where it has them. */
function extrasOf({
  registers = 0,
  layerScale,
  mlp = "gelu",
  classToken = true,
  preNorm = false,
}: ViTConfig) {
  return {
    ...(registers > 0 && { registers }),
    ...(layerScale !== undefined && { layerScale }),
    ...(mlp !== "gelu" && { mlp }),
    ...(!classToken && { classToken: false as const }),
    ...(preNorm && { preNorm: true as const }),
  };
}

/** @throws LuvitError("shape-mismatch") for images that are not taken. */
function gridOf(
  images: Tensor,
  { imageSize, patchSize }: ViTConfig,
  positions: PositionRule | undefined,
): PatchGrid {
  checkOptions("images", tensorField, images);
  const [, channels, ...sides] = images.shape;
  const fits = (side: number) => {
    if (positions === undefined) return side === imageSize;
    return side >= patchSize && (positions === "dino" || side % patchSize === 0);
  };
  if (images.rank === 4 && channels === 3 && sides.every(fits)) {
    const [rows, columns] = sides.map((side) => Math.floor(side / patchSize));
    return { rows, columns };
  }
  const anySize = positions === "dino" ? `at least ${patchSize}` : `multiples of ${patchSize}`;
  const [expected, why] = positions
    ? ["[B, 3, H, W]", `with positions "${positions}", H and W have to be ${anySize}`]
    : [`[B, 3, ${imageSize}, ${imageSize}]`, `the model's imageSize is ${imageSize}`];
  throw new LuvitError(
    "shape-mismatch",
    `images: expected ${expected}, got ${formatShape(images.shape)}; ${why}`,
  );
}

function requirePlace(fusion: FusionPlan | undefined, depth: number): void {
  const after = fusion?.after ?? depth;
  if (Number.isInteger(after) && after >= 0 && after <= depth) return;
  throw new LuvitError(
    "bad-argument",
    `fusion: after is ${after}, expected a number of ViT blocks from 0 to ${depth}`,
  );
}
