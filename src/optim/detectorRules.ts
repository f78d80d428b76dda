import { checkOptions } from "../core/options";
import type { Module } from "../nn/module";
import { type LayerDecayOptions, layerDecayOptions, type ParameterRules, rulesOf } from "./groups";

/** Where the encoder's parameters lie in a detector. */
const ENCODER = "backbone.net.";

/**
 * A detector's: embeddings are layer 0, block k is layer k + 1, everything else (pyramid, heads, mappers, LoRA) the last
 * layer with scale 1. No decay for the encoder's norms and `pos_embed`; biases, relative positions and the norms over
 * channels of pyramid and heads decay.
 * Reference: detectron2 projects/ViTDet/configs/COCO/mask_rcnn_vitdet_b_100ep.py, modeling/backbone/vit.py get_vit_lr_decay_rate.
 */
export function detectorRules(model: Module, options: LayerDecayOptions): ParameterRules {
  checkOptions("detectorRules", layerDecayOptions, options);
  const { weightDecay, layerDecay, depth } = options;
  const last = depth + 1;
  return rulesOf(model, (path) => {
    const layer = path.startsWith(ENCODER) ? layerOf(path.slice(ENCODER.length), last) : last;
    const exempt = path === `${ENCODER}pos_embed` || isTorchNorm(path);
    return { weightDecay: exempt ? 0 : weightDecay, lrScale: layerDecay ** (last - layer), layer };
  });
}

const isTorchNorm = (path: string) => /^backbone\.net\.(blocks\.\d+\.norm[12]|mlp_norm)\./.test(path);

function layerOf(path: string, last: number): number {
  if (path === "pos_embed" || path.startsWith("patch_embed.")) return 0;
  const block = /^blocks\.(\d+)\./.exec(path);
  return block ? Number(block[1]) + 1 : last;
}
