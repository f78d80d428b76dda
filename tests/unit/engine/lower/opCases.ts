import { type Tensor, tf } from "../../../../src/core/tf";
import type { Graph, GraphAttributes, GraphDtype, GraphValue } from "../../../../src/graph/ir";
import { type KernelResult, shapeRule } from "../../../../src/graph/shapes";
import "../../../../src/nn";
import { GraphWriter } from "../support";

/** Numbers of one operand. */
export interface Operand {
  readonly shape: readonly number[];
  readonly dtype: GraphDtype;
  readonly data: readonly number[];
}

/** One call of a kernel; operands by name, or a list. */
export interface OpCase {
  readonly op: string;
  readonly operands: Readonly<Record<string, Operand>> | readonly Operand[];
  readonly attributes: GraphAttributes;
}

type Shape = readonly number[];

const size = (shape: Shape) => shape.reduce((product, length) => product * length, 1);
const wave = (shape: Shape, seed: number, most: number) =>
  Array.from({ length: size(shape) }, (_, i) => Math.round(most * Math.sin(1.7 * i + seed)));

/** Quarters between -2 and 2, some of them equal. */
const f = (shape: Shape, seed = 1): Operand => ({
  shape,
  dtype: "float32",
  data: wave(shape, seed, 8).map((x) => x / 4),
});
/** Whole numbers between -7 and 7. */
const i = (shape: Shape, seed = 1): Operand => ({ shape, dtype: "int32", data: wave(shape, seed, 7) });
/** Whole numbers, none of them zero. */
const n = (shape: Shape, seed = 1): Operand => ({
  shape,
  dtype: "int32",
  data: wave(shape, seed, 7).map((x) => x || 3),
});
const b = (shape: Shape, seed = 1): Operand => ({
  shape,
  dtype: "bool",
  data: wave(shape, seed, 7).map((x) => Number(x > 0)),
});
const p = (shape: Shape, seed = 1): Operand => ({
  shape,
  dtype: "float32",
  data: wave(shape, seed, 8).map((x) => Math.abs(x) / 4 + 0.5),
});
const is = (...data: number[]): Operand => ({ shape: [data.length], dtype: "int32", data });
const fs = (...data: number[]): Operand => ({ shape: [data.length], dtype: "float32", data });
const at = (shape: Shape, ...data: number[]): Operand => ({ shape, dtype: "int32", data });

/** Calls by what they are about. */
export const casesByPart: Record<string, OpCase[]> = {};
let cases: OpCase[] = [];
const begin = (part: string) => {
  cases = [];
  casesByPart[part] = cases;
};
const call = (op: string, operands: OpCase["operands"], ...variants: GraphAttributes[]) => {
  for (const attributes of variants.length > 0 ? variants : [{}])
    cases.push({ op, operands, attributes: settled({ op, operands, attributes }).attributes ?? attributes });
};

/** A call as a trace writes it down. */
function settled({ op, operands, attributes }: OpCase): KernelResult {
  const list = Object.values(operands) as Operand[];
  const inputs = Array.isArray(operands) ? {} : (operands as Record<string, Operand>);
  return shapeRule(op)({ inputs, list, attributes });
}

begin("number by number");
// Number by number: whole numbers, scalars, broadcasts on either side.
for (const op of ["Abs", "Neg", "Square", "Sign", "Identity", "ZerosLike", "OnesLike"])
  call(op, { x: i([2, 3]) });
for (const op of ["Exp", "Tanh", "Sign", "Round", "Floor", "Ceil", "Relu6", "Neg", "Cos", "Selu"])
  call(op, { x: f([], 4) });
call("Round", { x: fs(0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, -0.51) });
call("Relu6", { x: fs(-1, 0, 5.9, 6, 7) });
call("Step", { x: fs(-2, -0.5, 0, 0.5) }, { alpha: 0 }, { alpha: -0.25 });
call("LeakyRelu", { x: f([2, 3]) }, { alpha: 0 }, { alpha: 0.2 });
call(
  "ClipByValue",
  { x: f([3, 4]) },
  { clipValueMin: -0.5, clipValueMax: 1.25 },
  { clipValueMin: 0, clipValueMax: 0 },
);
for (const op of ["Add", "Sub", "Multiply", "Maximum", "Minimum", "SquaredDifference"]) {
  call(op, { a: i([2, 1, 3]), b: i([4, 1], 2) });
  call(op, { a: f([], 2), b: f([3]) });
  call(op, { a: f([3]), b: f([], 2) });
}
for (const op of ["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"])
  call(op, { a: i([2, 4]), b: i([4], 1) });
