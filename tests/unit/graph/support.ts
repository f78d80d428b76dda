import { type Tensor, tf } from "../../../src/core/tf";
import { type Graph, interpret, trace } from "../../../src/graph";
import type { Module } from "../../../src/nn/module";
import { AdamW } from "../../../src/optim/adamw";
import { lossAndGradients } from "../../../src/optim/gradients";
import {
  type StepSpec as ProductStepSpec,
  traceStep as traceProductStep,
} from "../../../src/train/traceStep";

/** A training step; betas are those of pretraining unless given. */
export type StepSpec = Omit<ProductStepSpec, "betas"> & Partial<Pick<ProductStepSpec, "betas">>;

const pretrainBetas = [0.9, 0.95] as const;

/** The library's own tracing of a whole step. */
export function traceStep(name: string, spec: StepSpec): Graph {
  return traceProductStep(name, { betas: pretrainBetas, ...spec });
}

/** The state a graph starts from: the model's values, moments zero. The caller disposes it. */
export function initialState(graph: Graph, model: Module): Record<string, Tensor> {
  const parameters = new Map(model.namedParameters());
  return Object.fromEntries(
    graph.state.map(({ name, value }) => {
      const parameter = parameters.get(name);
      return [name, parameter ? tf.clone(parameter.value) : tf.zeros([...value.shape])];
    }),
  );
}

/** What a training run of `steps` steps is fed. */
export interface RunSpec {
  steps: number;
  feedsAt(step: number): Record<string, Tensor>;
  rateAt(step: number): number;
}

export interface RunResult {
  losses: number[];
  /** Final values by path. */
  state: Map<string, Float32Array>;
}

/** Runs a step graph by the interpreter. */
export function interpretSteps(
  graph: Graph,
  { model, betas = pretrainBetas }: StepSpec,
  { steps, feedsAt, rateAt }: RunSpec,
): RunResult {
  const [beta1, beta2] = betas;
  const state = initialState(graph, model);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    tf.tidy(() => {
      const t = step + 1;
      const schedule = tf.tensor1d([rateAt(step), 1 - beta1 ** t, 1 - beta2 ** t]);
      const { loss, ...updates } = interpret(graph, { inputs: { ...feedsAt(step), schedule }, state });
      losses.push(loss.dataSync()[0]);
      for (const [name, tensor] of Object.entries(updates)) {
        state[name].dispose();
        state[name] = tf.keep(tensor);
      }
    });
  }
  const host = new Map(Object.entries(state).map(([name, t]) => [name, t.dataSync<"float32">().slice()]));
  tf.dispose(Object.values(state));
  return { losses, state: host };
}

/** The same steps by eager tfjs, on the model itself. */
export function eagerSteps(
  { model, rules, loss, betas = pretrainBetas }: StepSpec,
  { steps, feedsAt, rateAt }: RunSpec,
): RunResult {
  const optimizer = new AdamW(model, rules, { betas, eps: 1e-8 });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    tf.tidy(() => {
      const { loss: value, gradients } = lossAndGradients(() => loss(feedsAt(step)), optimizer.variables());
      losses.push(value.dataSync()[0]);
      optimizer.update(gradients, rateAt(step));
    });
  }
  const state = new Map(
    [...model.namedParameters()].map(([path, p]) => [path, p.value.dataSync<"float32">().slice()]),
  );
  optimizer.dispose();
  return { losses, state };
}

/** Traces `make` of tensors of the given shapes, results named 0, 1, …. */
export function traceOf(
  shapes: readonly number[][],
  make: (...inputs: Tensor[]) => Tensor | Tensor[],
): Graph {
  return trace("sample", {
    inputs: Object.fromEntries(shapes.map((shape, i) => [`x${i}`, { shape }])),
    state: {},
    body: (inputs) => Object.fromEntries([make(...Object.values(inputs))].flat().map((y, i) => [`y${i}`, y])),
  });
}

/** Results of a graph from `traceOf`, on the host. */
export function valuesOfGraph(graph: Graph, inputs: readonly Tensor[]): Float32Array[] {
  const results = interpret(graph, { inputs: Object.fromEntries(inputs.map((x, i) => [`x${i}`, x])) });
  const host = Object.values(results).map((y) => y.dataSync<"float32">().slice());
  tf.dispose(Object.values(results));
  return host;
}
