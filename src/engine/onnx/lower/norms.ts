import type { OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

/** What normalizing rows takes: their mean (none for RMSNorm) and 1 / deviation, both [..., 1]. */
interface Statistics {
  mean?: OnnxValue;
  inverse: OnnxValue;
}

type Kind = "layer" | "rms";

const noteOf = (kind: Kind, call: Call, x: OnnxValue) => `${kind} ${call.attribute("eps")} ${x.name}`;

/** The forward operator also gives the statistics, which the gradients then need not compute again. */
function normalize(call: Call, kind: Kind, op: string, parameters: OnnxValue[]): OnnxValue {
  const x = call.input("x");
  const column = { shape: [...x.shape.slice(0, -1), 1], dtype: x.dtype };
  const told = kind === "layer" ? [column, column] : call.ops.givesInverseRms ? [column] : [];
  const attributes = { axis: -1, epsilon: { float: call.attribute<number>("eps") } };
  const [y, ...statistics] = call.ops.call(op, [x, ...parameters], [x, ...told], attributes);
  if (told.length > 0) call.scope.notes.set(noteOf(kind, call, x), statistics);
  return y;
}

function statisticsOf(call: Call, kind: Kind, x: OnnxValue): Statistics {
  const known = call.scope.notes.get(noteOf(kind, call, x));
  if (known) return kind === "layer" ? { mean: known[0], inverse: known[1] } : { inverse: known[0] };
  const { ops } = call;
  const mean = kind === "layer" ? ops.rowMean(x) : undefined;
  const centered = mean ? ops.sub(x, mean) : x;
  const squares = ops.rowMean(ops.mul(centered, centered));
  return { mean, inverse: ops.rsqrt(ops.add(squares, call.attribute<number>("eps"))) };
}

function normalRows(call: Call, kind: Kind, x: OnnxValue): { normal: OnnxValue; inverse: OnnxValue } {
  const { mean, inverse } = statisticsOf(call, kind, x);
  const { ops } = call;
  return { normal: ops.mul(mean ? ops.sub(x, mean) : x, inverse), inverse };
}

/** dx = inverse (g - mean(g) - normal mean(g normal)) with g = dy weight; RMSNorm has no mean(g). */
function inputGradient(call: Call, kind: Kind): OnnxValue {
  const { ops } = call;
  const { normal, inverse } = normalRows(call, kind, call.input("x"));
  const g = ops.mul(call.input("dy"), call.input("weight"));
  const centered = kind === "layer" ? ops.sub(g, ops.rowMean(g)) : g;
  return ops.mul(ops.sub(centered, ops.mul(normal, ops.rowMean(ops.mul(g, normal)))), inverse);
}

function weightGradient(call: Call, kind: Kind): OnnxValue {
  const { normal } = normalRows(call, kind, call.input("x"));
  return call.ops.sumRows(call.ops.mul(call.input("dy"), normal));
}

/** Deviations from the mean in units of the unbiased deviation. */
function normalRowsOf(call: Call): OnnxValue {
  const { ops } = call;
  const width = call.input("x").shape.at(-1)!;
  const [ones, zeros] = [1, 0].map((number) => ops.filled([width], number));
  const normal = normalize(call, "layer", "LayerNormalization", [ones, zeros]);
  return ops.mul(normal, Math.sqrt((width - 1) / width));
}

/** LayerNorm and RMSNorm over the last axis with their gradients. */
export const norms: Rules = {
  LuvitLayerNorm: (call) =>
    normalize(call, "layer", "LayerNormalization", [call.input("weight"), call.input("bias")]),
  LuvitLayerNormInputGradient: (call) => inputGradient(call, "layer"),
  LuvitLayerNormWeightGradient: (call) => weightGradient(call, "layer"),
  LuvitNormalRows: normalRowsOf,
  LuvitRmsNorm: (call) => normalize(call, "rms", "SimplifiedLayerNormalization", [call.input("weight")]),
  LuvitRmsNormInputGradient: (call) => inputGradient(call, "rms"),
  LuvitRmsNormWeightGradient: (call) => weightGradient(call, "rms"),
};
