import { breathe } from "../core/loop";
import { tf } from "../core/tf";
import type { StateDict } from "../core/hostTensor";
import { describeEngine, type Executor, openOnnxExecutor } from "../engine";
import { optimise } from "../graph";
import type { Module } from "../nn/module";
import { type AdamW, momentNames } from "../optim/adamw";
import type { Feeds, Stepper, StepTask } from "./stepper";
import { traceStep } from "./traceStep";

/**
 * Traces the step once and runs it as one onnxruntime graph that keeps parameters and moments. The model on the tfjs
 * side is behind until `sync`.
 */
export class CompiledStepper<M extends Module> implements Stepper {
  engine = "onnxruntime";
  private executor: Executor | undefined;
  private unsynced = false;

  constructor(
    private readonly task: StepTask<M>,
    private readonly optimizer: AdamW,
    /** Batches per step, whose gradients are averaged. */
    private readonly batches: number,
  ) {}

  /** Traces and compiles for feeds of these shapes; the first step does it where nobody has. */
  async prepare(feeds: Feeds): Promise<Executor> {
    this.executor ??= await this.compile(feeds);
    return this.executor;
  }

  async step(group: readonly Feeds[], lr: number): Promise<number> {
    const executor = await this.prepare(group[0]);
    const [beta1, beta2] = this.optimizer.betas;
    const t = this.optimizer.step + 1;
    const schedule = Float32Array.of(lr, 1 - beta1 ** t, 1 - beta2 ** t);
    let meanLoss = 0;
    for (const [i, feeds] of group.entries()) {
      const arrays = Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data]));
      const { loss } = await executor.run("train", { ...arrays, schedule }, { hold: i < group.length - 1 });
      meanLoss += loss[0];
      await breathe();
      if (!Number.isFinite(meanLoss)) return meanLoss;
    }
    this.optimizer.step = t;
    this.unsynced = true;
    return meanLoss;
  }

  async sync(): Promise<void> {
    if (!this.executor || !this.unsynced) return;
    this.unsynced = false;
    const state = await this.executor.readState();
    const moments: StateDict = await this.optimizer.state();
    for (const [path, parameter] of this.task.model.namedParameters()) {
      const { shape } = parameter;
      if (state[path]) parameter.load({ shape, data: state[path] });
      for (const name of momentNames(path)) if (state[name]) moments.set(name, { shape, data: state[name] });
    }
    this.optimizer.load(moments, this.optimizer.step);
  }

  async dispose(): Promise<void> {
    await this.executor?.dispose();
    this.executor = undefined;
  }

  private async compile(feeds: Feeds): Promise<Executor> {
    const { name, model, rules } = this.task;
    const { betas, eps } = this.optimizer;
    const inputs = Object.fromEntries(
      Object.entries(feeds).map(([key, { shape, dtype }]) => [key, { shape, dtype }]),
    );
    const loss: StepTask<M>["loss"] = (fed) => tf.div(this.task.loss(fed), this.batches);
    const graph = optimise(traceStep(name, { model, rules, betas, eps, inputs, loss }));
    const values: Record<string, Float32Array> = {};
    for (const [path, tensor] of await model.stateDict()) values[path] = tensor.data;
    for (const [path, tensor] of await this.optimizer.state()) values[path] = tensor.data;
    const executor = await openOnnxExecutor({ train: { graph, guard: "loss" } });
    await executor.writeState(values);
    this.engine = `${describeEngine(executor.description)}, one graph`;
    return executor;
  }
}
