import { callback, checkOptions, instance, object } from "../core/options";
import { type Tensor, tf } from "../core/tf";
import { clipTensors } from "../engine/clipTensors";
import { gradNorm } from "./options";

/** A loss and its gradients by parameter path; the caller disposes both. */
export interface LossAndGradients {
  loss: Tensor;
  gradients: Map<string, Tensor>;
}

const byPath = instance(Map, "a Map by parameter path");

/** Differentiates a scalar with respect to named variables. Variables the loss does not reach get no entry. */
export function lossAndGradients(
  loss: () => Tensor,
  variables: ReadonlyMap<string, tf.Variable>,
): LossAndGradients {
  checkOptions("lossAndGradients", callback("a function that gives the loss"), loss);
  checkOptions("lossAndGradients", byPath, variables);
  const byId = new Map([...variables].map(([path, variable]) => [variable.name, path]));
  const { value, grads } = tf.variableGrads(loss as () => tf.Scalar, [...variables.values()]);
  const gradients = new Map<string, Tensor>();
  for (const [name, gradient] of Object.entries(grads)) {
    if (gradient) gradients.set(byId.get(name)!, gradient);
  }
  return { loss: value, gradients };
}

/** Adds `more` into `total` (both by path), disposing what it replaces. */
export function accumulate(total: Map<string, Tensor>, more: ReadonlyMap<string, Tensor>): void {
  checkOptions("accumulate", byPath, total);
  checkOptions("accumulate", byPath, more);
  for (const [path, gradient] of more) {
    const sum = total.get(path);
    total.set(path, sum ? tf.add(sum, gradient) : gradient);
    if (!sum) continue;
    sum.dispose();
    gradient.dispose();
  }
}

const clipArguments = object({ maxNorm: gradNorm }, {});

/**
 * Scales gradients (by path, in place, disposing what it replaces) so that the norm of all their numbers together is at
 * most `maxNorm`. Gives back the norm they had, a scalar that the caller disposes.
 *
 * @throws LuvitError("bad-argument") for a norm that is not above 0.
 * Reference: torch/nn/utils/clip_grad.py, clip_grad_norm_.
 *
 * @example
 * const gradients = new Map([["w", luvit.tf.tensor([3, 4])]]);
 * const norm = luvit.optim.clipGradNorm(gradients, 1); // 5; gradients.get("w") is [0.6, 0.8]
 */
export function clipGradNorm(gradients: Map<string, Tensor>, maxNorm: number): Tensor {
  checkOptions("clipGradNorm", clipArguments, { maxNorm });
  const { norm, factor } = clipTensors([...gradients.values()], maxNorm);
  for (const [path, gradient] of gradients) {
    gradients.set(path, tf.mul(gradient, factor));
    gradient.dispose();
  }
  factor.dispose();
  return norm;
}
