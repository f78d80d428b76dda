import { checkOptions, optionsOf, whole } from "../core/options";
import type { Module } from "../nn/module";
import { layerDecay, weightDecay, weightDecayOption } from "./options";

/** How the optimizer treats one parameter. */
export interface ParameterRule {
  weightDecay: number;
  /** Factor on the scheduled rate. */
  lrScale: number;
  /** Layer the scale comes from, 0 = embeddings; only with layer-wise decay. */
  layer?: number;
}

/** Rules by parameter path, trainable parameters only. */
export type ParameterRules = Map<string, ParameterRule>;

/**
 * Pretraining: no decay for one-dimensional parameters and biases; class and mask token do decay.
 * Reference: timm 0.3.2 optim_factory.py add_weight_decay, called without a skip list.
 */
export function pretrainRules(model: Module, weightDecay: number): ParameterRules {
  checkOptions("pretrainRules", weightDecayOption, { weightDecay });
  return rulesOf(model, (path, shape) => ({
    weightDecay: shape.length === 1 || path.endsWith(".bias") ? 0 : weightDecay,
    lrScale: 1,
  }));
}

export interface LayerDecayOptions {
  weightDecay: number;
  /** Rate of layer k is layerDecay^(depth + 1 - k); 1 switches layer-wise decay off. */
  layerDecay: number;
  /** Number of ViT blocks. */
  depth: number;
}

export const layerDecayOptions = optionsOf<LayerDecayOptions>(
  { weightDecay, layerDecay, depth: whole(0, 10_000) },
  {},
);

/**
 * Finetuning with layer-wise decay: embeddings are layer 0, block k is layer k+1, everything else (norms, head, mappers,
 * LoRA) the last layer with scale 1. No decay for one-dimensional parameters, `pos_embed`, `cls_token` and `register_tokens`.
 * Reference: mae/util/lr_decay.py.
 */
export function finetuneRules(model: Module, options: LayerDecayOptions): ParameterRules {
  checkOptions("finetuneRules", layerDecayOptions, options);
  const { weightDecay, layerDecay, depth } = options;
  const last = depth + 1;
  return rulesOf(model, (path, shape) => {
    const layer = layerOf(path, last);
    const exempt = shape.length === 1 || ["pos_embed", "cls_token", "register_tokens"].includes(path);
    return { weightDecay: exempt ? 0 : weightDecay, lrScale: layerDecay ** (last - layer), layer };
  });
}

function layerOf(path: string, last: number): number {
  if (["cls_token", "pos_embed", "register_tokens"].includes(path) || path.startsWith("patch_embed"))
    return 0;
  const block = /^blocks\.(\d+)\./.exec(path);
  return block ? Number(block[1]) + 1 : last;
}

/** A rule for every trainable parameter. */
export function rulesOf(
  model: Module,
  rule: (path: string, shape: readonly number[]) => ParameterRule,
): ParameterRules {
  const trainable = [...model.namedParameters()].filter(([, parameter]) => parameter.trainable);
  return new Map(trainable.map(([path, parameter]) => [path, rule(path, parameter.shape)]));
}
