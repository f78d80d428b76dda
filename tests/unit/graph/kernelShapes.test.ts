import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GraphAttributes, GraphDtype } from "../../../src/graph/ir";
import { shapeRule, type ValueInfo } from "../../../src/graph/shapes";
import { broadcastShapes, positiveAxes, positiveAxis } from "../../../src/graph/shapes/rule";
import { slidingWindows } from "../../../src/graph/shapes/windows";

const value = (shape: readonly number[], dtype: GraphDtype = "float32"): ValueInfo => ({ shape, dtype });

function ruled(kernel: string, operands: Record<string, ValueInfo>, attributes: object = {}) {
  const list = Object.values(operands);
  return shapeRule(kernel)({ inputs: operands, list, attributes: attributes as GraphAttributes });
}

const types = (...args: Parameters<typeof ruled>) => ruled(...args).outputs.map(({ dtype }) => dtype);

/** Places at which a window stands, counted one by one. */
function counted(length: number, reach: number, stride: number, before: number, after: number): number {
  let places = 0;
  for (let at = -before; at + reach <= length + after; at += stride) places++;
  return places;
}

describe("a window that slides along an axis", () => {
  const windows = (x: number[], size: number[], attributes: object) =>
    slidingWindows(x, size, attributes as GraphAttributes);

  test("stands at every place that padding, stride and dilation leave it, height and width apart", () => {
    for (const [height, width] of [
      [7, 5],
      [6, 11],
    ])
      for (const strides of [1, [2, 1], [1, 3]])
        for (const dilations of [1, [1, 2], [2, 1]])
          for (const pad of [
            "valid",
            1,
            [
              [0, 0],
              [2, 1],
              [0, 3],
              [0, 0],
            ],
          ]) {
            const attributes = { strides, dilations, pad };
            const both = windows([2, height, width, 3], [3, 2], attributes);
            for (const [axis, found] of both.entries()) {
              const of = (both: number | number[]) => (typeof both === "number" ? both : both[axis]);
              const [size, stride, dilation] = [[3, 2][axis], of(strides), of(dilations)];
              const padded = pad === "valid" ? [0, 0] : pad === 1 ? [1, 1] : (pad as number[][])[axis + 1];
              const length = [height, width][axis];
              const reach = (size - 1) * dilation + 1;
              assert.deepEqual(
                found,
                {
                  length,
                  places: counted(length, reach, stride, padded[0], padded[1]),
                  size,
                  stride,
                  dilation,
                  before: padded[0],
                  after: padded[1],
                },
                JSON.stringify(attributes),
              );
            }
          }
  });

  test('with "same" has a place for every stride begun, and of an odd padding the further zero behind', () => {
    for (const [length, size, stride, dilation, places, before, after] of [
      [5, 3, 1, 1, 5, 1, 1],
      [6, 2, 1, 1, 6, 0, 1],
      [6, 3, 2, 1, 3, 0, 1],
      [7, 3, 2, 1, 4, 1, 1],
      [6, 1, 2, 1, 3, 0, 0],
      [5, 2, 1, 3, 5, 1, 2],
      [4, 3, 4, 1, 1, 0, 0],
      [1, 4, 1, 1, 1, 1, 2],
    ]) {
      const attributes = { strides: [stride, 1], dilations: [dilation, 1], pad: "same" };
      const [rows] = windows([1, length, 9, 1], [size, 1], attributes);
      assert.deepEqual(rows, { length, places, size, stride, dilation, before, after });
      const turned = { strides: [1, stride], dilations: [1, dilation], pad: "same" };
      assert.deepEqual(windows([1, 9, length, 1], [1, size], turned)[1], rows);
    }
  });

  test("is refused where it does not fit, and where channels stand first", () => {
    const refused = (attributes: object) => () => windows([1, 4, 9, 1], [3, 3], attributes);
    assert.throws(
      refused({ strides: 1, dilations: 2, pad: "valid" }),
      /a window of 5 does not fit an axis of 4/,
    );
    assert.equal(refused({ strides: 1, dilations: [1, 4], pad: "valid" })()[1].places, 1);
    const format = { strides: 1, pad: "valid", dataFormat: "NCHW" };
    assert.throws(refused(format), /data format NCHW, expected NHWC/);
  });
});

