import { type Tensor, tf } from "../../core/tf";
import { defineOp } from "./defineOp";

/** Numbers that stay the same over a run, per parameter. */
export interface AdamWAttributes {
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  /** The parameter's rate is the scheduled rate times this (layer-wise decay). */
  lrScale: number;
}

const adamWOp = defineOp<"parameter" | "gradient" | "average" | "squares" | "schedule", AdamWAttributes>({
  name: "LuvitAdamW",
  inputs: ["parameter", "gradient", "average", "squares", "schedule"],
  outputs: ({ parameter }) => [1, 2, 3].map(() => ({ shape: parameter.shape, dtype: "float32" as const })),
  compute: ({ parameter, gradient, average, squares, schedule }, [p, m, v], _shapes, attributes) => {
    const { beta1, beta2, eps, weightDecay, lrScale } = attributes;
    const [rate, correction1, correction2] = schedule;
    const lr = rate * lrScale;
    const keep = 1 - lr * weightDecay;
    const step = lr / correction1;
    const root = Math.sqrt(correction2);
    for (let i = 0; i < p.length; i++) {
      const g = gradient[i];
      const mean = beta1 * average[i] + (1 - beta1) * g;
      const square = beta2 * squares[i] + (1 - beta2) * g * g;
      m[i] = mean;
      v[i] = square;
      p[i] = parameter[i] * keep - (step * mean) / (Math.sqrt(square) / root + eps);
    }
  },
  composite: ({ parameter, gradient, average, squares, schedule }, attributes) => {
    const { beta1, beta2, eps, weightDecay, lrScale } = attributes;
    const [rate, correction1, correction2] = tf.unstack(schedule);
    const lr = tf.mul(rate, lrScale);
    const m = tf.add(tf.mul(average, beta1), tf.mul(gradient, 1 - beta1));
    const v = tf.add(tf.mul(squares, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const decayed = tf.mul(parameter, tf.sub(1, tf.mul(lr, weightDecay)));
    const denominator = tf.add(tf.div(tf.sqrt(v), tf.sqrt(correction2)), eps);
    return [tf.sub(decayed, tf.div(tf.mul(tf.div(lr, correction1), m), denominator)), m, v];
  },
});

/**
 * One AdamW update of one tensor, torch semantics: p *= 1 - lr wd, then the bias-corrected Adam step.
 * All of any equal shape; `schedule` [3] = (rate, 1 - beta1^t, 1 - beta2^t) is an input, not an attribute, so that a
 * traced step needs no new graph per step. Returns [parameter, average, squares] anew.
 * Reference: torch/optim/adamw.py.
 */
export function adamW(
  operands: { parameter: Tensor; gradient: Tensor; average: Tensor; squares: Tensor; schedule: Tensor },
  attributes: AdamWAttributes,
): Tensor[] {
  return adamWOp(operands, attributes);
}
