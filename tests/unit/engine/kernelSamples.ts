import { type Tensor, tf } from "../../../src/core/tf";
import { randomTensor } from "../nn/support";
import { imageSamples } from "./imageSamples";

/** One call of a tfjs kernel: its inputs by name, or its list input. */
export interface KernelSample {
  inputs: () => Record<string, Tensor> | Tensor[];
  attributes?: Record<string, unknown>;
  tolerance?: number;
}

const float = (shape: number[], seed = 1, scale = 1) => randomTensor(shape, seed, scale);
const positive = (shape: number[], seed = 1) => tf.add(tf.abs(float(shape, seed)), 0.1);
const integers = (values: number[], shape = [values.length]) => tf.tensor(values, shape, "int32");
const booleans = (values: number[], shape = [values.length]) =>
  tf.cast(tf.tensor(values, shape, "int32"), "bool");

const unary = (...names: string[]) =>
  names.map((name): [string, KernelSample[]] => [name, [{ inputs: () => ({ x: float([3, 5], 2, 2) }) }]]);

/** Broadcasts in both directions, with ties for comparisons. */
const pairs = () => [
  { a: tf.round(float([2, 1, 5], 1, 2)), b: tf.round(float([3, 1], 2, 2)) },
  { a: float([5], 3), b: float([2, 5], 4) },
];
const binary = (...names: string[]) =>
  names.map((name): [string, KernelSample[]] => [name, [0, 1].map((i) => ({ inputs: () => pairs()[i] }))]);

const reductions = (...names: string[]) =>
  names.map((name): [string, KernelSample[]] => {
    const axisName = name === "Max" ? "reductionIndices" : "axis";
    const inputs = () => ({ x: float([2, 3, 4], 5) });
    return [
      name,
      [
        { inputs, attributes: { [axisName]: [0, 2], keepDims: false } },
        { inputs, attributes: { [axisName]: -1, keepDims: true } },
        { inputs, attributes: { [axisName]: [0, 1, 2], keepDims: false } },
      ],
    ];
  });

const logicalPair = () => ({ a: booleans([0, 0, 1, 1]), b: booleans([0, 1, 0, 1]) });
const eps = { eps: 1e-6 };
const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 0.75 };

const products: KernelSample[] = [
  [[3, 4], [4, 5], false, false],
  [[4, 3], [5, 4], true, true],
  [[3, 4], [5, 4], false, true],
  [[1, 4, 3], [1, 4, 5], true, false],
  [[2, 3, 4, 5], [2, 3, 6, 5], false, true],
  [[2, 3, 5, 4], [2, 3, 5, 6], true, false],
  [[2, 3, 5, 4], [2, 3, 6, 5], true, true],
  [[2, 3, 4], [1, 4, 5], false, false],
  [[2, 4, 3], [1, 5, 4], true, true],
  [[1, 3, 4], [2, 5, 4], false, true],
  [[2, 4, 3], [1, 4, 5], true, false],
  [[3, 2, 4, 3], [1, 1, 5, 4], true, true],
  [[3, 2, 3, 4], [1, 1, 4, 5], false, false],
].map(([a, b, transposeA, transposeB]) => ({
  inputs: () => ({ a: float(a as number[], 1), b: float(b as number[], 2) }),
  attributes: { transposeA, transposeB },
}));

const likeX =
  (...names: string[]) =>
  () =>
    Object.fromEntries(names.map((name, i) => [name, float([3, 7], 20 + i, 2)]));

