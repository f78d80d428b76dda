import type { GraphDtype } from "../ir";
import { broadcastShapes, type ShapeRule, type ShapeRules, type ValueInfo } from "./rule";

const unaryNames = [
  ...[
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "ClipByValue",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "Expm1",
    "Floor",
    "Identity",
    "LeakyRelu",
    "Log",
  ],
  ...[
    "Log1p",
    "LogicalNot",
    "Neg",
    "OnesLike",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Round",
    "Rsqrt",
    "Sigmoid",
    "Sign",
  ],
  ...["Selu", "Sin", "Sinh", "Softplus", "Sqrt", "Square", "Step", "Tan", "Tanh", "ZerosLike"],
];
const testNames = ["IsFinite", "IsInf", "IsNan"];
const binaryNames = [
  ...[
    "Add",
    "Atan2",
    "FloorDiv",
    "Maximum",
    "Minimum",
    "Mod",
    "Multiply",
    "Pow",
    "RealDiv",
    "SquaredDifference",
  ],
  "Sub",
];
const comparisonNames = [
  ...["Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "NotEqual"],
];

const rank: Record<GraphDtype, number> = { bool: 0, int32: 1, float32: 2 };

/** The wider of two element types. */
function wider(a: GraphDtype, b: GraphDtype): GraphDtype {
  return rank[a] > rank[b] ? a : b;
}

/** tfjs names the operand of a few unary kernels otherwise, so the only operand is taken by place. */
const unary: ShapeRule = ({ list: [x] }) => ({ outputs: [{ shape: x.shape, dtype: x.dtype }] });
const unaryTest: ShapeRule = ({ list: [x] }) => ({ outputs: [{ shape: x.shape, dtype: "bool" }] });

const broadcast = (a: ValueInfo, b: ValueInfo, dtype: GraphDtype) => ({
  outputs: [{ shape: broadcastShapes(a.shape, b.shape), dtype }],
});
const binary: ShapeRule = ({ inputs: { a, b } }) => broadcast(a, b, wider(a.dtype, b.dtype));
const comparison: ShapeRule = ({ inputs: { a, b } }) => broadcast(a, b, "bool");

const addN: ShapeRule = ({ list: [x, ...more] }) => {
  if (more.some(({ shape }) => shape.join() !== x.shape.join())) throw new Error("operands differ in shape");
  return { outputs: [{ shape: x.shape, dtype: x.dtype }] };
};

/** Every other operand is broadcast to the first one named. */
const likeOperand =
  (name: string): ShapeRule =>
  ({ inputs }) => {
    const { shape, dtype } = inputs[name];
    for (const other of Object.values(inputs)) {
      const both = broadcastShapes(shape, other.shape);
      if (both.join() !== shape.join()) throw new Error(`[${other.shape}] does not broadcast to [${shape}]`);
    }
    return { outputs: [{ shape, dtype }] };
  };

const cast: ShapeRule = ({ inputs: { x }, attributes: { dtype } }) => {
  if (!((dtype as string) in rank)) throw new Error(`element type ${dtype}`);
  return { outputs: [{ shape: x.shape, dtype: dtype as GraphDtype }] };
};

const select: ShapeRule = ({ inputs: { condition, t, e } }) => {
  const shape = broadcastShapes(condition.shape, broadcastShapes(t.shape, e.shape));
  return { outputs: [{ shape, dtype: wider(t.dtype, e.dtype) }] };
};

const named = (names: readonly string[], rule: ShapeRule) => names.map((name) => [name, rule] as const);

/** Kernels that treat every element alike, operands broadcast. */
export const elementwiseRules: ShapeRules = Object.fromEntries([
  ...named(unaryNames, unary),
  ...named(testNames, unaryTest),
  ...named(binaryNames, binary),
  ...named(comparisonNames, comparison),
  ["AddN", addN],
  ["Cast", cast],
  ["EluGrad", likeOperand("dy")],
  ["FusedBatchNorm", likeOperand("x")],
  ["Prelu", likeOperand("x")],
  ["Select", select],
]);
