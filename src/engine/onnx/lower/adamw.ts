import type { OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

/** AdamW inside the graph, for updates that could not be taken out of it. Formula: src/nn/ops/adamw.ts. */
function adamW(call: Call): OnnxValue[] {
  const { ops } = call;
  const [parameter, gradient, average, squares] = ["parameter", "gradient", "average", "squares"].map(
    (name) => call.input(name),
  );
  const [beta1, beta2, eps, weightDecay, lrScale] = ["beta1", "beta2", "eps", "weightDecay", "lrScale"].map(
    (name) => call.attribute<number>(name),
  );
  const [rate, correction1, correction2] = ops.split(call.input("schedule"), [1, 1, 1], 0);
  const lr = ops.mul(ops.reshape(rate, []), lrScale);
  const m = ops.add(ops.mul(average, beta1), ops.mul(gradient, 1 - beta1));
  const v = ops.add(ops.mul(squares, beta2), ops.mul(ops.mul(gradient, gradient), 1 - beta2));
  const keep = ops.sub(ops.scalar(1), ops.mul(lr, weightDecay));
  const root = ops.unary("Sqrt", ops.reshape(correction2, []));
  const denominator = ops.add(ops.div(ops.unary("Sqrt", v), root), eps);
  const step = ops.div(ops.mul(ops.div(lr, ops.reshape(correction1, [])), m), denominator);
  return [ops.sub(ops.mul(parameter, keep), step), m, v];
}

export const optimizer: Rules = { LuvitAdamW: adamW };
