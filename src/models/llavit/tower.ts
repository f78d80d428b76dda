import { type Tensor, tf } from "../../core/tf";
import type { Context } from "../../nn/context";
import type { Encoder } from "../encoder";
import type { ClipTower } from "./clip";

/** What a language model sees images through: a ViT, with or without the path of LUViT, or CLIP's. */
export type Tower = Encoder | ClipTower;

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
  const { firstPatch } = tower;
  const states = tower.statesOf(images, context);
  const patches = layers.map((layer) => {
    const [batch, tokens, dim] = states[layer].shape as [number, number, number];
    return tf.slice(states[layer], [0, firstPatch, 0], [batch, tokens - firstPatch, dim]);
  });
  return patches.length === 1 ? patches[0] : tf.concat(patches, 2);
}
