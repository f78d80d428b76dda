import type { TfValue } from "./builder";
import type { Call, Rules } from "./call";

/** Mean over rows of -sum(target * logSoftmax(logits)). */
function crossEntropy(call: Call): TfValue {
  const { ops } = call;
  const logits = call.input("logits");
  const shares = ops.mul(call.input("targets"), ops.unary("LogSoftmax", logits));
  const rows = ops.reduce("Sum", shares, [-1], false);
  return ops.mul(
    ops.reduce(
      "Mean",
      rows,
      rows.shape.map((_, axis) => axis),
      false,
    ),
    -1,
  );
}

/** (softmax sum(target) - target) dy / rows. */
function crossEntropyGradient(call: Call): TfValue {
  const { ops } = call;
  const [logits, targets] = [call.input("logits"), call.input("targets")];
  const total = ops.reduce("Sum", targets, [-1], true);
  const excess = ops.sub(ops.mul(ops.unary("Softmax", logits), total), targets);
  const rows = logits.shape.slice(0, -1).reduce((product, length) => product * length, 1);
  return ops.mul(excess, ops.mul(call.input("dy"), 1 / rows));
}

/** sum(mask * mean squared error of the row) / sum(mask). */
function patchLoss(call: Call): TfValue {
  const { ops } = call;
  const mask = call.input("mask");
  const difference = ops.sub(call.input("prediction"), call.input("target"));
  const errors = ops.reduce("Mean", ops.mul(difference, difference), [-1], false);
  const all = mask.shape.map((_, axis) => axis);
  const sum = ops.reduce("Sum", ops.mul(errors, mask), all, false);
  return ops.div(sum, ops.reduce("Sum", mask, all, false));
}

/** This library's losses. */
export const losses: Rules = {
  LuvitCrossEntropy: crossEntropy,
  LuvitCrossEntropyGradient: crossEntropyGradient,
  LuvitPatchLoss: patchLoss,
};
