import { type Tensor, tf } from "../core/tf";
import type { SumPrecision } from "../distributed/group";
import type { Program, Programs } from "../engine";
import { optimize, trace } from "../graph";
import type { OptimizeOptions } from "../graph/passes";
import { parameterShapes, withTracedParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import type { AdamW } from "../optim/adamw";
import type { ParameterRules } from "../optim/groups";
import { type Feeds, specsOf } from "./feeds";
import type { ForwardFunction, KeepingFunction } from "./forward";
import { LOSS_SCALE, traceStep } from "./traceStep";
import { averageName, moved, type WeightAverage } from "./weightAverage";

/** What a stepper needs to know of a task. */
export interface StepTask<M extends Module> {
  name: string;
  model: M;
  /**
   * What the step computes with, where that is more than the model: the model's parameters under their own paths, and
   * those of what is only there while it is trained, such as a teacher.
   */
  whole?: Module;
  /** Of what is trained, in the whole. */
  rules: ParameterRules;
  /** Scalar loss of one batch, from the feeds as tensors. */
  loss(inputs: Readonly<Record<string, Tensor>>): Tensor;
  /** What else is computed with the model while it trains, e.g. the scores of a validation batch. */
  functions?: Readonly<Record<string, ForwardFunction>>;
}

/** The parameters that a task's step computes with. */
export function* parametersOf<M extends Module>({
  model,
  whole = model,
}: Pick<StepTask<M>, "model" | "whole">): IterableIterator<[string, Parameter]> {
  yield* whole.namedParameters();
}

/** The step itself: a batch in, its loss out, parameters and moments changed. */
export const STEP = "step";
/** Moves the averages after a step. */
export const AVERAGE = "average";
/** A task's function with the averages in place of the weights. */
export const averaged = (name: string) => `${name}, averaged`;

export interface StepProgramsSpec<M extends Module> extends OptimizeOptions {
  task: StepTask<M>;
  optimizer: AdamW;
  average: WeightAverage | undefined;
  /** Batches per step, whose gradients are averaged. */
  batches: number;
  /** Greatest norm of the gradients of a step; default any. */
  clipGradNorm?: number;
  /** Whether the loss is scaled for gradients in float16. */
  scaled?: boolean;
  /** What gradients are sent in where they are summed over the workers of a job. */
  shared?: SumPrecision;
}

/** Traces everything that runs while a model trains, for feeds of these shapes. */
export function stepPrograms<M extends Module>(spec: StepProgramsSpec<M>, feeds: Feeds): Programs {
  const { task, optimizer, average, batches, clipGradNorm, memory, scaled, shared } = spec;
  const { name, model, whole = model, rules, functions = {} } = task;
  const { betas, eps } = optimizer;
  const loss: StepTask<M>["loss"] = (fed) => tf.div(task.loss(fed), batches);
  const step = traceStep(name, { model: whole, rules, betas, eps, inputs: specsOf(feeds), loss, scaled });
  const graph = optimize(step, { memory });
  const programs: Record<string, Program> = {
    [STEP]: { graph, guard: "loss", clipGradNorm, lossScale: scaled ? LOSS_SCALE : undefined, shared },
  };
  for (const [key, body] of Object.entries(functions)) programs[key] = traceFunction(key, model, body);
  if (!average) return programs;
  programs[AVERAGE] = traceAverage(task, average);
  const stateName = (path: string) => (rules.has(path) ? averageName(path) : path);
  for (const [key, body] of Object.entries(functions))
    programs[averaged(key)] = traceFunction(averaged(key), model, body, stateName);
  return programs;
}

function traceAverage<M extends Module>({ model, rules }: StepTask<M>, { decay }: WeightAverage): Program {
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
          return [name, moved(state[name], state[path], decay)];
        }),
      ),
  });
  return { graph: optimize(graph) };
}

/** A function of a model as a program. `stateName` says under which names the engine has the model's weights. */
export function traceFunction(
  name: string,
  model: Module,
  { inputs, kept = {}, body }: KeepingFunction,
  stateName: (path: string) => string = (path) => path,
): Program {
  const shapes = Object.entries(parameterShapes(model));
  const graph = trace(name, {
    inputs,
    state: Object.fromEntries([
      ...shapes.map(([path, shape]) => [stateName(path), shape]),
      ...Object.entries(kept).map(([key, shape]) => [key, { shape }]),
    ]),
    body(fed, state) {
      const weights = Object.fromEntries(shapes.map(([path]) => [path, state[stateName(path)]]));
      const own = Object.fromEntries(Object.keys(kept).map((key) => [key, state[key]]));
      return withTracedParameters(model, weights, () => body(fed, own));
    },
  });
  return { graph: optimize(graph) };
}