test("kernels over images give [batch, rows, columns, channels], each from where it has it", () => {
  const shape = (...args: Parameters<typeof ruled>) => ruled(...args).outputs[0].shape;
  const [x, filter] = [value([2, 7, 5, 3]), value([3, 2, 3, 4])];
  const plain = { strides: [2, 1], pad: "valid" };
  assert.deepEqual(shape("Conv2D", { x, filter }, plain), [2, 3, 4, 4]);
  assert.deepEqual(shape("DepthwiseConv2dNative", { x, filter }, plain), [2, 3, 4, 12]);
  for (const kernel of ["MaxPool", "AvgPool"]) {
    assert.deepEqual(shape(kernel, { x }, { ...plain, filterSize: [3, 2] }), [2, 3, 4, 3]);
    assert.deepEqual(shape(kernel, { x }, { filterSize: 2, strides: 2, pad: "same" }), [2, 4, 3, 3]);
    assert.deepEqual(shape(`${kernel}Grad`, { dy: value([2, 3, 4, 3]), input: x }, plain), [2, 7, 5, 3]);
  }
  const dy = value([2, 3, 4, 4]);
  for (const kind of ["Conv2D", "DepthwiseConv2dNative"]) {
    assert.deepEqual(
      shape(`${kind}BackpropInput`, { dy, filter }, { inputShape: [2, 7, 5, 3] }),
      [2, 7, 5, 3],
    );
    assert.deepEqual(shape(`${kind}BackpropFilter`, { x, dy }, { filterShape: [3, 2, 3, 4] }), [3, 2, 3, 4]);
  }
  for (const kernel of ["ResizeBilinear", "ResizeNearestNeighbor"]) {
    const images = value([2, 7, 5, 3], "int32");
    assert.deepEqual(ruled(kernel, { images }, { size: [4, 9] }).outputs, [value([2, 4, 9, 3])]);
    assert.deepEqual(shape(`${kernel}Grad`, { images: x, dy: value([2, 4, 9, 3]) }), [2, 7, 5, 3]);
  }
  assert.deepEqual(shape("DepthToSpace", { x: value([2, 3, 4, 12]) }, { blockSize: 2 }), [2, 6, 8, 3]);
  assert.throws(
    () => ruled("DepthToSpace", { x: value([2, 3, 4, 6]) }, { blockSize: 2 }),
    /6 channels do not make blocks of 2 x 2/,
  );
});

