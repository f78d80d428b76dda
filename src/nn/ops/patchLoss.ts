import { type Tensor, tf } from "../../core/tf";
import { defineOp } from "./defineOp";

/** Squared error of each row, averaged over its numbers. */
const rowErrors = (prediction: Tensor, target: Tensor) => tf.mean(tf.square(tf.sub(prediction, target)), -1);

const patchLossOp = defineOp<"prediction" | "target" | "mask", object>({
  name: "LuvitPatchLoss",
  inputs: ["prediction", "target", "mask"],
  outputs: () => [{ shape: [], dtype: "float32" }],
  compute: ({ prediction, target, mask }, [loss]) => {
    const width = prediction.length / mask.length;
    let [sum, removed] = [0, 0];
    for (let row = 0; row < mask.length; row++) {
      removed += mask[row];
      if (mask[row] === 0) continue;
      let squares = 0;
      for (let i = row * width; i < (row + 1) * width; i++) squares += (prediction[i] - target[i]) ** 2;
      sum += mask[row] * squares;
    }
    loss[0] = sum / width / removed;
  },
  composite: ({ prediction, target, mask }) => [
    tf.div(tf.sum(tf.mul(rowErrors(prediction, target), mask)), tf.sum(mask)),
  ],
  gradient: {
    saved: ["prediction", "target", "mask"],
    backward: (dy, { prediction, target, mask }) => {
      const towards = (factor: number) => () => {
        const share = tf.div(tf.mul(dy, factor / prediction.shape.at(-1)!), tf.sum(mask));
        const weights = tf.expandDims(tf.mul(mask, share), -1);
        return tf.mul(tf.sub(prediction, target), weights);
      };
      return {
        prediction: towards(2),
        target: towards(-2),
        mask: () => towardsMask(dy, prediction, target, mask),
      };
    },
  },
});

function towardsMask(dy: Tensor, prediction: Tensor, target: Tensor, mask: Tensor): Tensor {
  const errors = rowErrors(prediction, target);
  const removed = tf.sum(mask);
  const mean = tf.div(tf.sum(tf.mul(errors, mask)), removed);
  return tf.mul(dy, tf.div(tf.sub(errors, mean), removed));
}

/** Mean squared error per patch, averaged over removed ones: prediction, target [B, L, P], mask [B, L] -> scalar. */
export function patchLoss(prediction: Tensor, target: Tensor, mask: Tensor): Tensor {
  return patchLossOp({ prediction, target, mask }, {})[0];
}
