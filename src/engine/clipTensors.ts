import { type Tensor, tf } from "../core/tf";
import { CLIP_EPS } from "./clipGradNorm";

/** The norm of tensors taken together, and what they are multiplied by; both scalars, the caller's to dispose. */
export function clipTensors(tensors: readonly Tensor[], most: number): { norm: Tensor; factor: Tensor } {
  return tf.tidy(() => {
    const squares = tensors.map((tensor) => tf.sum(tf.square(tensor)));
    const norm = squares.length === 0 ? tf.scalar(0) : tf.sqrt(tf.addN(squares));
    return { norm, factor: tf.minimum(1, tf.div(most, tf.add(norm, CLIP_EPS))) };
  });
}