/** Samples of this library's own ops. */
const own: [string, KernelSample[]][] = [
  ["LuvitAddRow", [{ inputs: () => ({ x: float([2, 3, 5]), row: float([5], 2) }) }]],
  [
    "LuvitAfter",
    [
      { inputs: () => ({ x: float([2, 3], 1), signal: float([2, 3, 4], 2) }) },
      { inputs: () => ({ x: tf.tensor([1, -0, 3e38, 1e-40]), signal: tf.tensor([Number.NaN, 1]) }) },
      { inputs: () => ({ ...nonFinite(), signal: tf.scalar(Number.POSITIVE_INFINITY) }) },
    ],
  ],
  ["LuvitAdamW", [{ inputs: adamInputs, attributes: adam }]],
  ["LuvitCrossEntropy", [{ inputs: likeX("logits", "targets") }]],
  [
    "LuvitCrossEntropyGradient",
    [{ inputs: () => ({ ...likeX("logits", "targets")(), dy: tf.scalar(0.7) }) }],
  ],
  ["LuvitGatedSilu", [{ inputs: likeX("gate", "up") }]],
  ["LuvitGatedSiluGateGradient", [{ inputs: likeX("gate", "up", "dy"), tolerance: 5e-6 }]],
  ["LuvitGelu", [{ inputs: likeX("x") }]],
  ["LuvitGeluGradient", [{ inputs: likeX("x", "dy") }]],
  ["LuvitJoinQkv", [{ inputs: () => ({ q: heads(1), k: heads(2), v: heads(3) }) }]],
  [
    "LuvitLayerNorm",
    [{ inputs: () => ({ x: rows(1), weight: float([7], 2), bias: float([7], 3) }), attributes: eps }],
  ],
  [
    "LuvitLayerNormInputGradient",
    [
      {
        inputs: () => ({ x: rows(1), weight: float([7], 2), dy: rows(3) }),
        attributes: eps,
        tolerance: 5e-6,
      },
    ],
  ],
  [
    "LuvitLayerNormWeightGradient",
    [{ inputs: () => ({ x: rows(1), dy: rows(3) }), attributes: { eps: 0.1 } }],
  ],
  [
    "LuvitPatchLoss",
    [
      {
        inputs: () => ({ prediction: rows(1), target: rows(2), mask: tf.tensor([1, 0, 1, 1, 0, 1], [2, 3]) }),
      },
    ],
  ],
  ["LuvitNormalRows", [{ inputs: () => ({ x: rows(1) }), attributes: eps }]],
  ["LuvitMergeHeads", [{ inputs: () => ({ x: heads(1) }) }]],
  ["LuvitRmsNorm", [{ inputs: () => ({ x: rows(1), weight: float([7], 2) }), attributes: eps }]],
  [
    "LuvitRmsNormInputGradient",
    [{ inputs: () => ({ x: rows(1), weight: float([7], 2), dy: rows(3) }), attributes: eps }],
  ],
  ["LuvitRmsNormWeightGradient", [{ inputs: () => ({ x: rows(1), dy: rows(3) }), attributes: { eps: 0.1 } }]],
  ["LuvitSplitHeads", [{ inputs: () => ({ x: float([2, 3, 10]) }), attributes: { heads: 5 } }]],
  ["LuvitSplitQkv", [{ inputs: () => ({ x: float([2, 3, 30]) }), attributes: { heads: 5 } }]],
  ["LuvitSumRows", [{ inputs: () => ({ x: float([2, 3, 5]) }) }, { inputs: () => ({ x: float([1, 9]) }) }]],
];

function heads(seed: number): Tensor {
  return float([2, 5, 3, 2], seed);
}

function rows(seed: number): Tensor {
  return float([2, 3, 7], seed);
}

function adamInputs(): Record<string, Tensor> {
  return {
    parameter: float([3, 5], 1),
    gradient: float([3, 5], 2),
    average: float([3, 5], 3),
    squares: positive([3, 5], 4),
    schedule: tf.tensor([1e-2, 0.19, 0.0975]),
  };
}

