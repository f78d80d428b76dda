import type { TfValue } from "./builder";
import type { Call, Rule, Rules } from "./call";

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
    call.ops.binary(op, call.small("a"), call.small("b"), { dtype: "bool" });

const test =
  (op: string): Rule =>
  (call) => {
    const x = call.small("x");
    return call.ops.make(
      op,
      [x],
      { shape: x.shape, dtype: "bool" },
      { attributes: { T: { type: x.dtype } } },
    );
  };

/** tfjs's step: 1 above zero, alpha elsewhere. */
function step(call: Call): TfValue {
  const { ops } = call;
  const above = ops.binary("Greater", call.small("x"), ops.scalar(0), { dtype: "bool" });
  return choose(call, above, ops.scalar(1), ops.scalar(call.attribute<number | undefined>("alpha") ?? 0));
}

function choose({ ops }: Call, condition: TfValue, yes: TfValue, no: TfValue): TfValue {
  const widest = [condition, yes, no].reduce((a, b) => (a.shape.length >= b.shape.length ? a : b));
  const attributes = { T: { type: yes.dtype } };
  return ops.make(
    "SelectV2",
    [condition, yes, no],
    { shape: widest.shape, dtype: yes.dtype },
    { attributes },
  );
}

function clip(call: Call): TfValue {
  const { ops } = call;
  const x = call.small("x");
  const bound = (name: string) => ops.cast(ops.scalar(call.attribute(name)), x.dtype);
  return ops.binary("Minimum", ops.binary("Maximum", x, bound("clipValueMin")), bound("clipValueMax"));
}

function select(call: Call): TfValue {
  const [condition, yes, no] = ["condition", "t", "e"].map((name) => call.input(name));
  if (condition.shape.length < yes.shape.length) call.refuse("a condition of lower rank");
  return choose(call, condition, yes, no);
}

function eluGradient(call: Call): TfValue {
  const [dy, y] = [call.input("dy"), call.input("y")];
  return call.ops.make("EluGrad", [dy, y], dy, { attributes: { T: { type: dy.dtype } } });
}

/** x where it is positive, else alpha x. */
function prelu(call: Call): TfValue {
  const { ops } = call;
  const x = call.input("x");
  const below = ops.mul(call.small("alpha"), ops.unary("Relu", ops.unary("Neg", x)));
  return ops.sub(ops.unary("Relu", x), below);
}

/** (x - mean) scale / sqrt(variance + eps) + offset; scale and offset may be absent. */
function batchNorm(call: Call): TfValue {
  const { ops } = call;
  const optional = (name: string) => (call.node.inputNames.includes(name) ? call.small(name) : undefined);
  const eps = call.attribute<number | undefined>("varianceEpsilon") ?? 0.001;
  const [scale, offset] = [optional("scale"), optional("offset")];
  const inverse = ops.unary("Rsqrt", ops.add(call.small("variance"), eps));
  const factor = scale ? ops.mul(inverse, scale) : inverse;
  const normal = ops.mul(ops.sub(call.small("x"), call.small("mean")), factor);
  return offset ? ops.add(normal, offset) : normal;
}

const logical =
  (op: string): Rule =>
  (call) =>
    call.ops.make(op, [call.small("x")], call.small("x"));

/** Ops that work number by number. */
export const elementwise: Rules = {
  Abs: unary("Abs"),
  Acos: unary("Acos"),
  Acosh: unary("Acosh"),
  Add: binary("AddV2"),
  AddN: (call) => call.node.inputs.map((id) => call.scope.small(id)).reduce((sum, x) => call.ops.add(sum, x)),
  Asin: unary("Asin"),
  Asinh: unary("Asinh"),
  Atan: unary("Atan"),
  Atan2: binary("Atan2"),
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
  Expm1: unary("Expm1"),
  Floor: unary("Floor"),
  FloorDiv: binary("FloorDiv"),
  FusedBatchNorm: batchNorm,
  Greater: comparison("Greater"),
  GreaterEqual: comparison("GreaterEqual"),
  IsFinite: test("IsFinite"),
  IsInf: test("IsInf"),
  IsNan: test("IsNan"),
  LeakyRelu: (call) =>
    call.ops.unary("LeakyRelu", call.small("x"), {
      attributes: { alpha: { float: call.attribute("alpha") } },
    }),
  Less: comparison("Less"),
  LessEqual: comparison("LessEqual"),
  Log: unary("Log"),
  Log1p: unary("Log1p"),
  LogicalAnd: comparison("LogicalAnd"),
  LogicalNot: logical("LogicalNot"),
  LogicalOr: comparison("LogicalOr"),
  Maximum: binary("Maximum"),
  Minimum: binary("Minimum"),
  Mod: binary("FloorMod"),
  Multiply: binary("Mul"),
  Neg: unary("Neg"),
  NotEqual: comparison("NotEqual"),
  Pow: binary("Pow"),
  Prelu: prelu,
  RealDiv: binary("RealDiv"),
  Reciprocal: unary("Reciprocal"),
  Relu: unary("Relu"),
  Relu6: unary("Relu6"),
  Round: unary("Round"),
  Rsqrt: unary("Rsqrt"),
  Select: select,
  Selu: unary("Selu"),
  Sigmoid: unary("Sigmoid"),
  Sign: unary("Sign"),
  Sin: unary("Sin"),
  Sinh: unary("Sinh"),
  Softplus: unary("Softplus"),
  Sqrt: unary("Sqrt"),
  Square: unary("Square"),
  SquaredDifference: binary("SquaredDifference"),
  Step: step,
  Sub: binary("Sub"),
  Tan: unary("Tan"),
  Tanh: unary("Tanh"),
};
