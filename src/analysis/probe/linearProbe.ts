import type { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { normal, ones, zeros } from "../../nn/init";
import { Linear } from "../../nn/layers";
import { softTargetCrossEntropy } from "../../nn/losses";
import { Module } from "../../nn/module";
import { Parameter } from "../../nn/parameter";
import { lossAndGradients } from "../../optim/gradients";
import { type LarsOptions, larsStep } from "../../optim/lars";

/** MAE's epsilon and momentum of the statistics. */
const [EPS, MOMENTUM] = [1e-6, 0.1];

/** Batch statistics of features, without learned scale or shift. Keys `running_mean`, `running_var` [D], `num_batches_tracked`. */
class BatchStatistics extends Module {
  readonly running_mean: Parameter;
  readonly running_var: Parameter;
  readonly num_batches_tracked: Parameter;

  constructor(dim: number) {
    super();
    this.running_mean = new Parameter([dim], zeros, 0);
    this.running_var = new Parameter([dim], ones, 0);
    this.num_batches_tracked = new Parameter([], zeros, 0);
    this.freeze();
  }

  /** features [B, D] -> [B, D] with the statistics of the past. */
  forward(features: Tensor): Tensor {
    const deviation = tf.sqrt(tf.add(this.running_var.value, EPS));
    return tf.div(tf.sub(features, this.running_mean.value), deviation);
  }
}

/** What a step of training makes of everything that changes, by state key; and its loss and logits. */
export type ProbeStep = Record<string, Tensor>;

/**
 * A linear classifier on frozen features: batch normalization without scale and shift, then a linear layer that starts near
 * zero. Keys `head.0.running_mean`, `head.0.running_var`, `head.0.num_batches_tracked`, `head.1.weight` [K, D], `head.1.bias`
 * [K]. Reference: mae/main_linprobe.py.
 */
export class LinearProbe extends Module {
  readonly head: [BatchStatistics, Linear];

  constructor(
    readonly dim: number,
    readonly classes: number,
    rng: Rng,
  ) {
    super();
    this.head = [new BatchStatistics(dim), new Linear(dim, classes, rng, { initialize: normal(0.01) })];
  }

  /** features [B, D] -> logits [B, K], with the statistics gathered in training. */
  forward(features: Tensor): Tensor {
    return this.head[1].forward(this.head[0].forward(features));
  }

  /**
   * One step with LARS. features [B, D], targets [B, K], rate a scalar, buffers by the linear layer's keys -> new values
   * by key (buffers under `<key>.mu`), `loss`, `logits`, and gradients under `<key>.gradient`. The output is normalized by the
   * batch's biased variance, the running one takes the unbiased.
   */
  step(
    features: Tensor,
    targets: Tensor,
    rate: Tensor,
    buffers: Readonly<Record<string, Tensor>>,
    options?: LarsOptions,
  ): ProbeStep {
    const [{ running_mean, running_var, num_batches_tracked }, linear] = this.head;
    const batch = features.shape[0];
    const mean = tf.mean(features, 0);
    const centered = tf.sub(features, mean);
    const variance = tf.mean(tf.square(centered), 0);
    const normed = tf.div(centered, tf.sqrt(tf.add(variance, EPS)));
    const logits = linear.forward(normed);
    const variables = new Map([
      ["head.1.weight", linear.weight.value],
      ["head.1.bias", linear.bias!.value],
    ]);
    const { loss, gradients } = lossAndGradients(
      () => softTargetCrossEntropy(linear.forward(normed), targets),
      variables,
    );
    const follow = (running: Tensor, now: Tensor) =>
      tf.add(tf.mul(running, 1 - MOMENTUM), tf.mul(now, MOMENTUM));
    const made: ProbeStep = {
      loss,
      logits,
      "head.0.running_mean": follow(running_mean.value, mean),
      "head.0.running_var": follow(running_var.value, tf.mul(variance, batch / (batch - 1))),
      "head.0.num_batches_tracked": tf.add(num_batches_tracked.value, 1),
    };
    for (const [key, variable] of variables) {
      const gradient = gradients.get(key)!;
      const { weight, buffer } = larsStep(variable, gradient, buffers[`${key}.mu`], rate, options);
      Object.assign(made, { [key]: weight, [`${key}.mu`]: buffer, [`${key}.gradient`]: gradient });
    }
    return made;
  }
}
