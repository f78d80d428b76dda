import { type Tensor, tf } from "../../core/tf";
import type { Context } from "../../nn/context";
import type { Module } from "../../nn/module";

/** What a language model sees images through: a ViT, a LUViT, CLIP's. */
export interface Tower extends Module {
  readonly config: {
    readonly imageSize: number;
    readonly patchSize: number;
    readonly dim: number;
    readonly depth: number;
  };
  /** images [B, 3, S, S] -> what entered the first block and what left each, [1 + depth] of [B, 1+L, D], no final norm. */
  statesOf(images: Tensor, context: Context): Tensor[];
}

/**
 * Patch features [B, L, m D] of several depths, one after another on the channels, class token and final norm left out.
 * `layers` are counted from 1; 0 is what entered the first block.
 * Reference: transformers models/llava/modeling_llava.py (`vision_feature_layer` as a list); LLaViT, "local and global".
 */
export function towerFeatures(
  tower: Tower,
  images: Tensor,
  layers: readonly number[],
  context: Context,
): Tensor {
  const states = tower.statesOf(images, context);
  const patches = layers.map((layer) => {
    const [batch, tokens, dim] = states[layer].shape as [number, number, number];
    return tf.slice(states[layer], [0, 1, 0], [batch, tokens - 1, dim]);
  });
  return patches.length === 1 ? patches[0] : tf.concat(patches, 2);
}
