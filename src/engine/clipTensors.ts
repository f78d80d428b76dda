import { type Tensor, tf } from "../core/tf";
import { CLIP_EPS, OVERFLOW_SCALE } from "./clipGradNorm";

/** Squares of what is larger may overflow; it is made smaller first. */
const LARGE = 2 ** 50;

/** The norm of tensors taken together, and what they are multiplied by; both scalars, the caller's to dispose. */
export function clipTensors(tensors: readonly Tensor[], most: number): { norm: Tensor; factor: Tensor } {
  return tf.tidy(() => {
    if (tensors.length === 0) return { norm: tf.scalar(0), factor: tf.scalar(1) };
    const largest = tf.max(tf.stack(tensors.map((tensor) => tf.max(tf.abs(tensor)))));
    const scale = tf.where(tf.greater(largest, LARGE), tf.scalar(OVERFLOW_SCALE), tf.scalar(1));
    const squares = tensors.map((tensor) => tf.sum(tf.square(tf.mul(tensor, scale))));
    const scaled = tf.sqrt(tf.addN(squares));
    const share = tf.div(tf.mul(most, scale), tf.add(scaled, tf.mul(CLIP_EPS, scale)));
    return { norm: tf.div(scaled, scale), factor: tf.minimum(1, share) };
  });
}
