import { LuvitError } from "../core/errors";
import { checkOptions, row } from "../core/options";
import type { Tensor } from "../core/tf";
import { tensorField } from "../core/tf";
import { crossEntropy } from "./ops/crossEntropy";
import { normalRows } from "./ops/norms";
import { patchLoss } from "./ops/patchLoss";

/**
 * Mean over rows of -sum(target * logSoftmax(logits)). logits, targets [B, K] -> scalar. Hard labels, smoothed labels
 * and mixup targets are all soft targets. Reference: timm 0.3.2 SoftTargetCrossEntropy.
 */
export function softTargetCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  for (const one of [logits, targets]) checkOptions("softTargetCrossEntropy", tensorField, one);
  return crossEntropy(logits, targets);
}

/** labels [B] -> targets [B * K], row-major: 1 - eps + eps/K at the label, eps/K elsewhere. */
export function smoothedTargets(labels: ArrayLike<number>, classes: number, smoothing: number): Float32Array {
  checkOptions("smoothedTargets", row("a list of labels"), labels);
  const isForeign = (label: number) => !Number.isInteger(label) || label < 0 || label >= classes;
  const foreign = Array.prototype.findIndex.call(labels, isForeign);
  if (foreign >= 0) {
    throw new LuvitError(
      "bad-argument",
      `targets: label ${labels[foreign]} at place ${foreign}, expected 0 to ${classes - 1}`,
    );
  }
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  for (let i = 0; i < labels.length; i++)
    targets[i * classes + labels[i]] = 1 - smoothing + smoothing / classes;
  return targets;
}

/**
 * MAE's normalized-pixel target: each patch minus its mean over sqrt(unbiased variance + 1e-6). patches [B, L, P].
 * Reference: mae/models_mae.py forward_loss.
 */
export function normalizedPixels(patches: Tensor): Tensor {
  return normalRows(patches, 1e-6);
}

/** Mean squared error per patch, averaged over removed patches. prediction, target [B, L, P], mask [B, L] 1 = removed. */
export function maskedPatchLoss(prediction: Tensor, target: Tensor, mask: Tensor): Tensor {
  for (const one of [prediction, target, mask]) checkOptions("maskedPatchLoss", tensorField, one);
  return patchLoss(prediction, target, mask);
}
