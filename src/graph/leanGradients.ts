import { type Tensor, tf } from "../core/tf";

type GradientFunction = NonNullable<ReturnType<typeof tf.getGradient>>["gradFunc"];

/** tfjs adds up one slice per repetition, so a graph would grow with the batch; this is a reshape and one sum. */
const tileGradient: GradientFunction = (upstream, [x], attributes) => {
  const { reps } = attributes as unknown as { reps: number[] };
  const parts = x.shape.flatMap((length, axis) => [reps[axis], length]);
  const repetitions = reps.map((_, axis) => 2 * axis);
  return { x: () => tf.reshape(tf.sum(tf.reshape(upstream as Tensor, parts), repetitions), x.shape) };
};

/** Runs `body` with gradients whose number of kernel calls does not depend on sizes; the stock ones come back after. */
export function withLeanGradients<Result>(body: () => Result): Result {
  const stock = tf.getGradient("Tile");
  tf.registerGradient({ kernelName: "Tile", inputsToSave: ["x"], gradFunc: tileGradient });
  try {
    return body();
  } finally {
    tf.unregisterGradient("Tile");
    if (stock) tf.registerGradient(stock);
  }
}
