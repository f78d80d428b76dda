import { breathe } from "../core/loop";
import { type Tensor, tf } from "../core/tf";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { accumulate, lossAndGradients } from "../optim/gradients";
import type { ParameterRules } from "../optim/groups";

/** One operand of a training step, drawn or read on the host. */
export interface HostFeed {
  readonly data: Float32Array | Int32Array;
  readonly shape: readonly number[];
  /** Default float32. */
  readonly dtype?: "float32" | "int32";
}

/** Everything a step is fed for one batch, by name; always the same names and shapes in a run. */
export type Feeds = Readonly<Record<string, HostFeed>>;

/** What a stepper needs to know of a task. */
export interface StepTask<M extends Module> {
  name: string;
  model: M;
  rules: ParameterRules;
  /** Scalar loss of one batch, from the feeds as tensors. */
  loss(inputs: Readonly<Record<string, Tensor>>): Tensor;
}

/** Makes optimiser steps; hides whether they run op by op or as one compiled graph. */
export interface Stepper {
  /** What it runs on, for people. */
  readonly engine: string;
  /**
   * One step over the batches of `group`, whose gradients are averaged. Gives back the mean loss; a loss that is not
   * finite changes neither model nor optimiser.
   */
  step(group: readonly Feeds[], lr: number): Promise<number>;
  /** Brings model and optimiser up to date with the steps made. */
  sync(): Promise<void>;
  dispose(): Promise<void>;
}

/** Op by op in tfjs. */
export class EagerStepper<M extends Module> implements Stepper {
  readonly engine: string;

  constructor(
    private readonly task: StepTask<M>,
    private readonly optimizer: AdamW,
    /** Why not something faster. */
    reason: string,
  ) {
    this.engine = `tfjs ${tf.getBackend()}, op by op (${reason})`;
  }

  async step(group: readonly Feeds[], lr: number): Promise<number> {
    const total = new Map<string, Tensor>();
    let meanLoss = 0;
    try {
      for (const feeds of group) {
        const scaled = () => tf.div(this.task.loss(tensorsOf(feeds)), group.length);
        const { loss, gradients } = lossAndGradients(scaled, this.optimizer.variables());
        accumulate(total, gradients);
        meanLoss += (await loss.data())[0];
        loss.dispose();
        if (!Number.isFinite(meanLoss)) return meanLoss;
        await breathe();
      }
      this.optimizer.update(total, lr);
      return meanLoss;
    } finally {
      tf.dispose([...total.values()]);
    }
  }

  async sync(): Promise<void> {}

  async dispose(): Promise<void> {}
}

function tensorsOf(feeds: Feeds): Record<string, Tensor> {
  const entries = Object.entries(feeds).map(([name, { data, shape, dtype }]) => [
    name,
    tf.tensor(data, [...shape], dtype ?? "float32"),
  ]);
  return Object.fromEntries(entries);
}
