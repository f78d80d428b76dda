import { type Tensor, tf } from "../../core/tf";

/** The first `count` places of an axis; the tensor itself where that is all of them, or no number is given. */
export function firstAlong(x: Tensor, axis: number, count = x.shape[axis]!): Tensor {
  if (count >= x.shape[axis]!) return x;
  const size = x.shape.map((length, i) => (i === axis ? count : length));
  return tf.slice(
    x,
    size.map(() => 0),
    size,
  );
}
