import { type Tensor, tf } from "../core/tf";

export interface LarsOptions {
  /** Default 0.9. */
  momentum?: number;
  /** Default 0.001. */
  trust?: number;
  /** Default 0. */
  weightDecay?: number;
}

/**
 * One step of LARS: only parameters of two axes or more get weight decay, and their gradient is scaled by
 * trust |w| / |gradient| (1 where either is 0). The buffer collects the scaled gradient; the rate multiplies the buffer.
 * Reference: You et al. 2017; mae/util/lars.py.
 */
export function larsStep(
  weight: Tensor,
  gradient: Tensor,
  buffer: Tensor,
  rate: Tensor,
  { momentum = 0.9, trust = 0.001, weightDecay = 0 }: LarsOptions = {},
): { weight: Tensor; buffer: Tensor } {
  const scaled =
    weight.rank > 1 ? trusted(weight, tf.add(gradient, tf.mul(weight, weightDecay)), trust) : gradient;
  const collected = tf.add(tf.mul(buffer, momentum), scaled);
  return { weight: tf.sub(weight, tf.mul(collected, rate)), buffer: collected };
}

function trusted(weight: Tensor, gradient: Tensor, trust: number): Tensor {
  const length = (x: Tensor) => tf.sqrt(tf.sum(tf.square(x)));
  const [weights, gradients] = [length(weight), length(gradient)];
  const isZero = tf.cast(tf.lessEqual(tf.minimum(weights, gradients), 0), "float32");
  const ratio = tf.div(tf.mul(weights, trust), tf.add(gradients, isZero));
  return tf.mul(gradient, tf.add(tf.mul(ratio, tf.sub(1, isZero)), isZero));
}
