import type { OnnxValue } from "../builder";
import type { Call, Rule, Rules } from "../call";
import { inputGradient } from "../convolutions";
import { avgPoolGradient } from "../images";
import type { OnnxOps } from "../ops";
import { rules } from "../rules";
import { spreadConvolution } from "./convolutions";
import { cosine, sine } from "./trigonometry";

/** Scale and slope of SELU. Reference: Klambauer et al. 2017, section 2. */
const [SELU_SCALE, SELU_ALPHA] = [1.0507009873554805, 1.6732632423543772];

function selu(call: Call): OnnxValue {
  const bent = call.ops.unary("Elu", call.small("x"), { alpha: { float: SELU_ALPHA } });
  return call.ops.mul(bent, SELU_SCALE);
}

/** 2 atan(√((1 - x) / (1 + x))): WGSL's acos keeps four digits only. */
function arcCosine(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.small("x");
  const ratio = ops.div(ops.sub(ops.scalar(1), x), ops.add(x, 1));
  return ops.mul(ops.unary("Atan", ops.sqrt(ratio)), 2);
}

/** To the nearest whole number, halves to the even one. */
function round(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.small("x");
  const below = ops.unary("Floor", x);
  const rest = ops.sub(x, below);
  const odd = ops.sub(below, ops.mul(ops.unary("Floor", ops.mul(below, 0.5)), 2));
  const up = ops.where(ops.compare("Equal", rest, 0.5), odd, ops.scalar(0));
  return ops.add(below, ops.where(ops.compare("Greater", rest, 0.5), ops.scalar(1), up));
}

/** 0, 1, 2, … along one axis, which the others broadcast over. */
function places(
  ops: OnnxOps,
  rank: number,
  axis: number,
  length: number,
  dtype: "float32" | "int32",
): OnnxValue {
  const shape = Array.from({ length: rank }, (_, i) => (i === axis ? length : 1));
  const numbers = Array.from({ length }, (_, i) => i);
  return ops.store(shape, dtype, dtype === "int32" ? Int32Array.from(numbers) : Float32Array.from(numbers));
}

function oneHot(call: Call): OnnxValue {
  const { ops } = call;
  const indices = call.input("indices");
  const depth = call.attribute<number>("depth");
  const rank = indices.shape.length + 1;
  const isIt = ops.compare(
    "Equal",
    ops.reshape(indices, [...indices.shape, 1]),
    places(ops, rank, rank - 1, depth, "int32"),
  );
  return ops.where(isIt, ops.scalar(call.attribute("onValue")), ops.scalar(call.attribute("offValue")));
}

/** The first place that holds the largest or the smallest number of an axis. */
const place =
  (op: "ReduceMax" | "ReduceMin"): Rule =>
  (call) => {
    const { ops } = call;
    const x = call.ops.cast(call.input("x"), "float32");
    const rank = x.shape.length;
    const axis = call.axis("axis", rank);
    const length = x.shape[axis];
    const isIt = ops.compare("Equal", x, ops.reduce(op, x, [axis], true));
    const candidates = ops.where(isIt, places(ops, rank, axis, length, "float32"), ops.scalar(length));
    return ops.cast(ops.reduce("ReduceMin", candidates, [axis], false), "int32");
  };

/** a or b = not (not a and not b). */
function or(call: Call): OnnxValue {
  const { ops } = call;
  const [a, b] = ["a", "b"].map((name) => ops.unary("Not", call.small(name)));
  return ops.unary("Not", ops.binary("And", a, b));
}

const { IsFinite, IsInf, IsNan, MaxPoolGrad, TopK, ...supported } = rules;

/**
 * The rules where WebGPU computes. Not there: IsFinite, IsInf and IsNan, since shaders may take all numbers for finite;
 * MaxPoolGrad and TopK, since onnxruntime has no kernels for places of maxima.
 */
export const webgpuRules: Rules = {
  ...supported,
  Acos: arcCosine,
  ArgMax: place("ReduceMax"),
  ArgMin: place("ReduceMin"),
  AvgPoolGrad: avgPoolGradient(spreadConvolution),
  Cos: (call) => cosine(call.ops, call.small("x")),
  DepthwiseConv2dNativeBackpropInput: inputGradient(true, spreadConvolution),
  LogicalOr: or,
  OneHot: oneHot,
  Round: round,
  Selu: selu,
  Sin: (call) => sine(call.ops, call.small("x")),
  Tan: (call) => call.ops.div(sine(call.ops, call.small("x")), cosine(call.ops, call.small("x"))),
};
