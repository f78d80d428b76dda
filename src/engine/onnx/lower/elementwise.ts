import type { OnnxValue } from "./builder";
import type { Call, Rule, Rules } from "./call";
import { scaleOfMatMul } from "./matmul";

const unary =
  (op: string): Rule =>
  (call) =>
    call.ops.unary(op, call.small("x"));

const binary =
  (op: string): Rule =>
  (call) =>
    call.ops.binary(op, call.small("a"), call.small("b"));

const comparison =
  (op: string): Rule =>
  (call) =>
    call.ops.binary(op, call.small("a"), call.small("b"), "bool");

const test = (call: Call, op: string): OnnxValue => {
  const x = call.small("x");
  return call.ops.make(op, [x], { shape: x.shape, dtype: "bool" });
};

/** tfjs's step: 1 above zero, alpha elsewhere. A choice between two numbers takes onnxruntime longer than a cast. */
function step(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.small("x");
  const above = ops.binary("Greater", x, ops.scalar(0), "bool");
  const alpha = call.attribute<number | undefined>("alpha") ?? 0;
  if (alpha === 0) return ops.cast(above, x.dtype);
  const otherwise = ops.scalar(alpha);
  return ops.make("Where", [above, ops.scalar(1), otherwise], { shape: x.shape, dtype: x.dtype });
}

function clip(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.small("x");
  const bounds = ["clipValueMin", "clipValueMax"].map((name) => ops.scalar(call.attribute(name), x.dtype));
  return ops.make("Clip", [x, ...bounds], x);
}

function squaredDifference(call: Call): OnnxValue {
  const difference = call.ops.sub(call.small("a"), call.small("b"));
  return call.ops.mul(difference, difference);
}

/** exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which keeps its digits near zero. */
function expMinusOne(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.small("x");
  return ops.mul(ops.unary("Tanh", ops.mul(x, 0.5)), ops.add(ops.unary("Exp", x), 1));
}

/** log(1 + x), with what rounding 1 + x lost put back. Reference: Goldberg 1991, theorem 4. */
function logOnePlus(call: Call): OnnxValue {
  const { ops } = call;
  const x = call.small("x");
  const sum = ops.add(x, 1);
  const corrected = ops.div(ops.mul(ops.unary("Log", sum), x), ops.sub(sum, 1));
  const isLost = ops.binary("Equal", sum, ops.scalar(1), "bool");
  return ops.make("Where", [isLost, x, corrected], x);
}

/** The remainder with the sign of the divisor. */
function remainder(call: Call): OnnxValue {
  const { ops } = call;
  const [a, b] = [call.small("a"), call.small("b")];
  if (a.dtype === "int32") return ops.wholeRemainder(a, b);
  return ops.sub(a, ops.mul(ops.unary("Floor", ops.div(a, b)), b));
}

function floorDivision(call: Call): OnnxValue {
  const { ops } = call;
  const [a, b] = [call.small("a"), call.small("b")];
  if (a.dtype === "int32") return ops.div(ops.sub(a, remainder(call)), b);
  return ops.unary("Floor", ops.div(a, b));
}

/** The angle of (b, a): atan(a / b) where b is positive, else turned by half a turn or on the axis. */
function angle(call: Call): OnnxValue {
  const { ops } = call;
  const [a, b] = [call.small("a"), call.small("b")];
  const slope = ops.unary("Atan", ops.div(a, b));
  const type = { shape: slope.shape, dtype: slope.dtype };
  const choose = (condition: OnnxValue, yes: OnnxValue, no: OnnxValue) =>
    ops.make("Where", [condition, yes, no], type);
  const zero = ops.scalar(0);
  const half = choose(ops.binary("Less", a, zero, "bool"), ops.scalar(-Math.PI), ops.scalar(Math.PI));
  const onAxis = ops.mul(ops.sign(a), Math.PI / 2);
  const behind = choose(ops.binary("Less", b, zero, "bool"), ops.add(slope, half), onAxis);
  return choose(ops.binary("Greater", b, zero, "bool"), slope, behind);
}

/** dy where y is not negative, else dy (y + 1). */
function eluGradient(call: Call): OnnxValue {
  const { ops } = call;
  const [dy, y] = [call.input("dy"), call.input("y")];
  const slope = ops.make("Min", [ops.add(y, 1), ops.scalar(1)], y);
  return ops.mul(dy, slope);
}

