import { LuvitError, listOffenders } from "../core/errors";
import type { TensorStream } from "../core/hostTensor";
import { breathe } from "../core/loop";
import type { SumPrecision } from "../distributed/group";
import {
  type ArraysByName,
  chooseEngine,
  describeRunning,
  type Engine,
  type EngineOptions,
  GRADIENT_NORM,
  openEngine,
  startEngine,
  type Workers,
} from "../engine";
import type { OptimizeOptions } from "../graph/passes";
import { fetchState, sendParameters, streamOfParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import { arraysOf, type Feeds } from "./feeds";
import { liveStream } from "./liveStream";
import { type Attempt, withLossScale } from "./lossScale";
import { AVERAGE, averaged, parametersOf, STEP, type StepProgramsSpec, stepPrograms } from "./stepPrograms";
import { LOSS_SCALE } from "./traceStep";

/** Which weights a task's function is computed with. */
export interface CallOptions {
  /** The averages in place of the trained weights; only where the run keeps them. Default false. */
  averaged?: boolean;
}

export interface CompiledStepOptions extends EngineOptions, OptimizeOptions {
  /**
   * What gradients are sent in where they are summed over the workers of a job; default float32. "bfloat16" halves the bytes
   * and rounds what each worker gives.
   */
  sums?: SumPrecision;
}

/**
 * Makes optimizer steps: traces the step, and the task's functions, once and runs them on an engine that keeps parameters
 * and moments. The model on the tfjs side is behind until `sync`, or until it is given what `stream` has been saved to.
 */
export class Stepper<M extends Module> {
  private executor: Engine | undefined;
  private unsynced = false;
  /** Whether gradients are kept in float16, of a loss that is scaled for it. */
  private isScaled = false;

  constructor(
    private readonly steps: Omit<StepProgramsSpec<M>, keyof OptimizeOptions>,
    private readonly options: CompiledStepOptions = {},
    /** Those that train the same model, with other batches of every step. */
    private readonly workers?: Workers,
  ) {}

  /** What it runs on, for people; known after the first step. */
  get engine(): string | undefined {
    return this.executor && describeRunning(this.executor.description);
  }

  /**
   * One step over the batches of `group`, whose gradients are averaged. Gives back the mean loss; a loss that is not
   * finite changes neither model nor optimizer.
   *
   * @throws LuvitError("engine") where the first one finds that what was demanded cannot be had.
   */
  async step(group: readonly Feeds[], lr: number): Promise<number> {
    await this.prepare(group[0]);
    const { optimizer, average } = this.steps;
    const [beta1, beta2] = optimizer.betas;
    const t = optimizer.step + 1;
    const schedule = Float32Array.of(lr, 1 - beta1 ** t, 1 - beta2 ** t);
    const meanLoss = this.isScaled
      ? await withLossScale((scale) =>
          this.attempt(group, { schedule, [LOSS_SCALE]: Float32Array.of(scale) }),
        )
      : (await this.attempt(group, { schedule })).loss;
    if (!Number.isFinite(meanLoss)) return meanLoss;
    // Nothing of an engine that dies between the two is kept: the run goes on from where it was last synced.
    if (average) await this.executor!.run(AVERAGE, {});
    optimizer.step = t;
    this.unsynced = true;
    return meanLoss;
  }

  private async attempt(group: readonly Feeds[], numbers: ArraysByName): Promise<Attempt> {
    let [loss, gradientNorm] = [0, Number.NaN];
    for (const [i, feeds] of group.entries()) {
      const hold = i < group.length - 1;
      const results = await this.executor!.run(STEP, { ...arraysOf(feeds), ...numbers }, { hold });
      loss += results.loss[0];
      gradientNorm = results[GRADIENT_NORM]?.[0] ?? Number.NaN;
      await breathe();
      // Other workers wait for the gradients of the last batch, whatever they are.
      if (!Number.isFinite(loss) && !this.workers) break;
    }
    if (this.workers) [loss] = await this.workers.sum([loss]);
    return { loss, gradientNorm };
  }

  /** Opens the engine, for batches like these; otherwise the first step does. */
  async prepare(feeds: Feeds): Promise<void> {
    this.executor ??= await this.open(feeds);
  }

  /** Results of one of the task's functions, with the model as the steps have left it, or with its averaged weights. */
  async call(name: string, feeds: Feeds, options: CallOptions = {}): Promise<Record<string, Float32Array>> {
    const program = options.averaged && this.steps.average ? averaged(name) : name;
    return this.executor!.run(program, arraysOf(feeds));
  }

  /** Brings model, optimizer and average up to date with the steps made; either wholly or, when it fails, not at all. */
  async sync(): Promise<void> {
    if (!this.executor || !this.unsynced) return;
    await fetchState(this.executor, this.changing());
    this.unsynced = false;
  }

  /** Parameters, moments or averages by the names given, with the numbers that the steps have left. */
  stream(parameters: ReadonlyMap<string, Parameter>): TensorStream {
    if (!this.executor) return streamOfParameters(parameters);
    const entries = new Map([...this.changing()].map(([entry, parameter]) => [parameter, entry]));
    return liveStream(parameters, this.executor, entries);
  }

  /**
   * Nothing where the worker is alone, or the workers' weights and moments are the same to the bit.
   *
   * @throws LuvitError("engine") where they have come apart.
   */
  async expectSame(step: number): Promise<void> {
    if (!this.workers || !this.executor || (await this.executor.sameState!())) return;
    throw new LuvitError(
      "engine",
      `after step ${step} the workers' weights are no longer the same: their machines compute differently; nothing was ` +
        "saved after that. Use machines and engines of one kind, or resume from the last checkpoint",
    );
  }

  async dispose(): Promise<void> {
    await this.executor?.dispose();
    this.executor = undefined;
  }

  /** Trained parameters, their moments and averages. */
  private *changing(): IterableIterator<readonly [string, Parameter]> {
    const { task, optimizer, average } = this.steps;
    for (const [path, parameter] of parametersOf(task)) {
      if (task.rules.has(path)) yield [path, parameter];
    }
    yield* optimizer.moments();
    if (average) yield* average.parameters();
  }

  private async open(feeds: Feeds): Promise<Engine> {
    const { task, optimizer, average } = this.steps;
    const { memory, sums = "float32", ...engine } = this.options;
    if (!this.workers) startEngine(engine);
    this.isScaled = chooseEngine(engine).options.precision === "float16";
    const shared = this.workers && sums;
    const programs = stepPrograms({ ...this.steps, memory, scaled: this.isScaled, shared }, feeds);
    const opening = this.workers ? this.workers.open(programs) : openEngine(programs, engine);
    const sending = sendParameters(opening, parametersOf(task));
    sending.catch(() => {}); // awaited below
    const executor = await opening;
    try {
      await sending;
      // Moments of a run that has not begun are zero on both sides.
      if (optimizer.step > 0) await sendParameters(executor, optimizer.moments());
      if (average) await sendParameters(executor, average.values());
      if (this.workers) await alignWorkers(executor);
      // The engine has them all: what files hold is not kept twice.
      for (const [, parameter] of parametersOf(task)) parameter.release();
    } catch (error) {
      await executor.dispose();
      throw error;
    }
    return executor;
  }
}

/**
 * Every worker begins with the first one's weights and moments.
 *
 * @throws LuvitError("key-mismatch") naming frozen weights in which they differ.
 */
async function alignWorkers(executor: Engine): Promise<void> {
  const differing = await executor.alignState!();
  if (differing.length === 0) return;
  throw new LuvitError(
    "key-mismatch",
    `workers have other frozen weights than the first\n${listOffenders(differing)}\nGive all machines the same files.`,
  );
}