const structure: [string, KernelSample[]][] = [
  ["AddN", [{ inputs: () => [float([2, 3], 1), float([2, 3], 2), float([2, 3], 3)] }]],
  [
    "Cast",
    [
      { inputs: () => ({ x: float([7], 1, 3) }), attributes: { dtype: "int32" } },
      { inputs: () => ({ x: integers([-1, 0, 3]) }), attributes: { dtype: "float32" } },
      { inputs: () => ({ x: booleans([1, 0]) }), attributes: { dtype: "float32" } },
      { inputs: () => ({ x: tf.tensor([0, -2, 0.5]) }), attributes: { dtype: "bool" } },
    ],
  ],
  [
    "ClipByValue",
    [{ inputs: () => ({ x: float([9], 1, 2) }), attributes: { clipValueMin: -1, clipValueMax: 0.5 } }],
  ],
  ["Concat", [{ inputs: () => [float([2, 1, 3]), float([2, 4, 3], 2)], attributes: { axis: 1 } }]],
  [
    "Cumsum",
    [
      ...[true, false].flatMap((exclusive) =>
        [true, false].map((reverse) => ({
          inputs: () => ({ x: float([2, 5]) }),
          attributes: { axis: 1, exclusive, reverse },
        })),
      ),
    ],
  ],
  [
    "Einsum",
    [{ inputs: () => [float([2, 3, 4]), float([4, 5], 2)], attributes: { equation: "abc,cd->abd" } }],
  ],
  ["ExpandDims", [{ inputs: () => ({ input: float([2, 3]) }), attributes: { dim: 1 } }]],
  [
    "GatherV2",
    [
      {
        inputs: () => ({ x: float([4, 3]), indices: integers([3, 0, 0, 2]) }),
        attributes: { axis: 0, batchDims: 0 },
      },
      {
        inputs: () => ({ x: float([2, 4, 3]), indices: integers([3, 1]) }),
        attributes: { axis: 1, batchDims: 0 },
      },
      {
        inputs: () => ({ x: float([2, 4, 3]), indices: integers([3, 1, 0, 0, 2, 2], [2, 3]) }),
        attributes: { axis: 1, batchDims: 1 },
      },
    ],
  ],
  ["Fill", [{ inputs: () => ({}), attributes: { shape: [2, 3], value: 2.5, dtype: "float32" } }]],
  ["GatherNd", [{ inputs: () => ({ params: float([3, 4]), indices: integers([2, 1, 0, 3], [2, 2]) }) }]],
  ["Identity", [{ inputs: () => ({ x: float([3]) }) }]],
  ["LeakyRelu", [{ inputs: () => ({ x: float([9]) }), attributes: { alpha: 0.3 } }]],
  ["OneHot", [{ inputs: () => ({ indices: integers([2, 0, 4]) }), attributes: oneHot(4) }]],
  ["Pack", [{ inputs: () => [float([2, 3]), float([2, 3], 2)], attributes: { axis: 1 } }]],
  [
    "PadV2",
    [
      {
        inputs: () => ({ x: float([2, 3]) }),
        attributes: {
          paddings: [
            [1, 0],
            [0, 2],
          ],
          constantValue: 0.5,
        },
      },
    ],
  ],
  ["Reshape", [{ inputs: () => ({ x: float([2, 3]) }), attributes: { shape: [3, 2] } }]],
  ["Reverse", [{ inputs: () => ({ x: float([2, 3, 2]) }), attributes: { dims: [1, 2] } }]],
  [
    "ScatterNd",
    [
      {
        inputs: () => ({ indices: integers([2, 0, 2], [3, 1]), updates: float([3, 4]) }),
        attributes: { shape: [3, 4] },
      },
    ],
  ],
  ["Select", [{ inputs: () => ({ condition: booleans([1, 0, 1]), t: float([3]), e: float([3], 2) }) }]],
  ["Slice", [{ inputs: () => ({ x: float([3, 4, 2]) }), attributes: { begin: [0, 1, 0], size: [3, 2, 1] } }]],
  [
    "Softmax",
    [2, -1].map((dim) => ({ inputs: () => ({ logits: float([2, 3, 5], 1, 4) }), attributes: { dim } })),
  ],
  [
    "SplitV",
    [
      { inputs: () => ({ x: float([2, 6]) }), attributes: { numOrSizeSplits: [1, 5], axis: 1 } },
      { inputs: () => ({ x: float([2, 6]) }), attributes: { numOrSizeSplits: 3, axis: 1 } },
    ],
  ],
  [
    "Step",
    [0.25, 0].map((alpha) => ({ inputs: () => ({ x: tf.tensor([-1, 0, 2, 0.5]) }), attributes: { alpha } })),
  ],
  [
    "Tile",
    [
      { inputs: () => ({ x: float([1, 3]) }), attributes: { reps: [4, 1] } },
      { inputs: () => ({ x: float([2, 3]) }), attributes: { reps: [1, 2] } },
      { inputs: () => ({ x: float([1, 3]) }), attributes: { reps: [4, 2] } },
    ],
  ],
  ["Transpose", [{ inputs: () => ({ x: float([2, 3, 4]) }), attributes: { perm: [2, 0, 1] } }]],
  ["Unpack", [{ inputs: () => ({ value: float([2, 3, 4]) }), attributes: { axis: 1 } }]],
  [
    "UnsortedSegmentSum",
    [
      {
        inputs: () => ({ x: float([5, 3]), segmentIds: integers([2, 0, 2, 3, 0]) }),
        attributes: { numSegments: 4 },
      },
    ],
  ],
];