test("results have the type that tfjs gives: the wider operand's, bool of questions, int32 of places", () => {
  const [bool, int32, float32] = (["bool", "int32", "float32"] as const).map((dtype) => value([2], dtype));
  const all = { bool, int32, float32 };
  const wider = [
    ["bool", "bool", "bool"],
    ["bool", "int32", "int32"],
    ["int32", "float32", "float32"],
    ["bool", "float32", "float32"],
  ] as const;
  for (const [left, right, expected] of wider) {
    for (const kernel of ["Add", "Maximum", "Sub", "SquaredDifference", "RealDiv", "Mod"])
      for (const [a, b] of [
        [all[left], all[right]],
        [all[right], all[left]],
      ])
        assert.deepEqual(types(kernel, { a, b }), [expected], `${kernel} of ${a.dtype}, ${b.dtype}`);
    const choice = { condition: bool, t: all[left], e: all[right] };
    assert.deepEqual(types("Select", choice), [expected]);
  }
  for (const kernel of [
    "Equal",
    "Greater",
    "GreaterEqual",
    "Less",
    "LessEqual",
    "LogicalAnd",
    "LogicalOr",
    "NotEqual",
  ])
    assert.deepEqual(types(kernel, { a: float32, b: float32 }), ["bool"], kernel);
  for (const kernel of ["IsFinite", "IsInf", "IsNan"])
    assert.deepEqual(types(kernel, { x: float32 }), ["bool"]);
  const reductions = {
    Sum: "int32",
    Max: "int32",
    Min: "int32",
    Prod: "int32",
    Mean: "float32",
    All: "bool",
    Any: "bool",
  };
  for (const [kernel, expected] of Object.entries(reductions))
    assert.deepEqual(types(kernel, { x: int32 }), [expected], kernel);
  for (const kernel of ["ArgMax", "ArgMin"]) assert.deepEqual(types(kernel, { x: float32 }), ["int32"]);
  assert.deepEqual(types("TopK", { x: float32 }, { k: 2, sorted: true }), ["float32", "int32"]);
  assert.deepEqual(types("Softmax", { logits: int32 }), ["float32"]);
  for (const [kernel, operands, attributes] of [
    ["Abs", { x: int32 }, {}],
    ["LogicalNot", { x: bool }, {}],
    ["Identity", { x: bool }, {}],
    ["Cumsum", { x: int32 }, {}],
    ["Concat", { x: int32 }, {}],
    ["Reshape", { x: int32 }, { shape: [2, 1] }],
    ["Slice", { x: int32 }, { begin: 0, size: 1 }],
    ["Transpose", { x: bool }, {}],
    ["Reverse", { x: int32 }, { dims: [0] }],
    ["GatherV2", { x: int32, indices: value([1], "int32") }, {}],
    ["GatherNd", { params: bool, indices: value([1, 1], "int32") }, {}],
    ["Unpack", { value: value([1], "int32") }, {}],
  ] as const)
    assert.deepEqual(
      types(kernel, operands as never, attributes),
      [Object.values(operands)[0].dtype],
      kernel,
    );
  for (const dtype of ["bool", "int32", "float32"])
    assert.deepEqual(types("Cast", { x: float32 }, { dtype }), [dtype]);
  for (const dtype of ["string", "complex64", undefined])
    assert.throws(() => ruled("Cast", { x: float32 }, { dtype }), /element type/);
});

test("operands broadcast as NumPy's do, aligned at the last axes; others keep to the first one's shape", () => {
  for (const [a, b, both] of [
    [[2, 3], [3], [2, 3]],
    [[3, 1], [2], [3, 2]],
    [
      [4, 1, 1],
      [5, 1],
      [4, 5, 1],
    ],
    [[], [2], [2]],
    [[1], [0], [0]],
  ]) {
    assert.deepEqual(broadcastShapes(a, b), both);
    assert.deepEqual(broadcastShapes(b, a), both);
  }
  for (const [a, b] of [
    [[2, 3], [2]],
    [[0], [2]],
    [
      [2, 3, 1],
      [2, 2],
    ],
  ])
    assert.throws(() => broadcastShapes(a, b), /do not broadcast/);
  const x = value([2, 3]);
  assert.deepEqual(ruled("Prelu", { x, alpha: value([3]) }).outputs, [x]);
  assert.throws(
    () => ruled("Prelu", { x, alpha: value([4, 2, 3]) }),
    /\[4,2,3\] does not broadcast to \[2,3\]/,
  );
  assert.throws(() => ruled("Prelu", { x: value([1, 3]), alpha: x }), /does not broadcast/);
  assert.deepEqual(ruled("EluGrad", { dy: x, y: x }).outputs, [x]);
  assert.deepEqual(ruled("AddN", { a: x, b: x }).outputs, [x]);
  assert.throws(() => ruled("AddN", { a: x, b: x, c: value([3]) }), /operands differ in shape/);
  const choice = { condition: value([2, 1], "bool"), t: value([3]), e: value([]) };
  assert.deepEqual(ruled("Select", choice).outputs, [x]);
});