/** (x - mean) scale / sqrt(variance + eps) + offset; scale and offset may be absent. */
function batchNorm(call: Call): OnnxValue {
  const { ops } = call;
  const optional = (name: string) => (call.node.inputNames.includes(name) ? call.small(name) : undefined);
  const eps = call.attribute<number | undefined>("varianceEpsilon") ?? 0.001;
  const [scale, offset] = [optional("scale"), optional("offset")];
  const inverse = ops.rsqrt(ops.add(call.small("variance"), eps));
  const normal = ops.mul(
    ops.sub(call.small("x"), call.small("mean")),
    scale ? ops.mul(inverse, scale) : inverse,
  );
  return offset ? ops.add(normal, offset) : normal;
}

function select(call: Call): OnnxValue {
  const [condition, yes, no] = ["condition", "t", "e"].map((name) => call.input(name));
  if (condition.shape.length < yes.shape.length) call.refuse("a condition of lower rank");
  return call.ops.make("Where", [condition, yes, no], { shape: call.shape(), dtype: yes.dtype });
}

/** Ops that work number by number. */
export const elementwise: Rules = {
  Abs: unary("Abs"),
  Acos: unary("Acos"),
  Acosh: unary("Acosh"),
  Add: binary("Add"),
  AddN: (call) => call.node.inputs.map((id) => call.scope.small(id)).reduce((sum, x) => call.ops.add(sum, x)),
  Asin: unary("Asin"),
  Asinh: unary("Asinh"),
  Atan: unary("Atan"),
  Atan2: angle,
  Atanh: unary("Atanh"),
  Ceil: unary("Ceil"),
  ClipByValue: clip,
  Cos: unary("Cos"),
  Cosh: unary("Cosh"),
  Elu: unary("Elu"),
  EluGrad: eluGradient,
  Equal: comparison("Equal"),
  Erf: unary("Erf"),
  Exp: unary("Exp"),
  Expm1: expMinusOne,
  Floor: unary("Floor"),
  FloorDiv: floorDivision,
  FusedBatchNorm: batchNorm,
  Greater: comparison("Greater"),
  GreaterEqual: comparison("GreaterOrEqual"),
  IsFinite: (call) =>
    call.ops.unary("Not", call.ops.binary("Or", test(call, "IsNaN"), test(call, "IsInf"), "bool")),
  IsInf: (call) => test(call, "IsInf"),
  IsNan: (call) => test(call, "IsNaN"),
  LeakyRelu: (call) =>
    call.ops.unary("LeakyRelu", call.small("x"), { alpha: { float: call.attribute("alpha") } }),
  Less: comparison("Less"),
  LessEqual: comparison("LessOrEqual"),
  Log: unary("Log"),
  Log1p: logOnePlus,
  LogicalAnd: comparison("And"),
  LogicalNot: unary("Not"),
  LogicalOr: comparison("Or"),
  Maximum: binary("Max"),
  Minimum: binary("Min"),
  Mod: remainder,
  Multiply: (call) => scaleOfMatMul(call) ?? call.ops.mul(call.small("a"), call.small("b")),
  Neg: unary("Neg"),
  NotEqual: (call) =>
    call.ops.unary("Not", call.ops.binary("Equal", call.small("a"), call.small("b"), "bool")),
  Pow: binary("Pow"),
  Prelu: (call) => call.ops.make("PRelu", [call.input("x"), call.input("alpha")], call.input("x")),
  RealDiv: binary("Div"),
  Reciprocal: unary("Reciprocal"),
  Relu: unary("Relu"),
  Relu6: (call) => {
    const x = call.small("x");
    return call.ops.make("Clip", [x, call.ops.scalar(0, x.dtype), call.ops.scalar(6, x.dtype)], x);
  },
  Round: unary("Round"),
  Rsqrt: (call) => call.ops.rsqrt(call.small("x")),
  Select: select,
  Selu: unary("Selu"),
  Sigmoid: unary("Sigmoid"),
  Sign: (call) => call.ops.sign(call.small("x")),
  Sin: unary("Sin"),
  Sinh: unary("Sinh"),
  Softplus: unary("Softplus"),
  Sqrt: unary("Sqrt"),
  Square: (call) => call.ops.mul(call.small("x"), call.small("x")),
  SquaredDifference: squaredDifference,
  Step: step,
  Sub: binary("Sub"),
  Tan: unary("Tan"),
  Tanh: unary("Tanh"),
};
