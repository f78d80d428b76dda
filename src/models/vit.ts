import { LuvitError } from "../core/errors";
import {
  checkOptions,
  entry,
  flag,
  number,
  object,
  oneOf,
  optionsOf,
  type Rule,
  shaped,
  whole,
} from "../core/options";
import { rngField } from "../core/options/rng";
import type { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { inBlock } from "../graph/scopes";
import { type Context, inference, site } from "../nn/context";
import { kaimingUniform, normal, uniform, xavierUniform } from "../nn/init";
import { LayerNorm } from "../nn/layers";
import { Module } from "../nn/module";
import { firstAlong, linear } from "../nn/ops";
import { type Initializer, Parameter } from "../nn/parameter";
import { patchesForEmbedding } from "../nn/patches";
import { Attention, LayerScale, type Mlp, type MlpKind, mlpKinds, mlpOf, type SwiGlu } from "./branches";
import { blockSizes, depth, dim, heads, MOST_PATCHES, mlpRatio, pixels, stackFits } from "./options";

/** Added to the variance in every norm, in MAE, timm and DINO. */
export const usualNormEps = 1e-6;

/** Shape of a vision transformer; plain JSON. Part of the config that models and checkpoints are saved with. */
export interface ViTConfig {
  /** Pixels, square. */
  imageSize: number;
  /** Pixels, square. */
  patchSize: number;
  dim: number;
  depth: number;
  heads: number;
  mlpRatio: number;
  /** Further tokens, behind the patches, that no head sees. */
  registers?: number;
  /** What the factors on both branches of every block start with; default none are there. */
  layerScale?: number;
  /** Default "gelu". */
  mlp?: MlpKind;
  /** False where there are patches only, as in SigLIP; default true. */
  classToken?: boolean;
  /** A norm in front of the first block, as in CLIP; default false. */
  preNorm?: boolean;
  /** Of every norm; default 1e-6. */
  normEps?: number;
}

const patchesFit: Rule<ViTConfig> = ({ imageSize = 0, patchSize = 1 }) => {
  if (imageSize % patchSize !== 0) return [["imageSize", `a multiple of patchSize (${patchSize})`]];
  const patches = (imageSize / patchSize) ** 2;
  if (patches <= MOST_PATCHES) return [];
  return [["imageSize", `at most ${MOST_PATCHES} patches (it makes ${patches} with patchSize ${patchSize})`]];
};

/** Shape of a vision transformer. */
export const vitConfig = optionsOf<ViTConfig>(
  {
    imageSize: entry(pixels, "pixels", 224),
    patchSize: entry(pixels, "pixels", 16),
    dim,
    depth,
    heads,
    mlpRatio,
  },
  {
    registers: whole(0, 1000),
    layerScale: number(0, 1000, true),
    mlp: oneOf(mlpKinds),
    classToken: flag,
    preNorm: flag,
    normEps: number(0, 1, true),
  },
  patchesFit,
  stackFits,
);

const at224 = { imageSize: 224, patchSize: 16, mlpRatio: 4 } as const;
/** ViT-Ti/16: 5.72 M parameters with a 1000-class head (timm v0.4.12). */
export const tiny16: Readonly<ViTConfig> = { ...at224, dim: 192, depth: 12, heads: 3 };
/** ViT-S/16: 22.05 M. */
export const small16: Readonly<ViTConfig> = { ...at224, dim: 384, depth: 12, heads: 6 };
/** ViT-B/16: 86.57 M; the paper's encoder. */
export const base16: Readonly<ViTConfig> = { ...at224, dim: 768, depth: 12, heads: 12 };
/** ViT-L/16: 304.33 M. */
export const large16: Readonly<ViTConfig> = { ...at224, dim: 1024, depth: 24, heads: 16 };
/** ViT-H/14: 632.05 M. */
export const huge14: Readonly<ViTConfig> = { ...at224, patchSize: 14, dim: 1280, depth: 32, heads: 16 };
/** For teaching and tests: 64-pixel images in 64 patches, trains in a minute on one core. */
export const toy: Readonly<ViTConfig> = {
  imageSize: 64,
  patchSize: 8,
  dim: 64,
  depth: 4,
  heads: 4,
  mlpRatio: 4,
};

/**
 * Number of patches of a configuration.
 *
 * @throws LuvitError("bad-argument") for sizes that cannot be.
 */
export function patchCount(config: ViTConfig): number {
  checkOptions("ViT", vitConfig, config);
  return (config.imageSize / config.patchSize) ** 2;
}

/** @throws LuvitError("bad-argument") for a ViT that has patches only. */
export function expectClassToken(where: string, { classToken = true }: ViTConfig): void {
  if (classToken) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: needs a class token, and the encoder has classToken: false`,
  );
}

/** How weights start: "mae" for pretraining (xavier), "timm" for training or finetuning from scratch (normal 0.02). */
export type InitScheme = "mae" | "timm";

const linearInit: Record<InitScheme, Initializer> = { mae: xavierUniform, timm: normal(0.02) };

/** Sizes of a block. */
type BlockConfig = Pick<ViTConfig, "dim" | "heads" | "mlpRatio" | "layerScale" | "mlp" | "normEps">;

/**
 * Pre-norm transformer block: x += ls1(attn(norm1 x)); x += ls2(mlp(norm2 x)). Layer scales only where the config says so.
 * Reference: timm 0.3.2 vision_transformer.py; facebookresearch/dinov2 layers/block.py.
 */
export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attn: Attention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp | SwiGlu;
  readonly ls1?: LayerScale;
  readonly ls2?: LayerScale;

  constructor(config: BlockConfig, rng: Rng, scheme: InitScheme) {
    super();
    checkOptions("Block", shaped("sizes { dim, heads, mlpRatio }", "dim"), config);
    checkOptions("Block", rngField, rng);
    const { dim, heads, mlpRatio } = config;
    checkOptions("Block", blockSizes, { dim, heads, mlpRatio });
    const initialize = linearInit[scheme];
    this.norm1 = new LayerNorm(dim, config.normEps);
    this.attn = new Attention(dim, heads, rng, initialize);
    this.norm2 = new LayerNorm(dim, config.normEps);
    this.mlp = mlpOf(config.mlp, dim, Math.round(dim * mlpRatio), rng, initialize);
    const { layerScale } = config;
    if (layerScale) [this.ls1, this.ls2] = [new LayerScale(dim, layerScale), new LayerScale(dim, layerScale)];
  }

  /**
   * x [B, T, D] -> [B, N, D], N the first `queries` tokens, default all; `dropPathRow` is this block's first row of
   * `context.dropPath`. Sites `<name>.*`.
   */
  forward(x: Tensor, context: Context, name: string, dropPathRow: number, queries?: number): Tensor {
    const see = (part: string, value: Tensor) => site(context, `${name}.${part}`, value);
    const normal = see("norm1", this.norm1.forward(x));
    const attended = this.attn.forward(normal, context, `${name}.attn`, queries);
    const branch = dropBranch(scaled(attended, this.ls1), context, dropPathRow);
    const middle = see("middle", tf.add(firstAlong(x, 1, queries), branch));
    const expanded = this.mlp.forward(see("norm2", this.norm2.forward(middle)), context, `${name}.mlp`);
    return see("out", tf.add(middle, dropBranch(scaled(expanded, this.ls2), context, dropPathRow + 1)));
  }
}

const scaled = (branch: Tensor, scale: LayerScale | undefined) => (scale ? scale.forward(branch) : branch);

/** A branch x [B, T, D] times what `context.dropPath` says of each sample, where it says anything. */
export function dropBranch(branch: Tensor, { dropPath }: Context, row: number): Tensor {
  if (!dropPath) return branch;
  const batch = branch.shape[0];
  return tf.mul(branch, tf.reshape(tf.slice(dropPath, [row, 0], [1, batch]), [batch, 1, 1]));
}

/** The patch-embedding convolution, kernel = stride = patch. Key `proj.weight` [D, 3, p, p]; run as a product. */
export class PatchEmbed extends Module {
  readonly proj: PatchProjection;

  constructor(
    readonly patchSize: number,
    width: number,
    rng: Rng,
    scheme: InitScheme,
  ) {
    super();
    checkOptions("PatchEmbed", object({ patchSize: pixels, dim }, {}), { patchSize, dim: width });
    checkOptions("PatchEmbed", rngField, rng);
    this.proj = new PatchProjection(patchSize, width, rng, scheme);
  }

  /** images [B, 3, H, W] -> [B, L, D], rows of patches first. */
  forward(images: Tensor): Tensor {
    return this.proj.forward(patchesForEmbedding(images, this.patchSize));
  }
}

/** The convolution's parameters: `weight` [D, 3, p, p], `bias` [D]. */
export class PatchProjection extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(patch: number, dim: number, rng: Rng, scheme: InitScheme) {
    super();
    // MAE fills the convolution's weight as a linear's, timm leaves it alone; both leave its bias at torch's default.
    const initialize = scheme === "mae" ? xavierUniform : kaimingUniform;
    this.weight = new Parameter([dim, 3, patch, patch], initialize, rng.uint32());
    const bias = uniform(1 / Math.sqrt(3 * patch * patch));
    this.bias = new Parameter([dim], bias, rng.uint32());
  }

  forward(cells: Tensor): Tensor {
    const flat = tf.reshape(this.weight.value, [this.weight.shape[0], -1]);
    return linear(cells, flat, this.bias.value);
  }
}

/** Runs blocks in order, the last for the first `queries` tokens alone. x [B, T, D]. Sites `blocks.k.*`. */
export function runBlocks(
  x: Tensor,
  blocks: readonly Block[],
  context: Context = inference,
  name = "blocks",
  first = 0,
  queries?: number,
): Tensor {
  return blocks.reduce((tokens, block, i) => {
    const path = `${name}.${first + i}`;
    const own = i === blocks.length - 1 ? queries : undefined;
    return inBlock(path, () => block.forward(tokens, context, path, 2 * (first + i), own));
  }, x);
}
