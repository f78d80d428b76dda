import type { GraphDtype } from "../ir";
import { broadcastShapes, type ShapeRule, type ShapeRules, type ValueInfo } from "./rule";

const unaryNames = [
  ...[
    "Abs",
    "Ceil",
    "ClipByValue",
    "Cos",
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
  ...["Sin", "Softplus", "Sqrt", "Square", "Step", "Tan", "Tanh", "ZerosLike"],
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
  ...[
    "Equal",
    "Greater",
    "GreaterEqual",
    "Less",
    "LessEqual",
    "LogicalAnd",
    "LogicalOr",
    "LogicalXor",
    "NotEqual",
  ],
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
  ["Cast", cast],
  ["Select", select],
]);