call("RealDiv", { a: f([3]), b: p([2, 1], 2) });
call("RealDiv", { a: f([], 2), b: p([3]) });
for (const op of ["FloorDiv", "Mod"]) {
  call(op, { a: is(-7, 7, -7, 7, 6, 0), b: is(2, 2, -2, -2, 3, 5) });
  call(op, { a: i([2, 1, 3]), b: n([4, 1], 2) });
  call(op, { a: fs(-1.75, 1.75, -1.75, 1.75, 2), b: fs(0.5, 0.5, -0.5, -0.5, -1) });
}
call("Pow", { a: i([5]), b: is(0, 1, 2, 3, 2) });
call("Atan2", { a: f([2, 1, 3]), b: p([2, 1], 2) });
call("AddN", [i([2, 3]), i([2, 3], 2), i([2, 3], 3)]);
call("AddN", [f([3])]);
call("LogicalAnd", { a: b([2, 1]), b: b([3], 2) });
call("LogicalOr", { a: b([2, 1]), b: b([3], 2) });
call("LogicalNot", { x: b([2, 3]) });
call("Select", { condition: b([2, 3]), t: i([2, 3]), e: i([2, 3], 2) });
call("Select", { condition: b([]), t: f([]), e: f([], 2) });
call("EluGrad", { dy: f([2, 4]), y: { ...f([2, 4]), data: [-0.9, -0.5, 0, 2, 1, -0.25, 0.25, -0.75] } });
call("Prelu", { x: f([2, 4]), alpha: f([1], 3) });
call("Prelu", { x: f([2, 4]), alpha: f([2, 4], 3) });
const normal = { x: f([2, 3, 2, 4]), mean: f([4], 2), variance: p([4], 3) };
call("FusedBatchNorm", { ...normal, scale: f([4], 4) }, {}, { varianceEpsilon: 0.5 });
call("FusedBatchNorm", { ...normal, offset: f([4], 5) });

begin("moves");
// What moves, cuts and joins.
call(
  "Cast",
  { x: fs(-1.75, -0.25, 0, 0.75, 2.5) },
  { dtype: "int32" },
  { dtype: "bool" },
  { dtype: "float32" },
);
call("Cast", { x: is(-2, 0, 3) }, { dtype: "bool" }, { dtype: "int32" });
call("Cast", { x: b([4]) }, { dtype: "int32" }, { dtype: "bool" });
call("Concat", [i([2, 1]), i([2, 3], 2)], { axis: -1 });
call("Concat", [f([3]), f([1], 2), f([2], 3)], { axis: 0 });
call("Concat", [f([2, 3])], { axis: 1 });
call("ExpandDims", { input: i([2, 3]) }, { dim: 2 }, { dim: 0 });
call("Fill", {}, { shape: [2], value: -3, dtype: "int32" }, { shape: [], value: 2.5, dtype: "float32" });
call(
  "LinSpace",
  {},
  { start: 2, stop: 5, num: 1 },
  { start: 2, stop: -5, num: 2 },
  { start: -1, stop: 1, num: 5 },
);
call(
  "Range",
  {},
  { start: 5, stop: -3, step: -3, dtype: "float32" },
  { start: 2, stop: 9, step: 3, dtype: "int32" },
);
call("Pack", [i([2, 3]), i([2, 3], 2), i([2, 3], 3)], { axis: 2 }, { axis: -1 }, { axis: 0 }, {});
call("Pack", [f([]), f([], 2)], { axis: 0 });
call("Unpack", { value: i([3, 2, 4]) }, {}, { axis: -1 }, { axis: 1 });
call("Unpack", { value: f([1, 3]) }, { axis: 0 });
call(
  "PadV2",
  { x: i([2, 3]) },
  {
    paddings: [
      [0, 1],
      [2, 0],
    ],
    constantValue: 7,
  },
  {
    paddings: [
      [1, 2],
      [0, 0],
    ],
    constantValue: 0,
  },
);
call(
  "PadV2",
  { x: f([2, 3]) },
  {
    paddings: [
      [0, 0],
      [0, 0],
    ],
    constantValue: 1,
  },
);
for (const mode of ["reflect", "symmetric"])
  call(
    "MirrorPad",
    { x: f([3, 4]) },
    {
      paddings: [
        [2, 1],
        [3, 2],
      ],
      mode,
    },
    {
      paddings: [
        [0, 0],
        [0, 3],
      ],
      mode,
    },
  );