test("axes count from either end, within the rank; several come in order", () => {
  assert.deepEqual(
    [0, 2, -1, -3].map((axis) => positiveAxis(axis, 3)),
    [0, 2, 2, 0],
  );
  for (const axis of [3, -4, 1.5, Number.NaN])
    assert.throws(() => positiveAxis(axis, 3), new RegExp(`axis is ${axis}, expected -3 to 2`));
  assert.deepEqual(positiveAxes([-1, 0], 3), [0, 2]);
  assert.deepEqual(positiveAxes(1, 3), [1]);
  assert.deepEqual(positiveAxes([], 3), []);
  assert.deepEqual(positiveAxes(null, 2), [0, 1]);
  const many = Array.from({ length: 11 }, (_, i) => 10 - i);
  assert.deepEqual(positiveAxes(many, 11), [...many].reverse(), "as numbers, not as texts");
  assert.deepEqual(many[0], 10, "the list itself stays as it is");
});

test("a shape with one length left open is filled; a part stays within its tensor", () => {
  const x = value([4, 6]);
  const reshaped = (shape: number[]) => ruled("Reshape", { x }, { shape });
  assert.deepEqual(reshaped([-1, 8]).outputs, [value([3, 8])]);
  assert.deepEqual(reshaped([-1, 8]).attributes, { shape: [3, 8] });
  for (const shape of [[5, -1], [4, 5], [], [25]])
    assert.throws(() => reshaped(shape), /\[4,6\] does not fill/);
  const sliced = (begin: number | number[], size: number | number[]) =>
    ruled("Slice", { x }, { begin, size });
  assert.deepEqual(sliced([1, 2], [3, -1]).attributes, { begin: [1, 2], size: [3, 4] });
  assert.deepEqual(sliced(1, 2).attributes, { begin: [1, 0], size: [2, 6] });
  assert.deepEqual(sliced([4, 0], [0, 6]).outputs, [value([0, 6])]);
  for (const [begin, size] of [
    [
      [0, 3],
      [4, 4],
    ],
    [
      [-1, 0],
      [1, 1],
    ],
    [
      [2, 0],
      [3, 1],
    ],
    [
      [5, 0],
      [-1, 1],
    ],
    [
      [0, 0],
      [1, -2],
    ],
  ])
    assert.throws(() => sliced(begin, size), /leave \[4,6\]/);
  const expanded = (dim: number) => ruled("ExpandDims", { input: x }, { dim });
  assert.deepEqual(
    [0, 1, 2, -1, -3].map((dim) => [...expanded(dim).outputs[0].shape]),
    [
      [1, 4, 6],
      [4, 1, 6],
      [4, 6, 1],
      [4, 6, 1],
      [1, 4, 6],
    ],
  );
  assert.deepEqual(expanded(-1).attributes, { dim: 2 });
  assert.throws(() => expanded(3), /axis is 3, expected -3 to 2/);
  assert.deepEqual(ruled("Reverse", { x }, { dims: [-1] }).attributes, { dims: [1] });
  const split = ruled("SplitV", { x }, { numOrSizeSplits: [2, -1, 0], axis: -1 });
  assert.deepEqual(split.attributes, { numOrSizeSplits: [2, 4, 0], axis: 1 });
  for (const numOrSizeSplits of [
    [2, 5],
    [7, -1],
    [-1, -1, 1],
  ])
    assert.throws(() => ruled("SplitV", { x }, { numOrSizeSplits, axis: 1 }), /does not divide/);
  assert.deepEqual(ruled("TopK", { x }, { k: 6, sorted: false }).attributes, { k: 6, sorted: false });
  assert.deepEqual(ruled("TopK", { x }, { k: 2, sorted: true }).outputs[0].shape, [4, 2]);
});
