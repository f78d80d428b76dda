import { sizeOf } from "../../../core/hostTensor";
import { isSingle } from "../../lower";
import type { OnnxValue } from "./builder";
import type { Call, Rule, Rules } from "./call";

const reduction =
  (op: string, axisName = "axis"): Rule =>
  (call) => {
    const x = call.input("x");
    return call.ops.reduce(op, x, call.axes(axisName, x.shape.length), Boolean(call.attribute("keepDims")));
  };

/** The sum of one number written everywhere is that number times how often it stands there. */
function sum(call: Call): OnnxValue {
  const small = call.small("x");
  if (!isSingle(small) || small.dtype !== "float32") return reduction("ReduceSum")(call) as OnnxValue;
  const whole = sizeOf(call.scope.typeOf(call.id("x")).shape);
  return call.ops.mul(call.ops.reshape(small, []), whole / sizeOf(call.shape()));
}

function mean(call: Call): OnnxValue {
  const x = call.ops.cast(call.input("x"), "float32");
  const axes = call.axes("axis", x.shape.length);
  return call.ops.reduce("ReduceMean", x, axes, Boolean(call.attribute("keepDims")));
}

/** All and Any: the smallest and the largest of 0 and 1. */
const logical =
  (op: string): Rule =>
  (call) => {
    const x = call.ops.cast(call.input("x"), "int32");
    const axes = call.axes("axis", x.shape.length);
    return call.ops.reduce(op, x, axes, Boolean(call.attribute("keepDims")));
  };

const place =
  (op: string): Rule =>
  (call) => {
    const x = call.input("x");
    const attributes = { axis: call.axis("axis", x.shape.length), keepdims: 0 };
    return call.ops.make(op, [x], { shape: call.shape(), dtype: "int64" }, attributes);
  };

function cumulativeSum(call: Call): OnnxValue {
  const x = call.input("x");
  const axis = call.ops.scalar(call.axis("axis", x.shape.length), "int64");
  const flag = (name: string) => (call.attribute(name) ? 1 : 0);
  return call.ops.make("CumSum", [x, axis], x, { exclusive: flag("exclusive"), reverse: flag("reverse") });
}

/** The k largest of the last axis, largest first, and their places. */
function topK(call: Call): OnnxValue[] {
  const x = call.input("x");
  const results = [
    { shape: call.shape(), dtype: x.dtype },
    { shape: call.shape(), dtype: "int64" as const },
  ];
  return call.ops.call("TopK", [x, call.ops.integers([call.attribute("k")])], results, { axis: -1 });
}

/** Ops that make fewer numbers of many, and the normalizations built on them. */
export const reductions: Rules = {
  All: logical("ReduceMin"),
  Any: logical("ReduceMax"),
  ArgMax: place("ArgMax"),
  ArgMin: place("ArgMin"),
  Cumsum: cumulativeSum,
  LuvitSumRows: (call) => call.ops.sumRows(call.input("x")),
  Max: reduction("ReduceMax", "reductionIndices"),
  Mean: mean,
  Min: reduction("ReduceMin"),
  Prod: reduction("ReduceProd"),
  Sum: sum,
  TopK: topK,
};