call("Reshape", { x: i([2, 3]) }, { shape: [6] }, { shape: [1, 3, 2] });
call("Reshape", { x: f([1, 1]) }, { shape: [] });
call("Reverse", { x: f([3, 2, 4]) }, { dims: [0] }, { dims: [0, 1, 2] }, { dims: [] }, { dims: -1 });
call("Reverse", { x: i([5]) }, { dims: [0] });
call(
  "Slice",
  { x: i([3, 4]) },
  { begin: [1, 2], size: [2, 1] },
  { begin: [0, 0], size: [3, 4] },
  { begin: [2, 0], size: [1, 4] },
);
call("Slice", { x: f([5]) }, { begin: 2, size: 3 });
call("SplitV", { x: i([2, 6]) }, { numOrSizeSplits: [2, 3, 1], axis: 1 });
call("SplitV", { x: f([4, 3]) }, { numOrSizeSplits: [1, 3], axis: 0 }, { numOrSizeSplits: [3], axis: 1 });
const masks = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };
call(
  "StridedSlice",
  { x: f([5, 6]) },
  { ...masks, begin: [4, 5], end: [-6, -7], strides: [-1, -1] },
  { ...masks, begin: [4, 1], end: [0, 6], strides: [-2, 3] },
  { ...masks, begin: [3, 5], end: [1, 2], strides: [-1, -3], beginMask: 1, endMask: 2 },
  { ...masks, begin: [-2, 2], end: [9, 9], strides: [1, 1], shrinkAxisMask: 3 },
  { ...masks, begin: [0, 1, 2], end: [0, 4, 5], strides: [1, 1, 2], newAxisMask: 1 },
  { ...masks, begin: [0, 1], end: [0, 4], strides: [1, 2], ellipsisMask: 1 },
);
call("Tile", { x: i([2, 3]) }, { reps: [2, 2] }, { reps: [1, 1] });
call("Tile", { x: f([1, 1, 3]) }, { reps: [2, 3, 1] }, { reps: [2, 3, 2] });
call("Transpose", { x: i([2, 3]) }, { perm: [1, 0] });
call("Transpose", { x: f([2, 1, 3, 4]) }, { perm: [3, 1, 0, 2] }, { perm: [0, 1, 2, 3] });

begin("reductions");
// What makes fewer numbers of many.
for (const op of ["Max", "Mean", "Min", "Prod", "Sum"]) {
  const axis = op === "Max" ? "reductionIndices" : "axis";
  call(op, { x: i([2, 3, 2]) }, { [axis]: [1], keepDims: false }, { [axis]: [0, 1, 2], keepDims: true });
  call(
    op,
    { x: f([2, 1, 4]) },
    { [axis]: [1], keepDims: false },
    { [axis]: [1, 2], keepDims: true },
    { [axis]: [0], keepDims: false },
    { [axis]: [], keepDims: false },
  );
  call(op, { x: f([]) }, { [axis]: [], keepDims: false });
}
for (const op of ["All", "Any"])
  call(op, { x: b([2, 3, 2]) }, { axis: [0, 2], keepDims: false }, { axis: [0, 1, 2], keepDims: true });
for (const op of ["ArgMax", "ArgMin"]) {
  call(op, { x: f([2, 3, 4]) }, { axis: 0 }, { axis: 1 }, { axis: 2 });
  call(op, { x: fs(2, -1, 2, -1, 0) }, { axis: 0 });
}
call(
  "Cumsum",
  { x: i([2, 3]) },
  { axis: 0, exclusive: false, reverse: false },
  { axis: 1, exclusive: true, reverse: true },
);
call("TopK", { x: fs(3, 1, 2, 5, 4) }, { k: 1, sorted: true }, { k: 5, sorted: true });
call("Softmax", { logits: f([5]) }, { dim: 0 });
call("Softmax", { logits: f([2, 1, 2, 3]) }, { dim: 3 });

