import { breathe } from "../core/loop";
import { type Tensor, tf } from "../core/tf";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { accumulate, lossAndGradients } from "../optim/gradients";
import type { ParameterRules } from "../optim/groups";
import { type Feeds, tensorsOf } from "./feeds";
import { type ForwardFunction, forwardNow } from "./forward";
import type { WeightAverage } from "./weightAverage";

/** What a stepper needs to know of a task. */
export interface StepTask<M extends Module> {
  name: string;
  model: M;
  rules: ParameterRules;
  /** Scalar loss of one batch, from the feeds as tensors. */
  loss(inputs: Readonly<Record<string, Tensor>>): Tensor;
  /** What else is computed with the model while it trains, e.g. the scores of a validation batch. */
  functions?: Readonly<Record<string, ForwardFunction>>;
}

/** Which weights a task's function is computed with. */
export interface CallOptions {
  /** The averages in place of the trained weights; only where the run keeps them. Default false. */
  averaged?: boolean;
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
  /** Results of one of the task's functions, with the model as the steps have left it, or with its averaged weights. */
  call(name: string, feeds: Feeds, options?: CallOptions): Promise<Record<string, Float32Array>>;
  /** Brings model, optimiser and average up to date with the steps made; either wholly or, when it fails, not at all. */
  sync(): Promise<void>;
  dispose(): Promise<void>;
}

/** Op by op in tfjs. */
export class EagerStepper<M extends Module> implements Stepper {
  readonly engine: string;

  constructor(
    private readonly task: StepTask<M>,
    private readonly optimizer: AdamW,
    private readonly average: WeightAverage | undefined,
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
      this.average?.update();
      return meanLoss;
    } finally {
      tf.dispose([...total.values()]);
    }
  }

  call(name: string, feeds: Feeds, { averaged = false }: CallOptions = {}) {
    const { inputs, body } = this.task.functions![name];
    const { average } = this;
    if (!averaged || !average) return forwardNow({ inputs, body }, feeds);
    return forwardNow({ inputs, body: (fed) => average.within(() => body(fed)) }, feeds);
  }

  async sync(): Promise<void> {}

  async dispose(): Promise<void> {}
}