function oneHot(depth: number) {
  return { depth, onValue: 0.9, offValue: 0.1, dtype: "float32" };
}

const special: [string, KernelSample[]][] = [
  [
    "All",
    [{ inputs: () => ({ x: booleans([1, 1, 0, 1], [2, 2]) }), attributes: { axis: [1], keepDims: false } }],
  ],
  [
    "Any",
    [{ inputs: () => ({ x: booleans([0, 0, 0, 1], [2, 2]) }), attributes: { axis: [1], keepDims: true } }],
  ],
  ["ArgMax", [{ inputs: () => ({ x: float([3, 5]) }), attributes: { axis: 1 } }]],
  ["ArgMin", [{ inputs: () => ({ x: float([3, 5]) }), attributes: { axis: 0 } }]],
  ["BatchMatMul", products],
  ["Expm1", [{ inputs: () => ({ x: tf.tensor([-3, -1e-4, 0, 1e-5, 0.5, 4]) }) }]],
  ["FloorDiv", [{ inputs: () => ({ a: integers([-7, 7, 6]), b: integers([2, 2, 3]) }) }]],
  ["IsFinite", [{ inputs: nonFinite }]],
  ["IsInf", [{ inputs: nonFinite }]],
  ["IsNan", [{ inputs: nonFinite }]],
  ["Log", [{ inputs: () => ({ x: positive([7]) }) }]],
  ["Log1p", [{ inputs: () => ({ x: tf.tensor([-0.5, -1e-4, 0, 1e-9, 1e-5, 2]) }) }]],
  ["LogicalAnd", [{ inputs: logicalPair }]],
  ["LogicalNot", [{ inputs: () => ({ x: booleans([0, 1]) }) }]],
  ["LogicalOr", [{ inputs: logicalPair }]],
  [
    "Mod",
    [{ inputs: () => ({ a: integers([-7, 7, 6]), b: integers([2, -2, 4]) }) }, { inputs: () => pairs()[1] }],
  ],
  [
    "Pow",
    [
      { inputs: () => ({ a: positive([2, 3]), b: float([3], 2) }) },
      { inputs: () => ({ a: tf.tensor([-2, -2, 0.5, 3]), b: tf.tensor([3, 2, -2, 0]) }) },
    ],
  ],
  ["Rsqrt", [{ inputs: () => ({ x: positive([7]) }) }]],
  ["Sqrt", [{ inputs: () => ({ x: positive([7]) }) }]],
];