begin("look-ups and products");
// Look-ups and products.
call("GatherV2", { x: f([3, 4]), indices: at([], 2) }, { axis: 0, batchDims: 0 }, { axis: 1, batchDims: 0 });
call("GatherV2", { x: i([3, 4]), indices: at([2, 2], 3, 0, 1, 1) }, { axis: -1, batchDims: 0 });
call("GatherNd", { params: i([3, 4, 2]), indices: at([2, 2, 1], 2, 0, 1, 1) });
call("OneHot", { indices: at([2, 2], 2, 0, 3, 1) }, { depth: 3, onValue: 1, offValue: 0, dtype: "float32" });
call("OneHot", { indices: at([], 1) }, { depth: 2, onValue: -0.5, offValue: 0.25, dtype: "float32" });
call("ScatterNd", { indices: at([3, 2], 1, 0, 1, 0, 0, 2), updates: fs(1, 2, 4) }, { shape: [2, 3] });
call("UnsortedSegmentSum", { x: f([4, 2]), segmentIds: is(1, 0, 1, 4) }, { numSegments: 6 });
call("Einsum", [f([2, 3])], { equation: "ab->ba" });
call("Einsum", [f([2, 3, 4]), f([4, 3], 2)], { equation: "abc,cb->a" });
for (const [left, right, transposeA, transposeB] of [
  [[1, 2, 3], [1, 3, 4], false, false],
  [[2, 1, 3, 2], [1, 2, 4, 3], true, true],
  [[5, 2, 3], [3, 4], false, false],
  [[2, 5, 3], [1, 4, 3], false, true],
  [[1, 3], [3, 1], false, false],
  [[3, 1], [1, 3], true, true],
] as const)
  call("BatchMatMul", { a: f(left), b: f(right, 2) }, { transposeA, transposeB });

begin("images");
// Images.
const pixels = f([2, 5, 7, 3]);
const windows = [
  { strides: [1, 2], pad: "same", dataFormat: "NHWC", dilations: 1 },
  { strides: [2, 2], pad: "valid", dataFormat: "NHWC", dilations: [1, 1] },
  {
    strides: [1, 1],
    pad: [
      [0, 0],
      [1, 0],
      [0, 1],
      [0, 0],
    ],
    dataFormat: "NHWC",
    dilations: [1, 1],
  },
];
call("Conv2D", { x: pixels, filter: f([2, 3, 3, 4], 2) }, ...windows, {
  ...windows[1],
  strides: 1,
  dilations: [2, 3],
});
call("DepthwiseConv2dNative", { x: pixels, filter: f([2, 3, 3, 2], 2) }, windows[1], {
  ...windows[1],
  strides: 1,
  dilations: [2, 2],
});
for (const [window, places] of [
  [windows[0], [5, 4]],
  [windows[1], [2, 3]],
] as const) {
  call(
    "Conv2DBackpropInput",
    { dy: f([2, ...places, 4]), filter: f([2, 3, 3, 4], 2) },
    { ...window, inputShape: [2, 5, 7, 3] },
  );
  call(
    "Conv2DBackpropFilter",
    { x: pixels, dy: f([2, ...places, 4], 2) },
    { ...window, filterShape: [2, 3, 3, 4] },
  );
  for (const op of ["AvgPool", "MaxPool"]) {
    call(op, { x: pixels }, { ...window, filterSize: [2, 3] });
    call(
      `${op}Grad`,
      {
        dy: f([2, ...places, 3], 2),
        input: f([2, 5, 7, 3], 3),
        ...(op === "MaxPool" && { output: f([2, ...places, 3]) }),
      },
      { ...window, filterSize: [2, 3] },
    );
  }
}
// Windows with gaps: tfjs's own gradients have none, so what they are to be follows from the convolution.
for (const [dilations, places] of [
  [
    [2, 1],
    [3, 5],
  ],
  [
    [1, 3],
    [4, 3],
  ],
] as const) {
  const gaps = { strides: 1, pad: "valid", dataFormat: "NHWC", dilations };
  const [x, dy, filter] = [f([2, 5, 6, 2]), f([2, ...places, 3], 2), f([2, 2, 2, 3], 3)];
  call("Conv2DBackpropInput", { dy, filter }, { ...gaps, inputShape: [2, 5, 6, 2] });
  call("Conv2DBackpropFilter", { x, dy }, { ...gaps, filterShape: [2, 2, 2, 3] });
}
for (const window of [windows[1]]) {
  call(
    "DepthwiseConv2dNativeBackpropInput",
    { dy: f([2, 2, 3, 6]), filter: f([2, 3, 3, 2], 2) },
    { ...window, inputShape: [2, 5, 7, 3] },
  );
  call(
    "DepthwiseConv2dNativeBackpropFilter",
    { x: pixels, dy: f([2, 2, 3, 6], 2) },
    { ...window, filterShape: [2, 3, 3, 2] },
  );
}
const ways = [
  { alignCorners: false, halfPixelCenters: false },
  { alignCorners: true, halfPixelCenters: false },
  { alignCorners: false, halfPixelCenters: true },
];
for (const op of ["ResizeBilinear", "ResizeNearestNeighbor"])
  for (const way of ways) {
    call(op, { images: f([2, 3, 4, 2]) }, { ...way, size: [5, 2] }, { ...way, size: [1, 7] });
    if (!way.halfPixelCenters) call(`${op}Grad`, { images: f([2, 3, 4, 2]), dy: f([2, 5, 2, 2], 2) }, way);
  }
