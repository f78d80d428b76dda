import type { SharedCall, SharedRules } from "./call";
import type { Value } from "./ops";

/** AdamW inside the graph, where its results are used by the graph itself. Formula: src/nn/ops/adamw.ts. */
function adamW<V extends Value>(call: SharedCall<V>): V[] {
  const { ops } = call;
  const [parameter, gradient, average, squares] = ["parameter", "gradient", "average", "squares"].map(
    (name) => call.input(name),
  );
  const [beta1, beta2, eps, weightDecay, lrScale] = ["beta1", "beta2", "eps", "weightDecay", "lrScale"].map(
    (name) => call.attribute<number>(name),
  );
  const [rate, correction1, correction2] = ops
    .split(call.input("schedule"), [1, 1, 1], 0)
    .map((number) => ops.reshape(number, []));
  const lr = ops.mul(rate, lrScale);
  const m = ops.add(ops.mul(average, beta1), ops.mul(gradient, 1 - beta1));
  const v = ops.add(ops.mul(squares, beta2), ops.mul(ops.square(gradient), 1 - beta2));
  const keep = ops.sub(ops.scalar(1), ops.mul(lr, weightDecay));
  const denominator = ops.add(ops.div(ops.sqrt(v), ops.sqrt(correction2)), eps);
  const step = ops.div(ops.mul(ops.div(lr, correction1), m), denominator);
  return [ops.sub(ops.mul(parameter, keep), step), m, v];
}

export const optimizer: SharedRules = { LuvitAdamW: adamW };
