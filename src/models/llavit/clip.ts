import { LuvitError } from "../../core/errors";
import { formatShape } from "../../core/hostTensor";
import { checkOptions, shaped } from "../../core/options";
import { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { inBlock } from "../../graph/scopes";
import { scaledDotProductAttention } from "../../nn/attention";
import { type Context, inference, site } from "../../nn/context";
import { normal } from "../../nn/init";
import { LayerNorm, Linear } from "../../nn/layers";
import { Module } from "../../nn/module";
import { gelu, linear, mergeHeads, splitHeads } from "../../nn/ops";
import { Parameter } from "../../nn/parameter";
import { patchesForEmbedding } from "../../nn/patches";
import type { ClipConfig } from "../config";

const initialize = normal(0.02);

/** Projections of their own for q, k and v, all with biases. */
class ClipAttention extends Module {
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly out_proj: Linear;

  constructor(
    private readonly config: ClipConfig,
    rng: Rng,
  ) {
    super();
    const square = () => new Linear(config.dim, config.dim, rng, { initialize });
    [this.q_proj, this.k_proj, this.v_proj, this.out_proj] = [square(), square(), square(), square()];
  }

  forward(x: Tensor, context: Context, name: string): Tensor {
    const split = (projection: Linear) => splitHeads(projection.forward(x), this.config.heads);
    const [q, k, v] = [this.q_proj, this.k_proj, this.v_proj].map(split);
    const { tap, edit } = context;
    return this.out_proj.forward(
      mergeHeads(scaledDotProductAttention(q, k, v, { context: { tap, edit }, name })),
    );
  }
}

class ClipMlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(
    private readonly config: ClipConfig,
    rng: Rng,
  ) {
    super();
    this.fc1 = new Linear(config.dim, config.hiddenDim, rng, { initialize });
    this.fc2 = new Linear(config.hiddenDim, config.dim, rng, { initialize });
  }

  forward(x: Tensor): Tensor {
    const wide = this.fc1.forward(x);
    if (this.config.activation === "gelu") return this.fc2.forward(gelu(wide));
    return this.fc2.forward(tf.mul(wide, tf.sigmoid(tf.mul(wide, 1.702))));
  }
}

class ClipBlock extends Module {
  readonly layer_norm1: LayerNorm;
  readonly self_attn: ClipAttention;
  readonly layer_norm2: LayerNorm;
  readonly mlp: ClipMlp;

  constructor(config: ClipConfig, rng: Rng) {
    super();
    this.layer_norm1 = new LayerNorm(config.dim, config.normEps);
    this.self_attn = new ClipAttention(config, rng);
    this.layer_norm2 = new LayerNorm(config.dim, config.normEps);
    this.mlp = new ClipMlp(config, rng);
  }

  forward(x: Tensor, context: Context, name: string): Tensor {
    const middle = tf.add(x, this.self_attn.forward(this.layer_norm1.forward(x), context, `${name}.attn`));
    const out = tf.add(middle, this.mlp.forward(this.layer_norm2.forward(middle)));
    return site(context, `${name}.out`, out);
  }
}

/**
 * CLIP's image encoder as LLaVA sees through it: without its last norm and projection. Keys of transformers with the outer
 * names taken away: `class_embedding` [D], `patch_embedding.weight` [D, 3, p, p], `position_embedding.weight` [1+L, D],
 * `pre_layrnorm.*`, `layers.N.*`. Reference: transformers models/clip/modeling_clip.py.
 */
export class ClipTower extends Module {
  readonly class_embedding: Parameter;
  readonly patch_embedding: ClipTable;
  readonly position_embedding: ClipTable;
  readonly pre_layrnorm: LayerNorm;
  readonly layers: ClipBlock[];

  constructor(
    readonly config: ClipConfig,
    seed = 0,
  ) {
    super();
    checkOptions(
      "ClipTower",
      shaped("the shape of a CLIP encoder { imageSize, dim, … }", "imageSize", "dim"),
      config,
    );
    const rng = new Rng(seed).fork("clip");
    const { imageSize, patchSize, dim, depth, normEps } = config;
    const patches = Math.floor(imageSize / patchSize) ** 2;
    this.class_embedding = new Parameter([dim], initialize, rng.uint32());
    this.patch_embedding = new ClipTable([dim, 3, patchSize, patchSize], rng);
    this.position_embedding = new ClipTable([1 + patches, dim], rng);
    this.pre_layrnorm = new LayerNorm(dim, normEps);
    this.layers = Array.from({ length: depth }, () => new ClipBlock(config, rng));
  }

  /** Where the patches begin among the tokens: behind the class token. */
  readonly firstPatch = 1;

  describe(): ClipConfig {
    return { ...this.config };
  }

  /** images [B, 3, S, S] -> what entered the first block and what left each, [1 + depth] of [B, 1+L, D]. Taps `blocks.k.*`. */
  statesOf(images: Tensor, context: Context = inference): Tensor[] {
    const { imageSize, patchSize, dim } = this.config;
    if (images.shape.slice(1).join() !== `3,${imageSize},${imageSize}`) {
      const shapes = `expected [B, 3, ${imageSize}, ${imageSize}], got ${formatShape(images.shape)}`;
      throw new LuvitError("shape-mismatch", `images: ${shapes}; the tower's imageSize is ${imageSize}`);
    }
    const weight = tf.reshape(this.patch_embedding.weight.value, [dim, -1]);
    const patches = linear(patchesForEmbedding(images, patchSize), weight);
    const token = tf.tile(tf.reshape(this.class_embedding.value, [1, 1, dim]), [images.shape[0], 1, 1]);
    const embedded = tf.add(tf.concat([token, patches], 1), this.position_embedding.weight.value);
    const states = [this.pre_layrnorm.forward(embedded)];
    for (const [i, block] of this.layers.entries()) {
      const path = `blocks.${i}`;
      states.push(inBlock(path, () => block.forward(states[i], context, path)));
    }
    return states;
  }
}

/** A bare weight; key `weight`. */
class ClipTable extends Module {
  readonly weight: Parameter;

  constructor(shape: readonly number[], rng: Rng) {
    super();
    this.weight = new Parameter(shape, initialize, rng.uint32());
  }
}