call("DepthToSpace", { x: f([1, 2, 3, 8]) }, { blockSize: 2, dataFormat: "NHWC" });

begin("own ops");
// This library's own.
const adam = { beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay: 0.1, lrScale: 0.5 };
const trained = {
  parameter: f([2, 3]),
  gradient: f([2, 3], 2),
  average: f([2, 3], 3),
  squares: p([2, 3], 4),
  schedule: fs(0.5, 0.2, 0.1),
};
call("LuvitAdamW", trained, adam, { ...adam, weightDecay: 0, lrScale: 1 });
call("LuvitAddRow", { x: f([4, 3]), row: f([3], 2) });
call("LuvitAddRow", { x: f([2, 1, 3]), row: f([3], 2) });
call("LuvitAfter", { x: f([3]), signal: f([]) });
call("LuvitCrossEntropy", { logits: f([2, 3, 5]), targets: p([2, 3, 5], 2) });
call("LuvitCrossEntropyGradient", { logits: f([2, 3, 5]), targets: p([2, 3, 5], 2), dy: f([], 3) });
call("LuvitGatedSilu", { gate: f([2, 1, 3]), up: f([2, 1, 3], 2) });
call("LuvitGelu", { x: f([7]) });
call("LuvitGeluGradient", { x: f([2, 1, 3]), dy: f([2, 1, 3], 2) });
for (const [kind, more] of [
  ["LayerNorm", { bias: f([5], 3) }],
  ["RmsNorm", {}],
] as const) {
  const [x, weight, dy] = [f([3, 5]), f([5], 2), f([3, 5], 4)];
  call(`Luvit${kind}`, { x, weight, ...more }, { eps: 0.5 });
  call(`Luvit${kind}InputGradient`, { x, weight, dy }, { eps: 0.5 });
  call(`Luvit${kind}WeightGradient`, { x, dy }, { eps: 0.5 });
}
call("LuvitNormalRows", { x: f([2, 2, 5]) }, { eps: 0.5 });
call("LuvitPatchLoss", {
  prediction: f([2, 3, 4]),
  target: f([2, 3, 4], 2),
  mask: { shape: [2, 3], dtype: "float32", data: [1, 0, 0, 1, 1, 0] },
});
call("LuvitJoinQkv", { q: f([2, 3, 2, 1]), k: f([2, 3, 2, 1], 2), v: f([2, 3, 2, 1], 3) });
call("LuvitMergeHeads", { x: f([2, 3, 4, 5]) });
call("LuvitSplitHeads", { x: f([2, 4, 6]) }, { heads: 3 }, { heads: 1 });
call("LuvitSplitQkv", { x: f([2, 3, 12]) }, { heads: 2 });
call("LuvitSumRows", { x: f([5]) });
call("LuvitSumRows", { x: f([3, 2, 5]) });

export const opCases: readonly OpCase[] = Object.values(casesByPart).flat();

/** Operands as tensors of tfjs. */
export function tensorsOf({ operands }: OpCase): Record<string, Tensor> | Tensor[] {
  const tensor = ({ data, shape, dtype }: Operand) => tf.tensor([...data], [...shape], dtype);
  if (Array.isArray(operands)) return operands.map(tensor);
  return Object.fromEntries(Object.entries(operands).map(([name, operand]) => [name, tensor(operand)]));
}

const run = (op: string, inputs: Record<string, Tensor> | Tensor[], attributes: GraphAttributes): Tensor[] =>
  [tf.engine().runKernel(op, inputs as never, attributes as never)].flat() as Tensor[];

