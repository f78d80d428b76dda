import { LuvitError } from "../../core/errors";
import { formatShape } from "../../core/hostTensor";
import { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { inBlock } from "../../graph/scopes";
import { type Context, inference, site } from "../../nn/context";
import { normal } from "../../nn/init";
import { LayerNorm } from "../../nn/layers";
import { Module } from "../../nn/module";
import { Parameter } from "../../nn/parameter";
import { positionsOfGrid } from "../../nn/positionEmbedding";
import { Mlp } from "../branches";
import { FusionPath, type FusionPlan } from "../fusion";
import { dropBranch, PatchEmbed } from "../vit";
import { type Grid, RelativeAttention } from "./relativeAttention";
import type { WindowedViTConfig } from "./settings";

/** Pre-norm block whose attention sees a window, or all tokens where `window` is 0. */
class WindowedBlock extends Module {
  readonly norm1: LayerNorm;
  readonly attn: RelativeAttention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;

  constructor(
    { dim, heads, mlpRatio, normEps, imageSize, patchSize }: WindowedViTConfig,
    private readonly window: number,
    rng: Rng,
  ) {
    super();
    this.norm1 = new LayerNorm(dim, normEps);
    this.attn = new RelativeAttention(dim, heads, window > 0 ? window : imageSize / patchSize, rng);
    this.norm2 = new LayerNorm(dim, normEps);
    this.mlp = new Mlp(dim, Math.round(dim * mlpRatio), rng, normal(0.02));
  }

  /** x [B, rows * columns, D] -> the same; `dropPathRow` is this block's first row of `context.dropPath`. */
  forward(x: Tensor, grid: Grid, context: Context, name: string, dropPathRow: number): Tensor {
    const attended = this.attend(this.norm1.forward(x), grid, context, `${name}.attn`);
    const middle = tf.add(x, dropBranch(attended, context, dropPathRow));
    const expanded = this.mlp.forward(this.norm2.forward(middle), context, `${name}.mlp`);
    return tf.add(middle, dropBranch(expanded, context, dropPathRow + 1));
  }

  /** The norm comes first: what fills the last windows up are zeros, which are seen like other tokens. */
  private attend(x: Tensor, grid: Grid, context: Context, name: string): Tensor {
    const { window } = this;
    if (window === 0) return this.attn.forward(x, grid, context, name);
    const windows = this.attn.forward(cut(x, grid, window), { rows: window, columns: window }, context, name);
    return joinWindows(windows, grid, window, x.shape[0]);
  }
}

/** x [B, rows * columns, D] -> windows [B * windows, side * side, D], zeros below and to the right. */
function cut(x: Tensor, { rows, columns }: Grid, side: number): Tensor {
  const [batch, , dim] = x.shape as [number, number, number];
  const [down, across] = [Math.ceil(rows / side), Math.ceil(columns / side)];
  const whole = tf.pad(tf.reshape(x, [batch, rows, columns, dim]), [
    [0, 0],
    [0, down * side - rows],
    [0, across * side - columns],
    [0, 0],
  ]);
  const strips = tf.transpose(tf.reshape(whole, [batch * down, side, across, side * dim]), [0, 2, 1, 3]);
  return tf.reshape(strips, [batch * down * across, side * side, dim]);
}

/** The inverse of `cut`. */
function joinWindows(windows: Tensor, { rows, columns }: Grid, side: number, batch: number): Tensor {
  const dim = windows.shape[2]!;
  const [down, across] = [Math.ceil(rows / side), Math.ceil(columns / side)];
  const strips = tf.transpose(tf.reshape(windows, [batch * down, across, side, side * dim]), [0, 2, 1, 3]);
  const whole = tf.reshape(strips, [batch, down * side, across * side, dim]);
  return tf.reshape(tf.slice(whole, [0, 0, 0, 0], [batch, rows, columns, dim]), [batch, rows * columns, dim]);
}

/**
 * Images to one map. No class token, and no norm behind the last block; with a fusion path all tokens go through it,
 * whose second mapper's result is then the map. Keys `pos_embed` [1, 1 + n², D], `patch_embed.proj.*`, `blocks.*`,
 * `llama_dim_mapper1.*`, `llama.*`, `llama_dim_mapper2.*`.
 * Reference: detectron2 modeling/backbone/vit.py ViT; LUViT appendix D.4.
 */
export class WindowedViT extends Module {
  readonly pos_embed: Parameter;
  readonly patch_embed: PatchEmbed;
  readonly blocks: WindowedBlock[];
  readonly fusion?: FusionPath;
  readonly config: Readonly<WindowedViTConfig>;

  constructor(config: WindowedViTConfig, fusion: FusionPath | FusionPlan | undefined, seed: number) {
    super();
    const { dim, patchSize, depth, windowSize, globalBlocks, pretrainImageSize } = config;
    const rng = new Rng(seed).fork("encoder");
    this.config = { ...config };
    const tokens = 1 + (pretrainImageSize / patchSize) ** 2;
    this.pos_embed = new Parameter([1, tokens, dim], normal(0.02), rng.uint32());
    this.patch_embed = new PatchEmbed(patchSize, dim, rng, "timm");
    this.blocks = Array.from(
      { length: depth },
      (_, i) => new WindowedBlock(config, globalBlocks.includes(i) ? 0 : windowSize, rng),
    );
    if (fusion) this.fusion = fusion instanceof FusionPath ? fusion : new FusionPath(dim, fusion);
  }

  protected override transparentFields(): readonly string[] {
    return ["fusion"];
  }

  /** images [B, 3, H, W], normalized, -> map [B, H/p, W/p, D]. Taps `tokens`, `blocks.k.out`, `fusion.*`. */
  forward(images: Tensor, context: Context = inference): Tensor {
    const grid = this.gridOf(images);
    const batch = images.shape[0];
    const positions = positionsOfGrid(this.pos_embed.value, grid, "mae");
    const tokens = site(context, "tokens", tf.add(this.patch_embed.forward(images), positions));
    const after = this.fusion?.plan.after ?? this.config.depth;
    const early = this.run(tokens, grid, context, 0, after);
    const fused = this.fusion ? this.fusion.forward(early, context) : early;
    const late = this.run(fused, grid, context, after, this.config.depth);
    return tf.reshape(late, [batch, grid.rows, grid.columns, this.config.dim]);
  }

  private run(x: Tensor, grid: Grid, context: Context, first: number, end: number): Tensor {
    return this.blocks.slice(first, end).reduce((tokens, block, i) => {
      const path = `blocks.${first + i}`;
      const out = inBlock(path, () => block.forward(tokens, grid, context, path, 2 * (first + i)));
      return site(context, `${path}.out`, out);
    }, x);
  }

  private gridOf(images: Tensor): Grid {
    const { patchSize } = this.config;
    const [, channels, height, width] = images.shape as [number, number, number, number];
    if (images.rank === 4 && channels === 3 && height % patchSize === 0 && width % patchSize === 0)
      return { rows: height / patchSize, columns: width / patchSize };
    const expected = `[B, 3, H, W], H and W multiples of ${patchSize}`;
    throw new LuvitError("shape-mismatch", `images: expected ${expected}, got ${formatShape(images.shape)}`);
  }
}