function nonFinite(): Record<string, Tensor> {
  return { x: tf.tensor([1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) };
}

/** From -1 to 1 and above 1, where the inverse functions have values. */
const inside = () => ({ x: tf.tensor([-0.9, -0.3, 0, 0.2, 0.95]) });
const everyStep = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };

const more: [string, KernelSample[]][] = [
  ["Acos", [{ inputs: inside }]],
  ["Acosh", [{ inputs: () => ({ x: tf.tensor([1, 1.5, 4]) }) }]],
  ["Asin", [{ inputs: inside }]],
  [
    "Atan2",
    [
      { inputs: () => ({ a: tf.tensor([1, 1, -1, -1, 2, -2, 0]), b: tf.tensor([2, -2, 2, -2, 0, 0, -1]) }) },
      { inputs: () => pairs()[1] },
    ],
  ],
  ["Atanh", [{ inputs: inside }]],
  ["EluGrad", [{ inputs: () => ({ dy: float([3, 5], 1), y: tf.elu(float([3, 5], 2)) }) }]],
  [
    "FusedBatchNorm",
    [
      { inputs: () => ({ x: float([2, 3, 4]), mean: float([4], 2), variance: positive([4], 3) }) },
      {
        inputs: () => ({
          x: float([2, 3, 4]),
          mean: float([4], 2),
          variance: positive([4], 3),
          offset: float([4], 4),
          scale: float([4], 5),
        }),
        attributes: { varianceEpsilon: 0.01 },
      },
    ],
  ],
  ["LinSpace", [{ inputs: () => ({}), attributes: { start: -1, stop: 2, num: 7 } }]],
  [
    "MirrorPad",
    ["reflect", "symmetric"].map((mode) => ({
      inputs: () => ({ x: float([3, 4]) }),
      attributes: {
        paddings: [
          [1, 2],
          [0, 3],
        ],
        mode,
      },
    })),
  ],
  ["Prelu", [{ inputs: () => ({ x: float([3, 5]), alpha: float([5], 2) }) }]],
  [
    "Range",
    [
      { inputs: () => ({}), attributes: { start: 3, stop: -2, step: -2, dtype: "int32" } },
      { inputs: () => ({}), attributes: { start: 0, stop: 1, step: 0.25, dtype: "float32" } },
    ],
  ],
  [
    "StridedSlice",
    [
      {
        inputs: () => ({ x: float([5, 6]) }),
        attributes: { begin: [0, 4], end: [5, -7], strides: [2, -2], ...everyStep },
      },
      {
        inputs: () => ({ x: float([3, 4, 2]) }),
        attributes: {
          ...everyStep,
          begin: [1, 0, 0],
          end: [2, 3, 2],
          strides: [1, 1, 1],
          shrinkAxisMask: 1,
          endMask: 4,
        },
      },
    ],
  ],
  [
    "TopK",
    [
      {
        inputs: () => ({ x: tf.tensor2d([3, 1, 4, 1, 5, 9, 2, 6], [2, 4]) }),
        attributes: { k: 3, sorted: true },
      },
    ],
  ],
];

export const kernelSamples = new Map<string, KernelSample[]>([
  ...unary(
    "Abs",
    "Asinh",
    "Atan",
    "Cosh",
    "Selu",
    "Sinh",
    "Ceil",
    "Cos",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Neg",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Round",
  ),
  ...unary("Sigmoid", "Sign", "Sin", "Softplus", "Square", "Tan", "Tanh", "OnesLike", "ZerosLike"),
  ...binary("Add", "Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "Maximum", "Minimum", "Multiply"),
  ...binary("NotEqual", "SquaredDifference", "Sub"),
  ["RealDiv", [{ inputs: () => pairs()[1] }]],
  ...reductions("Max", "Mean", "Min", "Prod", "Sum"),
  ...structure,
  ...special,
  ...own,
  ...more,
  ...imageSamples,
]);
