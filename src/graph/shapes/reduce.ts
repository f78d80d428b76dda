import type { GraphDtype } from "../ir";
import { positiveAxes, positiveAxis, type ShapeRule, type ShapeRules, type ValueInfo } from "./rule";

function withoutAxes(x: ValueInfo, axes: readonly number[], keepDims: boolean): number[] {
  const kept = x.shape.map((length, i) => (axes.includes(i) ? 1 : length));
  return keepDims ? kept : kept.filter((_, i) => !axes.includes(i));
}

/** `axisName` is what the kernel calls its axes; `dtype` the result's element type, by default the operand's. */
function reduction(axisName: string, dtype?: GraphDtype): ShapeRule {
  return ({ inputs: { x }, attributes }) => {
    const axes = positiveAxes(attributes[axisName], x.shape.length);
    const keepDims = Boolean(attributes.keepDims);
    const output = { shape: withoutAxes(x, axes, keepDims), dtype: dtype ?? x.dtype };
    return { outputs: [output], attributes: { [axisName]: axes, keepDims } };
  };
}

const place: ShapeRule = ({ inputs: { x }, attributes }) => {
  const axis = positiveAxis((attributes.axis as number | undefined) ?? 0, x.shape.length);
  return { outputs: [{ shape: withoutAxes(x, [axis], false), dtype: "int32" }], attributes: { axis } };
};

const softmax: ShapeRule = ({ inputs: { logits }, attributes }) => {
  const dim = positiveAxis((attributes.dim as number | undefined) ?? -1, logits.shape.length);
  return { outputs: [{ shape: logits.shape, dtype: "float32" }], attributes: { dim } };
};

const cumulative: ShapeRule = ({ inputs: { x }, attributes }) => ({
  outputs: [{ shape: x.shape, dtype: x.dtype }],
  attributes: {
    ...attributes,
    axis: positiveAxis((attributes.axis as number | undefined) ?? 0, x.shape.length),
  },
});

const topK: ShapeRule = ({ inputs: { x }, attributes: { k, sorted } }) => {
  const last = x.shape[x.shape.length - 1];
  if ((k as number) > last) throw new Error(`k is ${k}, the last axis of [${x.shape}] has ${last}`);
  const shape = [...x.shape.slice(0, -1), k as number];
  const outputs = [
    { shape, dtype: x.dtype },
    { shape, dtype: "int32" as const },
  ];
  return { outputs, attributes: { k, sorted } };
};

/** Kernels that combine the numbers along an axis. */
export const reduceRules: ShapeRules = {
  All: reduction("axis", "bool"),
  Any: reduction("axis", "bool"),
  ArgMax: place,
  ArgMin: place,
  Cumsum: cumulative,
  Max: reduction("reductionIndices"),
  Mean: reduction("axis", "float32"),
  Min: reduction("axis"),
  Prod: reduction("axis"),
  Softmax: softmax,
  Sum: reduction("axis"),
  TopK: topK,
};
