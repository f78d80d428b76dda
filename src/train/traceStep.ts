import { type Tensor, tf } from "../core/tf";
import { type Graph, trace } from "../graph";
import type { InputSpec } from "../graph/trace";
import { parameterShapes, withTracedParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import { adamW } from "../nn/ops";
import { momentNames } from "../optim/adamw";
import { lossAndGradients } from "../optim/gradients";
import type { ParameterRules } from "../optim/groups";

/** What a training step consists of. */
export interface StepSpec {
  model: Module;
  rules: ParameterRules;
  betas: readonly [number, number];
  eps?: number;
  /** Shapes of what a batch feeds. */
  inputs: Record<string, InputSpec>;
  /** Scalar loss of the fed batch. */
  loss(inputs: Readonly<Record<string, Tensor>>): Tensor;
  /** Whether the gradients are of the loss times `lossScale` [1], which is fed. */
  scaled?: boolean;
}

/** What the loss is multiplied by before its gradients, by its name among the inputs. */
export const LOSS_SCALE = "lossScale";

/**
 * A whole training step as one graph: loss, gradients, AdamW. Its state is every parameter by path and the two moments
 * of each trained one (`<path>.exp_avg`, `<path>.exp_avg_sq`); beside the batch it is fed `schedule` [3] = (rate,
 * 1 - beta1^t, 1 - beta2^t). With `scaled` the gradients are of the scaled loss: an engine divides them before AdamW. No
 * weight takes memory for this.
 */
export function traceStep(name: string, spec: StepSpec): Graph {
  const { model, rules, inputs, scaled = false } = spec;
  const parameters = parameterShapes(model);
  const moments = Object.entries(parameters).flatMap(([path, shape]): (typeof parameters)[] =>
    rules.has(path) ? [Object.fromEntries(momentNames(path).map((moment) => [moment, shape]))] : [],
  );
  return trace(name, {
    inputs: { ...inputs, schedule: { shape: [3] }, ...(scaled ? { [LOSS_SCALE]: { shape: [1] } } : {}) },
    state: Object.assign({}, parameters, ...moments),
    body: ({ schedule, [LOSS_SCALE]: scale, ...fed }, state) => {
      const times = (loss: Tensor) => (scaled ? tf.mul(loss, tf.reshape(scale, [])) : loss);
      const trained = new Map([...rules.keys()].map((path) => [path, state[path]]));
      return withTracedParameters(model, state, () => {
        const { loss: given, gradients } = lossAndGradients(() => times(spec.loss(fed)), trained);
        const loss = scaled ? tf.div(given, tf.reshape(scale, [])) : given;
        return { loss, ...updates(spec, gradients, state, schedule) };
      });
    },
  });
}

function updates(
  { rules, betas: [beta1, beta2], eps = 1e-8 }: StepSpec,
  gradients: ReadonlyMap<string, Tensor>,
  state: Readonly<Record<string, Tensor>>,
  schedule: Tensor,
): Record<string, Tensor> {
  const results: Record<string, Tensor> = {};
  for (const [path, gradient] of gradients) {
    const { weightDecay, lrScale } = rules.get(path)!;
    const [average, squares] = momentNames(path);
    const operands = {
      parameter: state[path],
      gradient,
      average: state[average],
      squares: state[squares],
      schedule,
    };
    const attributes = { beta1, beta2, eps, weightDecay, lrScale };
    [results[path], results[average], results[squares]] = adamW(operands, attributes);
  }
  return results;
}
