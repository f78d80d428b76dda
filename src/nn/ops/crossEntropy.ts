import { type Tensor, tf } from "../../core/tf";
import { defineOp } from "./defineOp";

const scalar = [{ shape: [], dtype: "float32" as const }];

/** Greatest number of a row and log of the sum of the others' exponentials relative to it, in double precision. */
function rowLogSum(x: ArrayLike<number>, start: number, width: number): { most: number; logSum: number } {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < width; i++) most = Math.max(most, x[start + i]);
  let sum = 0;
  for (let i = 0; i < width; i++) sum += Math.exp(x[start + i] - most);
  return { most, logSum: Math.log(sum) };
}

const crossEntropyGradient = defineOp<"logits" | "targets" | "dy", object>({
  name: "LuvitCrossEntropyGradient",
  inputs: ["logits", "targets", "dy"],
  outputs: ({ logits }) => [{ shape: logits.shape, dtype: "float32" }],
  compute: ({ logits, targets, dy }, [dLogits], shapes) => {
    const width = shapes.logits.at(-1)!;
    const share = (dy[0] * width) / logits.length;
    for (let start = 0; start < logits.length; start += width) {
      const { most, logSum } = rowLogSum(logits, start, width);
      let total = 0;
      for (let i = 0; i < width; i++) total += targets[start + i];
      for (let i = start; i < start + width; i++) {
        dLogits[i] = share * (total * Math.exp(logits[i] - most - logSum) - targets[i]);
      }
    }
  },
  composite: ({ logits, targets, dy }) => {
    const total = tf.sum(targets, -1, true);
    const excess = tf.sub(tf.mul(tf.softmax(logits), total), targets);
    return [tf.mul(excess, tf.mul(dy, rowShare(logits)))];
  },
});

const rowShare = ({ shape, size }: Tensor) => shape.at(-1)! / size;

const crossEntropyOp = defineOp<"logits" | "targets", object>({
  name: "LuvitCrossEntropy",
  inputs: ["logits", "targets"],
  outputs: () => scalar,
  compute: ({ logits, targets }, [mean], shapes) => {
    const width = shapes.logits.at(-1)!;
    let sum = 0;
    for (let start = 0; start < logits.length; start += width) {
      const { most, logSum } = rowLogSum(logits, start, width);
      for (let i = start; i < start + width; i++) sum -= targets[i] * (logits[i] - most - logSum);
    }
    mean[0] = (sum * width) / logits.length;
  },
  composite: ({ logits, targets }) => [tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)))],
  gradient: {
    saved: ["logits", "targets"],
    backward: (dy, { logits, targets }) => ({
      logits: () => crossEntropyGradient({ logits, targets, dy }, {})[0],
      targets: () => tf.mul(tf.logSoftmax(logits), tf.mul(dy, -rowShare(logits))),
    }),
  },
});

/** Mean over rows of -sum(target * logSoftmax(logits)): logits, targets [..., K] -> scalar. */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return crossEntropyOp({ logits, targets }, {})[0];
}
