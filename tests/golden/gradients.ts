import { type Tensor, tf } from "../../src/core/tf";
import { type EngineOptions, openEngine, type TypedArray } from "../../src/engine";
import { type Graph, optimize, trace } from "../../src/graph";
import { parameterShapes, withTracedParameters } from "../../src/nn/modelState";
import { Module } from "../../src/nn/module";
import { Parameter } from "../../src/nn/parameter";
import { AdamW } from "../../src/optim/adamw";
import { lossAndGradients } from "../../src/optim/gradients";
import type { ParameterRules } from "../../src/optim/groups";
import { openGraph, type TestedEngine } from "../unit/engine/support";
import { type StepSpec, traceStep } from "../unit/graph/support";
import { hostParameters } from "./support";

/** What a model answers, and the gradient of a number made of it towards everything that is trained. */
export interface GradientSpec {
  model: Module;
  inputs: Record<string, Tensor>;
  /** Named results, one of them `loss`: a scalar. */
  body(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> & { loss: Tensor };
}

export interface Evaluated {
  results: Record<string, ArrayLike<number>>;
  /** By parameter path. */
  gradients: Map<string, ArrayLike<number>>;
}

/** Runs a spec somewhere: op by op, or as one graph on an engine. */
export type Evaluate = (spec: GradientSpec) => Promise<Evaluated>;

/** A model with its input beside it as a parameter, so that the input has a gradient as well. */
export class WithInput<M extends Module> extends Module {
  readonly input: Parameter;

  constructor(
    readonly model: M,
    input: { shape: readonly number[]; data: ArrayLike<number> },
  ) {
    super();
    this.input = new Parameter(input.shape, (values) => values.set(input.data), 0);
  }

  protected override transparentFields(): readonly string[] {
    return ["model"];
  }
}

const trainedPaths = (model: Module) =>
  [...model.namedParameters()].filter(([, p]) => p.trainable).map(([path]) => path);
const prefix = "gradient of ";

function withGradients(
  spec: GradientSpec,
  inputs: GradientSpec["inputs"],
  trained: Map<string, tf.Variable>,
) {
  const results = spec.body(inputs);
  const { loss: _, ...others } = results;
  const { loss, gradients } = lossAndGradients(() => spec.body(inputs).loss, trained);
  return { loss, ...others, ...Object.fromEntries([...gradients].map(([path, g]) => [prefix + path, g])) };
}

function split(all: Record<string, ArrayLike<number>>): Evaluated {
  const isGradient = ([name]: [string, unknown]) => name.startsWith(prefix);
  const entries = Object.entries(all);
  return {
    results: Object.fromEntries(entries.filter((one) => !isGradient(one))),
    gradients: new Map(entries.filter(isGradient).map(([name, x]) => [name.slice(prefix.length), x])),
  };
}

/** By eager tfjs. */
export const eagerly: Evaluate = async (spec) => {
  const parameters = new Map(spec.model.namedParameters());
  const trained = new Map(trainedPaths(spec.model).map((path) => [path, parameters.get(path)!.value]));
  const made = withGradients(spec, spec.inputs, trained);
  const host = Object.entries(made).map(([name, x]) => [name, x.dataSync().slice()] as const);
  tf.dispose(Object.values(made));
  return split(Object.fromEntries(host));
};

function graphOf(spec: GradientSpec): Graph {
  return trace("gradients", {
    inputs: Object.fromEntries(
      Object.entries(spec.inputs).map(([name, { shape, dtype }]) => [
        name,
        { shape, dtype: dtype as "float32" },
      ]),
    ),
    state: parameterShapes(spec.model),
    body: (inputs, state) =>
      withTracedParameters(spec.model, state, () => {
        const trained = new Map(trainedPaths(spec.model).map((path) => [path, state[path]]));
        return withGradients(spec, inputs, trained);
      }),
  });
}

/** As one graph on an engine that a test opens. */
export function through({ open }: Pick<TestedEngine, "open">): Evaluate {
  return async (spec) => {
    const parameters = Object.fromEntries(await hostParameters(spec.model)) as Record<string, Float32Array>;
    const executor = await openGraph(optimize(graphOf(spec)), parameters, { threads: 1, open });
    const feeds = Object.entries(spec.inputs).map(([name, x]) => [name, x.dataSync().slice() as TypedArray]);
    const all = await executor.run("step", Object.fromEntries(feeds));
    await executor.dispose();
    return split(all);
  };
}

/** As one graph on the engine that options choose. */
export const onEngine = (options: EngineOptions): Evaluate =>
  through({ open: (programs, more) => openEngine(programs, { ...more, ...options }) });

/** Optimizer steps on one batch. */
export interface StepsSpec {
  model: Module;
  betas: [number, number];
  eps: number;
  weightDecay: number;
  rates: number[];
  inputs: Record<string, Tensor>;
  loss: StepSpec["loss"];
}

/** Runs steps somewhere; the model's own parameters may or may not be changed. */
export type Steps = (
  spec: StepsSpec,
) => Promise<{ losses: ArrayLike<number>; parameters: Map<string, ArrayLike<number>> }>;

const rulesOf = ({ model, weightDecay }: StepsSpec): ParameterRules =>
  new Map(trainedPaths(model).map((path) => [path, { weightDecay, lrScale: 1 }]));

export const stepsEagerly: Steps = async (spec) => {
  const { model, betas, eps, rates, inputs, loss } = spec;
  const optimizer = new AdamW(model, rulesOf(spec), { betas, eps });
  const losses = rates.map((rate) => {
    const { loss: value, gradients } = lossAndGradients(() => loss(inputs), optimizer.variables());
    optimizer.update(gradients, rate);
    tf.dispose([...gradients.values()]);
    return value.dataSync()[0];
  });
  optimizer.dispose();
  return { losses, parameters: await hostParameters(model) };
};

export function stepsThrough({ open }: Pick<TestedEngine, "open">): Steps {
  return async (spec) => {
    const { model, betas, eps, rates, inputs, loss } = spec;
    const specs = Object.entries(inputs).map(([name, { shape, dtype }]) => [name, { shape, dtype }]);
    const step = { model, rules: rulesOf(spec), betas, eps, inputs: Object.fromEntries(specs), loss };
    const parameters = Object.fromEntries(await hostParameters(model)) as Record<string, Float32Array>;
    const executor = await openGraph(optimize(traceStep("steps", step)), parameters, { threads: 1, open });
    const feeds = Object.entries(inputs).map(([name, x]) => [name, x.dataSync().slice() as TypedArray]);
    const losses: number[] = [];
    for (const [i, rate] of rates.entries()) {
      const schedule = Float32Array.of(rate, 1 - betas[0] ** (i + 1), 1 - betas[1] ** (i + 1));
      losses.push((await executor.run("step", { ...Object.fromEntries(feeds), schedule })).loss[0]);
    }
    const state = await executor.readState();
    await executor.dispose();
    return { losses, parameters: new Map(Object.entries({ ...parameters, ...state })) };
  };
}

/** Both ways of running a case on the engine that options choose. */
export const stepsOnEngine = (options: EngineOptions): Steps =>
  stepsThrough({ open: (programs, more) => openEngine(programs, { ...more, ...options }) });
