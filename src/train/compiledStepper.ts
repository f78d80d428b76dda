import { breathe } from "../core/loop";
import { tf } from "../core/tf";
import {
  describeEngine,
  type EngineOptions,
  type Executor,
  openExecutor,
  type Program,
  type Programs,
} from "../engine";
import { optimise, trace } from "../graph";
import type { OptimiseOptions } from "../graph/passes";
import { fetchState, parameterShapes, sendParameters, withTracedParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import type { AdamW } from "../optim/adamw";
import { arraysOf, type Feeds, specsOf } from "./feeds";
import type { ForwardFunction } from "./forward";
import type { CallOptions, Stepper, StepTask } from "./stepper";
import { traceStep } from "./traceStep";
import { averageName, moved, type WeightAverage } from "./weightAverage";

export interface CompiledStepOptions extends EngineOptions, OptimiseOptions {}

const STEP = "step";
/** Moves the averages after a step. */
const AVERAGE = "average";
const averaged = (name: string) => `${name}, averaged`;

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
    private readonly average: WeightAverage | undefined,
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
    // Nothing of an engine that dies between the two is kept: the run goes on from where it was last synced.
    if (this.average) await executor.run(AVERAGE, {});
    this.optimizer.step = t;
    this.unsynced = true;
    return meanLoss;
  }

  async call(name: string, feeds: Feeds, options: CallOptions = {}): Promise<Record<string, Float32Array>> {
    const program = options.averaged && this.average ? averaged(name) : name;
    return this.executor!.run(program, arraysOf(feeds));
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

  /** Trained parameters, their moments and averages. */
  private *changing(): IterableIterator<readonly [string, Parameter]> {
    for (const [path, parameter] of this.task.model.namedParameters()) {
      if (this.task.rules.has(path)) yield [path, parameter];
    }
    yield* this.optimizer.moments();
    if (this.average) yield* this.average.parameters();
  }

  private async open(feeds: Feeds): Promise<Executor> {
    const { memory, ...engine } = this.options;
    const executor = await openExecutor(this.trace(feeds, memory), engine);
    try {
      await sendParameters(executor, this.task.model.namedParameters());
      // Moments of a run that has not begun are zero on both sides.
      if (this.optimizer.step > 0) await sendParameters(executor, this.optimizer.moments());
      if (this.average) await sendParameters(executor, this.average.parameters());
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
    const programs: Programs = { [STEP]: { graph: optimise(step, { memory }), guard: "loss" } };
    const others = Object.entries(functions).map(([key, body]) => [key, this.traceFunction(key, body)]);
    return { ...programs, ...Object.fromEntries(others), ...this.averagePrograms() };
  }

  /** Moves the averages, and the task's functions with them in place of the weights. */
  private averagePrograms(): Programs {
    const { average } = this;
    if (!average) return {};
    const { model, rules, functions = {} } = this.task;
    const trained = Object.entries(parameterShapes(model)).filter(([path]) => rules.has(path));
    const graph = trace(AVERAGE, {
      inputs: {},
      state: Object.fromEntries(
        trained.flatMap(([path, shape]) => [
          [path, shape],
          [averageName(path), shape],
        ]),
      ),
      body: (_, state) =>
        Object.fromEntries(
          trained.map(([path]) => {
            const name = averageName(path);
            return [name, moved(state[name], state[path], average.decay)];
          }),
        ),
    });
    const others = Object.entries(functions).map(([key, body]) => {
      const stateName = (path: string) => (rules.has(path) ? averageName(path) : path);
      return [averaged(key), this.traceFunction(averaged(key), body, stateName)];
    });
    return { [AVERAGE]: { graph: optimise(graph) }, ...Object.fromEntries(others) };
  }

  private traceFunction(
    name: string,
    { inputs, body }: ForwardFunction,
    stateName: (path: string) => string = (path) => path,
  ): Program {
    const { model } = this.task;
    const shapes = Object.entries(parameterShapes(model));
    const graph = trace(name, {
      inputs,
      state: Object.fromEntries(shapes.map(([path, shape]) => [stateName(path), shape])),
      body(fed, state) {
        const weights = Object.fromEntries(shapes.map(([path]) => [path, state[stateName(path)]]));
        return withTracedParameters(model, weights, () => body(fed));
      },
    });
    return { graph: optimise(graph) };
  }
}
