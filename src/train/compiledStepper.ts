import { breathe } from "../core/loop";
import { tf } from "../core/tf";
import { describeEngine, type EngineOptions, type Executor, openExecutor, type Programs } from "../engine";
import { type OptimiseOptions, optimise, trace } from "../graph";
import { fetchState, parameterShapes, sendParameters, withTracedParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import type { AdamW } from "../optim/adamw";
import { arraysOf, type Feeds, specsOf } from "./feeds";
import type { Stepper, StepTask } from "./stepper";
import { traceStep } from "./traceStep";

export interface CompiledStepOptions extends EngineOptions, OptimiseOptions {}

const STEP = "step";

/**
 * Traces the step, and the task's functions, once and runs them as graphs on an engine that keeps parameters and
 * moments. The model on the tfjs side is behind until `sync`.
 */
export class CompiledStepper<M extends Module> implements Stepper {
  private executor: Executor | undefined;
  private unsynced = false;

  constructor(
    private readonly task: StepTask<M>,
    private readonly optimizer: AdamW,
    /** Batches per step, whose gradients are averaged. */
    private readonly batches: number,
    private readonly options: CompiledStepOptions = {},
  ) {}

  get engine(): string {
    return this.executor ? `${describeEngine(this.executor.description)}, one graph` : "not compiled yet";
  }

  /** Traces and compiles for feeds of these shapes; the first step does it where nobody has. */
  async prepare(feeds: Feeds): Promise<Executor> {
    this.executor ??= await this.open(feeds);
    return this.executor;
  }

  async step(group: readonly Feeds[], lr: number): Promise<number> {
    const executor = await this.prepare(group[0]);
    const [beta1, beta2] = this.optimizer.betas;
    const t = this.optimizer.step + 1;
    const schedule = Float32Array.of(lr, 1 - beta1 ** t, 1 - beta2 ** t);
    let meanLoss = 0;
    for (const [i, feeds] of group.entries()) {
      const hold = i < group.length - 1;
      const { loss } = await executor.run(STEP, { ...arraysOf(feeds), schedule }, { hold });
      meanLoss += loss[0];
      await breathe();
      if (!Number.isFinite(meanLoss)) return meanLoss;
    }
    this.optimizer.step = t;
    this.unsynced = true;
    return meanLoss;
  }

  async call(name: string, feeds: Feeds): Promise<Record<string, Float32Array>> {
    return this.executor!.run(name, arraysOf(feeds));
  }

  async sync(): Promise<void> {
    if (!this.executor || !this.unsynced) return;
    await fetchState(this.executor, this.changing());
    this.unsynced = false;
  }

  async dispose(): Promise<void> {
    await this.executor?.dispose();
    this.executor = undefined;
  }

  /** Trained parameters and their moments. */
  private *changing(): IterableIterator<readonly [string, Parameter]> {
    for (const [path, parameter] of this.task.model.namedParameters()) {
      if (this.task.rules.has(path)) yield [path, parameter];
    }
    yield* this.optimizer.moments();
  }

  private async open(feeds: Feeds): Promise<Executor> {
    const { memory, ...engine } = this.options;
    const executor = await openExecutor(this.trace(feeds, memory), engine);
    try {
      await sendParameters(executor, this.task.model.namedParameters());
      // Moments of a run that has not begun are zero on both sides.
      if (this.optimizer.step > 0) await sendParameters(executor, this.optimizer.moments());
    } catch (error) {
      await executor.dispose();
      throw error;
    }
    return executor;
  }

  private trace(feeds: Feeds, memory: OptimiseOptions["memory"]): Programs {
    const { name, model, rules, functions = {} } = this.task;
    const { betas, eps } = this.optimizer;
    const loss: StepTask<M>["loss"] = (fed) => tf.div(this.task.loss(fed), this.batches);
    const step = traceStep(name, { model, rules, betas, eps, inputs: specsOf(feeds), loss });
    const others = Object.entries(functions).map(([key, { inputs, body }]) => {
      const graph = trace(key, {
        inputs,
        state: parameterShapes(model),
        body: (fed, state) => withTracedParameters(model, state, () => body(fed)),
      });
      return [key, { graph: optimise(graph) }] as const;
    });
    return { [STEP]: { graph: optimise(step, { memory }), guard: "loss" }, ...Object.fromEntries(others) };
  }
}
