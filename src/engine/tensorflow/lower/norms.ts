import type { TfValue } from "./builder";
import type { Call, Rules } from "./call";

type Kind = "layer" | "rms";

/** What normalizing rows takes: their mean (none for RMSNorm) and 1 / deviation, both [..., 1]. */
interface Statistics {
  mean?: TfValue;
  inverse: TfValue;
}

/** Equal calls are made once, so a gradient uses those of the forward pass. */
function statisticsOf(call: Call, kind: Kind, x: TfValue): Statistics {
  const { ops } = call;
  const mean = kind === "layer" ? ops.rowMean(x) : undefined;
  const squares = mean ? ops.binary("SquaredDifference", x, mean) : ops.unary("Square", x);
  return { mean, inverse: ops.unary("Rsqrt", ops.add(ops.rowMean(squares), call.attribute<number>("eps"))) };
}

/** (x - mean) inverse; a gradient computes it anew when dy is there rather than keep it. */
function normalRows(call: Call, kind: Kind, after: TfValue[] = []): { normal: TfValue; inverse: TfValue } {
  const { ops } = call;
  const x = call.input("x");
  const { mean, inverse } = statisticsOf(call, kind, x);
  const normal = mean ? ops.mul(ops.sub(x, mean, { after }), inverse) : ops.mul(x, inverse, { after });
  return { normal, inverse };
}

function normalize(call: Call, kind: Kind): TfValue {
  const { ops } = call;
  const scaled = ops.mul(normalRows(call, kind).normal, call.input("weight"));
  // An addition here would be taken for a layer normalization by TensorFlow 2.21, which puts one with eps 1e-3 in place.
  return kind === "layer" ? ops.addRow(scaled, call.input("bias")) : scaled;
}

/** dx = inverse (g - mean(g) - normal mean(g normal)) with g = dy weight; RMSNorm has no mean(g). */
function inputGradient(call: Call, kind: Kind): TfValue {
  const { ops } = call;
  const dy = call.input("dy");
  const { normal, inverse } = normalRows(call, kind, [dy]);
  const g = ops.mul(dy, call.input("weight"));
  const centered = kind === "layer" ? ops.sub(g, ops.rowMean(g)) : g;
  return ops.mul(ops.sub(centered, ops.mul(normal, ops.rowMean(ops.mul(g, normal)))), inverse);
}

function weightGradient(call: Call, kind: Kind): TfValue {
  const dy = call.input("dy");
  return call.ops.sumRows(call.ops.mul(dy, normalRows(call, kind, [dy]).normal));
}

/** Deviations from the mean in units of the unbiased deviation. */
function normalRowsOf(call: Call): TfValue {
  const width = call.input("x").shape.at(-1)!;
  return call.ops.mul(normalRows(call, "layer").normal, Math.sqrt((width - 1) / width));
}

/** LayerNorm and RMSNorm over the last axis with their gradients. */
export const norms: Rules = {
  LuvitLayerNorm: (call) => normalize(call, "layer"),
  LuvitLayerNormInputGradient: (call) => inputGradient(call, "layer"),
  LuvitLayerNormWeightGradient: (call) => weightGradient(call, "layer"),
  LuvitNormalRows: normalRowsOf,
  LuvitRmsNorm: (call) => normalize(call, "rms"),
  LuvitRmsNormInputGradient: (call) => inputGradient(call, "rms"),
  LuvitRmsNormWeightGradient: (call) => weightGradient(call, "rms"),
};
