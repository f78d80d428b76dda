import type { OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

/** Mean over rows of -sum(target * logSoftmax(logits)). */
function crossEntropy(call: Call): OnnxValue {
  const { ops } = call;
  const logits = call.input("logits");
  const shares = ops.mul(call.input("targets"), ops.unary("LogSoftmax", logits, { axis: -1 }));
  const rows = ops.reduce("ReduceSum", shares, [-1], false);
  return ops.mul(
    ops.reduce(
      "ReduceMean",
      rows,
      rows.shape.map((_, axis) => axis),
      false,
    ),
    -1,
  );
}

/** (softmax sum(target) - target) dy / rows. */
function crossEntropyGradient(call: Call): OnnxValue {
  const { ops } = call;
  const [logits, targets] = [call.input("logits"), call.input("targets")];
  const total = ops.reduce("ReduceSum", targets, [-1], true);
  const excess = ops.sub(ops.mul(ops.unary("Softmax", logits, { axis: -1 }), total), targets);
  const rows = logits.shape.slice(0, -1).reduce((product, length) => product * length, 1);
  return ops.mul(excess, ops.mul(call.input("dy"), 1 / rows));
}

/** sum(mask * mean squared error of the row) / sum(mask). */
function patchLoss(call: Call): OnnxValue {
  const { ops } = call;
  const mask = call.input("mask");
  const difference = ops.sub(call.input("prediction"), call.input("target"));
  const errors = ops.reduce("ReduceMean", ops.mul(difference, difference), [-1], false);
  const all = mask.shape.map((_, axis) => axis);
  const sum = ops.reduce("ReduceSum", ops.mul(errors, mask), all, false);
  return ops.div(sum, ops.reduce("ReduceSum", mask, all, false));
}

/** This library's losses. */
export const losses: Rules = {
  LuvitCrossEntropy: crossEntropy,
  LuvitCrossEntropyGradient: crossEntropyGradient,
  LuvitPatchLoss: patchLoss,
};