/** Linear ops whose gradients tfjs computes otherwise than they follow: of what is not square, of padded windows, of gaps. */
const linear: Record<string, { forward: string; operand: string; shape?: string }> = {
  AvgPoolGrad: { forward: "AvgPool", operand: "x" },
  Conv2DBackpropFilter: { forward: "Conv2D", operand: "filter", shape: "filterShape" },
  Conv2DBackpropInput: { forward: "Conv2D", operand: "x", shape: "inputShape" },
  ResizeBilinearGrad: { forward: "ResizeBilinear", operand: "images" },
  ResizeNearestNeighborGrad: { forward: "ResizeNearestNeighbor", operand: "images" },
};

/** Each pixel's gradient: what a one there alone gives, times dy. */
function adjoint({ op, operands, attributes }: OpCase): Tensor {
  const { forward, operand, shape: given } = linear[op];
  const { dy, ...others } = operands as Record<string, Operand>;
  const shape = given ? (attributes[given] as Shape) : Object.values(others)[0].shape;
  const kept = given ? (tensorsOf({ operands: others } as unknown as OpCase) as Record<string, Tensor>) : {};
  const upstream = tf.tensor([...dy.data], [...dy.shape]);
  const places = Array.from({ length: size(shape) }, (_, place) => place);
  const gradients = places.map((place) => {
    const one = tf.reshape(tf.oneHot(tf.scalar(place, "int32"), places.length, 1, 0, "float32"), [...shape]);
    const inputs = { ...kept, [operand]: one };
    const [y] = run(forward, inputs, { size: dy.shape.slice(1, 3), ...attributes });
    return tf.sum(tf.mul(y, upstream));
  });
  return tf.reshape(tf.stack(gradients), [...shape]);
}

/** Matrices whose leading axes broadcast, which tfjs multiplies wrongly where both do. */
function product({ operands, attributes }: OpCase): Tensor {
  const { a, b: right } = tensorsOf({ operands } as OpCase) as Record<string, Tensor>;
  const turn = (x: Tensor, flag: unknown) =>
    flag
      ? tf.transpose(
          x,
          [...x.shape.keys()].map((_, axis, { length }) =>
            axis < length - 2 ? axis : 2 * length - 3 - axis,
          ),
        )
      : x;
  return tf.sum(
    tf.mul(
      tf.expandDims(turn(a, attributes.transposeA), -1),
      tf.expandDims(turn(right, attributes.transposeB), -3),
    ),
    -2,
  );
}

const hasGaps = ({ attributes: { dilations } }: OpCase) => [dilations].flat().some((step) => step !== 1);

/** What tfjs's own kernels in plain JavaScript give, or the definition where they are wrong. */
export function computed(one: OpCase): Tensor[] {
  if (one.op === "BatchMatMul") return [product(one)];
  const isAdjoint = linear[one.op] && (!one.op.startsWith("Conv2D") || hasGaps(one));
  return isAdjoint ? [adjoint(one)] : run(one.op, tensorsOf(one), one.attributes);
}

/** How operands come to a graph: fed, or as constants; or each of them one number everywhere. */
export type Given = "fed" | "constant" | "uniform";

/** Adds a call to a graph under construction; results are "NAME RESULT". */
export function addCase(writer: GraphWriter, name: string, one: OpCase, given: Given = "fed"): void {
  const declare = (key: string, { shape, dtype, data }: Operand): GraphValue => {
    if (given === "fed") return writer.input(`${name}${key}`, shape, dtype);
    const numbers = given === "uniform" && data.length > 0 && dtype === "float32" ? [data[0]] : data;
    const typed = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype].from(numbers);
    return writer.constant(typed, shape, dtype);
  };
  const entries = Object.entries(one.operands);
  const values = entries.map(([key, operand]) => [key, declare(key, operand)] as const);
  const results = [...settled(one).outputs];
  const operands = Array.isArray(one.operands)
    ? values.map(([, value]) => value)
    : Object.fromEntries(values);
  for (const [nth, value] of writer.node(one.op, operands, results, one.attributes).entries())
    writer.output(`${name}y${nth}`, value);
}

/** The graph of one call. */
export function graphOfCase(one: OpCase, given: Given = "fed"): Graph {
  const writer = new GraphWriter();
  addCase(writer, "", one, given);
  return writer.finish();
}

/** A call in words. */
export function caseText({ op, operands, attributes }: OpCase): string {
  const given = Object.entries(operands).map(
    ([name, { shape, dtype }]) => `${Array.isArray(operands) ? "" : `${name} `}${dtype}[${shape}]`,
  );
  return `${op}(${given.join(", ")}) ${JSON.stringify(attributes)}`;
}
