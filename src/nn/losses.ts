import { LuvitError } from "../core/errors";
import { type Tensor, tf } from "../core/tf";
import { layerNorm } from "./ops";

/**
 * Mean over rows of -sum(target * logSoftmax(logits)). logits, targets [B, K] -> scalar. Hard labels, smoothed labels
 * and mixup targets are all soft targets. Reference: timm 0.3.2 SoftTargetCrossEntropy.
 */
export function softTargetCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)));
}

/** labels [B] -> targets [B * K], row-major: 1 - eps + eps/K at the label, eps/K elsewhere. */
export function smoothedTargets(labels: ArrayLike<number>, classes: number, smoothing: number): Float32Array {
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
 * MAE's normalised-pixel target: each patch minus its mean over sqrt(unbiased variance + 1e-6). patches [B, L, P].
 * Run as a LayerNorm, whose biased variance is (P-1)/P of the unbiased one; its op sums flat patches in double precision.
 * Reference: mae/models_mae.py forward_loss.
 */
export function normalisedPixels(patches: Tensor): Tensor {
  const size = patches.shape.at(-1)!;
  const biasedShare = (size - 1) / size;
  const normal = layerNorm(patches, tf.ones([size]), tf.zeros([size]), 1e-6 * biasedShare);
  return tf.mul(normal, Math.sqrt(biasedShare));
}

/** Mean squared error per patch, averaged over removed patches. prediction, target [B, L, P], mask [B, L] 1 = removed. */
export function maskedPatchLoss(prediction: Tensor, target: Tensor, mask: Tensor): Tensor {
  const perPatch = tf.mean(tf.square(tf.sub(prediction, target)), -1);
  return tf.div(tf.sum(tf.mul(perPatch, mask)), tf.sum(mask));
}
