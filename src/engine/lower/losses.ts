import type { SharedCall, SharedRules } from "./call";
import type { Value } from "./ops";

/** Mean over rows of -sum(target * logSoftmax(logits)). */
function crossEntropy<V extends Value>(call: SharedCall<V>): V {
  const { ops } = call;
  const logits = call.input("logits");
  const shares = ops.mul(call.input("targets"), ops.logSoftmax(logits));
  const rows = ops.sum(shares, [-1], false);
  return ops.mul(
    ops.mean(
      rows,
      rows.shape.map((_, axis) => axis),
      false,
    ),
    -1,
  );
}

/** (softmax sum(target) - target) dy / rows. */
function crossEntropyGradient<V extends Value>(call: SharedCall<V>): V {
  const { ops } = call;
  const [logits, targets] = [call.input("logits"), call.input("targets")];
  const total = ops.sum(targets, [-1], true);
  const excess = ops.sub(ops.mul(ops.softmax(logits), total), targets);
  const rows = logits.shape.slice(0, -1).reduce((product, length) => product * length, 1);
  return ops.mul(excess, ops.mul(call.input("dy"), 1 / rows));
}

/** sum(mask * mean squared error of the row) / sum(mask). */
function patchLoss<V extends Value>(call: SharedCall<V>): V {
  const { ops } = call;
  const mask = call.input("mask");
  const difference = ops.sub(call.input("prediction"), call.input("target"));
  const errors = ops.mean(ops.mul(difference, difference), [-1], false);
  const all = mask.shape.map((_, axis) => axis);
  const sum = ops.sum(ops.mul(errors, mask), all, false);
  return ops.div(sum, ops.sum(mask, all, false));
}

/** This library's losses, and tfjs's softmax, which works over the last axis alone. */
export const losses: SharedRules = {
  LuvitCrossEntropy: crossEntropy,
  LuvitCrossEntropyGradient: crossEntropyGradient,
  LuvitPatchLoss: patchLoss,
  Softmax: (call) => call.ops.softmax(call.input("logits")),
};
