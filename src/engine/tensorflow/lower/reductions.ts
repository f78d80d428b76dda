import { sizeOf } from "../../../core/hostTensor";
import { isSingle } from "../../lower";
import type { TfValue } from "./builder";
import type { Call, Rule, Rules } from "./call";
import { typed } from "./ops";

const reduction =
  (op: string, axisName = "axis"): Rule =>
  (call) => {
    const x = call.input("x");
    return call.ops.reduce(op, x, call.axes(axisName, x.shape.length), Boolean(call.attribute("keepDims")));
  };

/** The sum of one number written everywhere is that number times how often it stands there. */
function sum(call: Call): TfValue {
  const small = call.small("x");
  if (!isSingle(small) || small.dtype !== "float32") return reduction("Sum")(call) as TfValue;
  const whole = sizeOf(call.scope.typeOf(call.id("x")).shape);
  return call.ops.mul(call.ops.reshape(small, []), whole / sizeOf(call.shape()));
}

function mean(call: Call): TfValue {
  const x = call.ops.cast(call.input("x"), "float32");
  const axes = call.axes("axis", x.shape.length);
  return call.ops.reduce("Mean", x, axes, Boolean(call.attribute("keepDims")));
}

const place =
  (op: string): Rule =>
  (call) => {
    const x = call.input("x");
    const attributes = { ...typed(x, "Tidx").attributes, output_type: { type: "int32" } } as const;
    const axis = call.ops.scalar(call.axis("axis", x.shape.length), "int32");
    return call.ops.make(op, [x, axis], { shape: call.shape(), dtype: "int32" }, { attributes });
  };

function cumulativeSum(call: Call): TfValue {
  const x = call.input("x");
  const flag = (name: string) => ({ flag: Boolean(call.attribute(name)) });
  const { attributes } = typed(x, "Tidx");
  const axis = call.ops.scalar(call.axis("axis", x.shape.length), "int32");
  const options = { attributes: { ...attributes, exclusive: flag("exclusive"), reverse: flag("reverse") } };
  return call.ops.make("Cumsum", [x, axis], x, options);
}

/** The k largest of the last axis, largest first, and their places. */
function topK(call: Call): TfValue[] {
  const x = call.input("x");
  const results = [
    { shape: call.shape(), dtype: x.dtype },
    { shape: call.shape(), dtype: "int32" as const },
  ];
  const attributes = { T: { type: x.dtype }, sorted: { flag: true } };
  return call.ops.call("TopKV2", [x, call.ops.scalar(call.attribute("k"), "int32")], results, { attributes });
}

/** Ops that make fewer numbers of many, and softmax. */
export const reductions: Rules = {
  All: reduction("All"),
  Any: reduction("Any"),
  ArgMax: place("ArgMax"),
  ArgMin: place("ArgMin"),
  Cumsum: cumulativeSum,
  LuvitSumRows: (call) => call.ops.sumRows(call.input("x")),
  Max: reduction("Max", "reductionIndices"),
  Mean: mean,
  Min: reduction("Min"),
  Prod: reduction("Prod"),
  Sum: sum,
  TopK: topK,
};
