import { type Tensor, tf } from "../../core/tf";

/** softplus(x) - x y for every logit x and label y, equal shapes. */
export function binaryCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return tf.sub(tf.softplus(logits), tf.mul(logits, labels));
}

/** The sum of |x - y| of rows [n, D] times their weights [n]. Where x is y the gradient is 0, as in torch. */
export function absoluteError(x: Tensor, y: Tensor, weights: Tensor): Tensor {
  const difference = tf.sub(x, y);
  const absolute = tf.add(tf.relu(difference), tf.relu(tf.neg(difference)));
  return tf.sum(tf.mul(tf.sum(absolute, -1), weights));
}
