import { type Tensor, tf } from "../../core/tf";

/**
 * Grad-CAM's weighted sum before its relu: patch rows of an activation, each channel weighted by its gradient's mean over
 * the patches. activation and gradient [B, T, D], class token first where there is one -> [B, P].
 * Reference: Selvaraju et al. 2017; jacobgil/pytorch-grad-cam grad_cam.py, its reshape for vision transformers.
 */
export function gradCam(
  activation: Tensor,
  gradient: Tensor,
  patches = activation.shape[1]! - 1,
  firstPatch = 1,
): Tensor {
  const [batch, , dim] = activation.shape as [number, number, number];
  const rows = (x: Tensor) => tf.slice(x, [0, firstPatch, 0], [batch, patches, dim]);
  const weights = tf.mean(rows(gradient), 1, true);
  return tf.sum(tf.mul(rows(activation), weights), 2);
}
