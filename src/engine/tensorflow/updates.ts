import type { AdamWUpdate } from "../adamw/splitUpdates";
import { type TfValue, waitFor } from "./lower/builder";
import type { TfOps } from "./lower/ops";

/** What one update works on. */
export interface UpdatePlace {
  /** Resources of parameter and moments. */
  readonly parameter: string;
  readonly average: string;
  readonly squares: string;
  /** The parameter as it was before the run. */
  readonly before: TfValue;
  readonly gradient: TfValue;
  /** (rate, 1 - beta1^t, 1 - beta2^t). */
  readonly schedule: TfValue;
}

/**
 * One AdamW update in place, torch's: p *= 1 - lr wd, then p -= lr/c1 m / (sqrt(v)/sqrt(c2) + eps), which is
 * TensorFlow's Adam with its rate times sqrt(c2)/c1 and its epsilon times sqrt(c2). Gives back what waits for it.
 */
export function addUpdate(
  ops: TfOps,
  { beta1, beta2, eps, weightDecay, lrScale }: AdamWUpdate,
  place: UpdatePlace,
  after: readonly string[],
): string {
  const [rate, correction1, correction2] = ops
    .split(place.schedule, [1, 1, 1], 0)
    .map((number) => ops.reshape(number, []));
  const lr = ops.mul(rate, lrScale);
  const root = ops.unary("Sqrt", correction2);
  const waits = [...after];
  if (weightDecay !== 0) {
    const loss = ops.mul(place.before, ops.mul(lr, weightDecay), { after: [place.gradient] });
    const attributes = { dtype: { type: "float32" } } as const;
    waits.push(
      waitFor(ops.addNode("AssignSubVariableOp", [place.parameter, loss.name, ...after], attributes)),
    );
  }
  const zero = ops.scalar(0);
  const step = ops.div(ops.mul(lr, root), correction1);
  const numbers = [
    zero,
    zero,
    step,
    ops.scalar(beta1),
    ops.scalar(beta2),
    ops.mul(root, eps),
    place.gradient,
  ];
  const inputs = [
    place.parameter,
    place.average,
    place.squares,
    ...numbers.map(({ name }) => name),
    ...waits,
  ];
  return waitFor(ops.addNode("ResourceApplyAdam", inputs, { T: { type: "float32" } }));
}
