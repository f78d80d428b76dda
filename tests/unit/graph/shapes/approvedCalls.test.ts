import { test } from "node:test";
import type { GraphAttributes } from "../../../../src/graph/ir";
import { elementwiseRules, knownKernels, shapeRule, type ValueInfo } from "../../../../src/graph/shapes";
import { broadcastShapes, positiveAxes, positiveAxis } from "../../../../src/graph/shapes/rule";
import { stridedSlice } from "../../../../src/graph/shapes/strided";
import { pairOf, slidingWindows } from "../../../../src/graph/shapes/windows";
import { Calls } from "../../../support/calls";
import { valueText } from "../../../support/valueText";

/*
 * What is approved: the shape, the element type and the settled attributes of every kernel's results.
 */

const f = (...shape: number[]): ValueInfo => ({ shape, dtype: "float32" });
const i = (...shape: number[]): ValueInfo => ({ shape, dtype: "int32" });
const b = (...shape: number[]): ValueInfo => ({ shape, dtype: "bool" });

type Operands = Record<string, ValueInfo> | ValueInfo[];

const typeText = ({ dtype, shape }: ValueInfo) => `${dtype}[${shape}]`;

class Rules extends Calls {
  async rule(op: string, operands: Operands, ...variants: GraphAttributes[]): Promise<void> {
    const entries = Object.entries(operands);
    const given = entries.map(([name, info]) =>
      Array.isArray(operands) ? typeText(info) : `${name} ${typeText(info)}`,
    );
    for (const attributes of variants.length > 0 ? variants : [{}]) {
      const call = {
        inputs: Array.isArray(operands) ? { tensors: operands.at(-1)! } : operands,
        list: entries.map(([, info]) => info),
        attributes,
      };
      await this.does(`${op}(${given.join(", ")}) ${valueText(attributes)}`, () => shapeRule(op)(call));
    }
  }
}

test("shapes of kernels that treat every number alike are approved", async () => {
  const calls = new Rules();
  calls.note(
    "stock kernels",
    knownKernels()
      .filter((name) => !name.startsWith("Luvit"))
      .join(" "),
  );
  for (const op of Object.keys(elementwiseRules)) {
    if (["Cast", "EluGrad", "FusedBatchNorm", "Prelu", "Select", "AddN"].includes(op)) continue;
    await calls.rule(op, { a: i(2, 1, 3), b: b(4, 1) });
  }
  calls.title("the wider element type, whichever side it is on; broadcasts");
  for (const [a, other] of [
    [f(2), i(2)],
    [i(2), f(2)],
    [b(2), i(2)],
    [i(2), b(2)],
    [b(2), f(2)],
    [b(2), b(2)],
  ])
    await calls.rule("Add", { a, b: other });
  for (const [a, other] of [
    [f(), f(3)],
    [f(3), f()],
    [f(), f()],
    [f(3, 1, 5), f(4, 1)],
    [f(5), f(2, 5)],
    [f(0), f(1)],
    [f(2), f(0)],
    [f(2), f(3)],
    [f(2, 3), f(2)],
  ]) {
    await calls.rule("Sub", { a, b: other });
    await calls.rule("NotEqual", { a, b: other });
  }
  await calls.rule("AddN", [f(2, 3), i(2, 3)]);
  await calls.rule("AddN", [i(2, 3)]);
  await calls.rule("AddN", [f(2, 3), f(2, 3), f(3, 2)]);
  await calls.rule("AddN", [f(3), f(1, 3)]);
  const types = ["float32", "int32", "bool", "string", "complex64", undefined, null, ""];
  await calls.rule("Cast", { x: f(2, 3) }, ...types.map((dtype) => ({ dtype })));
  await calls.rule("Cast", { x: b() }, { dtype: "int32" });
  await calls.rule("EluGrad", { dy: f(2, 3), y: f(2, 3) });
  await calls.rule("EluGrad", { y: f(3), dy: f(2, 3) });
  await calls.rule("EluGrad", { dy: f(3), y: f(2, 3) });
  await calls.rule("EluGrad", { dy: f(4), y: f(3) });
  await calls.rule("Prelu", { x: f(2, 3), alpha: f(3) });
  await calls.rule("Prelu", { x: f(3), alpha: f(2, 3) });
  await calls.rule("Prelu", { alpha: f(1), x: i(2, 3) });
  const image = f(2, 5, 7, 3);
  await calls.rule("FusedBatchNorm", { x: image, mean: f(3), variance: f(3), offset: f(3), scale: f(3) });
  await calls.rule("FusedBatchNorm", { x: image, mean: f(1), variance: f() });
  await calls.rule("FusedBatchNorm", { x: image, mean: f(3), variance: f(3), scale: f(7) });
  await calls.rule("Select", { condition: b(2, 3), t: i(2, 3), e: f(2, 3) });
  await calls.rule("Select", { condition: b(3), t: f(2, 3), e: b(2, 1) });
  await calls.rule("Select", { condition: b(4, 1, 1), t: b(3), e: i(2, 1) });
  await calls.rule("Select", { condition: b(2), t: f(3), e: f(3) });
  calls.approve("graph/shapes, elementwise");
});

test("shapes of kernels over images are approved", async () => {
  const calls = new Rules();
  const x = f(2, 7, 10, 3);
  const windows: GraphAttributes[] = [
    { strides: [1, 1], pad: "valid" },
    { strides: [2, 3], pad: "valid" },
    { strides: 2, pad: "same" },
    { strides: [3, 2], pad: "same", dilations: 1, dataFormat: "NHWC" },
    { strides: 1, pad: "same", dilations: [2, 3] },
    { strides: [1, 2], pad: 0 },
    { strides: [1, 2], pad: 2 },
    {
      strides: [1, 1],
      pad: [
        [0, 0],
        [1, 2],
        [3, 0],
        [0, 0],
      ],
    },
    { strides: [1, 1], pad: "valid", dilations: [2, 2] },
    { strides: [1, 1], pad: "valid", dilations: [4, 1] },
    { strides: [1, 1], pad: "valid", dilations: [3, 1] },
    { strides: [1, 1], pad: "valid", dataFormat: "NCHW" },
  ];
  await calls.rule("Conv2D", { x, filter: f(3, 2, 3, 5) }, ...windows);
  await calls.rule("DepthwiseConv2dNative", { x, filter: f(3, 2, 3, 5) }, ...windows);
  await calls.rule("Conv2D", { x, filter: f(3, 2, 4, 5) }, windows[0]);
  await calls.rule("Conv2D", { x, filter: f(7, 10, 3, 1) }, windows[0]);
  await calls.rule("Conv2D", { x, filter: f(8, 10, 3, 1) }, windows[0]);
  await calls.rule("Conv2D", { x, filter: f(7, 11, 3, 1) }, windows[0]);
  await calls.rule("DepthwiseConv2dNative", { x, filter: f(3, 2, 2, 5) }, windows[0]);
  for (const op of ["AvgPool", "MaxPool"]) {
    await calls.rule(op, { x }, ...windows.map((attributes) => ({ filterSize: [3, 2], ...attributes })));
    await calls.rule(op, { x }, { filterSize: 3, ...windows[0] }, { filterSize: [8, 1], ...windows[0] });
    await calls.rule(`${op}Grad`, { dy: f(2, 3, 4, 3), input: x });
  }
  for (const op of ["Conv2D", "DepthwiseConv2dNative"]) {
    await calls.rule(
      `${op}BackpropInput`,
      { dy: f(2, 5, 9, 5), filter: f(3, 2, 3, 5) },
      { inputShape: [2, 7, 10, 3] },
    );
    await calls.rule(`${op}BackpropFilter`, { x, dy: f(2, 5, 9, 5) }, { filterShape: [3, 2, 3, 5] });
  }
  for (const op of ["ResizeBilinear", "ResizeNearestNeighbor"]) {
    await calls.rule(op, { images: i(2, 7, 10, 3) }, { size: [4, 9] });
    await calls.rule(`${op}Grad`, { images: x, dy: f(2, 4, 9, 3) });
  }
  await calls.rule(
    "DepthToSpace",
    { x: i(2, 3, 5, 12) },
    { blockSize: 2 },
    { blockSize: 1 },
    { blockSize: 3 },
  );
  calls.title("windows along height and width");
  for (const attributes of windows)
    await calls.does(valueText(attributes), () => slidingWindows(x.shape, [3, 2], attributes));
  for (let length = 1; length < 8; length++)
    await calls.does(`same over ${length}`, () =>
      slidingWindows([1, length, length + 1, 1], [4, 3], { strides: [3, 2], pad: "same" }),
    );
  for (const value of [3, [2, 5], [4]]) await calls.of(pairOf, value);
  calls.approve("graph/shapes, images");
});

test("shapes of kernels that move numbers are approved", async () => {
  const calls = new Rules();
  const x = f(2, 3, 4);
  await calls.rule(
    "Reshape",
    { x },
    ...[[4, 6], [-1], [2, -1, 3], [24, 1, -1], [5, -1], [-1, -1], [25], [], [0, -1]].map((shape) => ({
      shape,
    })),
  );
  await calls.rule("Reshape", { x: i() }, { shape: [] }, { shape: [1, 1] }, { shape: [-1] });
  await calls.rule("Reshape", { x: b(0, 3) }, { shape: [0] }, { shape: [3, 0] }, { shape: [1] });
  await calls.rule(
    "ExpandDims",
    { input: i(2, 3) },
    ...[0, 1, 2, -1, -3, 3, -4, 0.5].map((dim) => ({ dim })),
  );
  await calls.rule("Transpose", { x }, {}, { perm: [1, 2, 0] }, { perm: [0, 1, 2] });
  await calls.rule(
    "Slice",
    { x },
    ...[
      { begin: [0, 1, 2], size: [2, 2, 2] },
      { begin: [1, 0, 3], size: [-1, -1, 1] },
      { begin: [1], size: [1] },
      { begin: 1, size: 1 },
      { begin: 1, size: -1 },
      { begin: [0, 0, 0], size: [2, 3, 4] },
      { begin: [0, 0, 0], size: [0, 3, 4] },
      { begin: [0, 0, 1], size: [2, 3, 4] },
      { begin: [-1, 0, 0], size: [1, 1, 1] },
      { begin: [3, 0, 0], size: [-1, 1, 1] },
      { begin: [2, 0, 0], size: [-1, 1, 1] },
    ],
  );
  const paddings = [
    [1, 2],
    [0, 0],
    [3, 0],
  ];
  await calls.rule("PadV2", { x }, { paddings, constantValue: 1 });
  await calls.rule(
    "MirrorPad",
    { x },
    ...["reflect", "symmetric"].flatMap((mode) => [
      {
        paddings: [
          [1, 0],
          [0, 2],
          [3, 1],
        ],
        mode,
      },
      {
        paddings: [
          [2, 0],
          [0, 0],
          [0, 0],
        ],
        mode,
      },
      {
        paddings: [
          [0, 0],
          [3, 0],
          [0, 4],
        ],
        mode,
      },
      {
        paddings: [
          [0, 3],
          [0, 0],
          [0, 0],
        ],
        mode,
      },
      {
        paddings: [
          [0, 0],
          [0, 0],
          [5, 0],
        ],
        mode,
      },
    ]),
  );
  await calls.rule(
    "Concat",
    [f(2, 1, 3), i(2, 4, 3), f(2, 2, 3)],
    { axis: 1 },
    { axis: -2 },
    {},
    { axis: 3 },
  );
  await calls.rule("Concat", [f(2, 3)], {}, { axis: 1 }, { axis: -3 });
  await calls.rule("Concat", [f(2, 3), f(3)], { axis: 0 });
  await calls.rule(
    "SplitV",
    { x: i(2, 6) },
    ...[
      { numOrSizeSplits: 3, axis: 1 },
      { numOrSizeSplits: 4, axis: 1 },
      { numOrSizeSplits: [1, 5], axis: -1 },
      { numOrSizeSplits: [1, -1, 2], axis: 1 },
      { numOrSizeSplits: [1, 2], axis: 1 },
      { numOrSizeSplits: [0, 6], axis: 1 },
      { numOrSizeSplits: [7, -1], axis: 1 },
      { numOrSizeSplits: 2 },
      { numOrSizeSplits: 1 },
      { numOrSizeSplits: 2, axis: 2 },
    ],
  );
  await calls.rule("Tile", { x }, { reps: [1, 2, 3] });
  await calls.rule("Pack", [i(2, 3), i(2, 3)], {}, { axis: 1 }, { axis: 2 }, { axis: -1 }, { axis: 3 });
  await calls.rule("Unpack", { value: x }, {}, { axis: 1 }, { axis: -1 }, { axis: 3 });
  await calls.rule("Reverse", { x }, { dims: [2, 0] }, { dims: -1 }, { dims: [] }, {}, { dims: [3] });
  const masks = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };
  for (const attributes of [
    { begin: [0, 4], end: [5, -7], strides: [2, -2], ...masks },
    { begin: [1, 1], end: [4, 6], strides: [1, 2] },
    { begin: [-3, -2], end: [-1, 6], strides: [1, 1] },
    { begin: [3, 5], end: [0, 0], strides: [-1, -3] },
    { begin: [3, 5], end: [1, 2], strides: [-1, -3], beginMask: 1, endMask: 2 },
    { begin: [3, 5], end: [1, 2], strides: [1, 4], beginMask: 2, endMask: 1 },
    { begin: [3, 2], end: [4, 3], strides: [1, 1], shrinkAxisMask: 1 },
    { begin: [-1, 2], end: [9, 9], strides: [1, 1], shrinkAxisMask: 3 },
    { begin: [0, 0, 2], end: [0, 0, 5], strides: [1, 1, 1], newAxisMask: 1 },
    { begin: [0, 1], end: [0, 4], strides: [1, 2], ellipsisMask: 1 },
    { begin: [1, 0], end: [4, 0], strides: [2, 1], ellipsisMask: 2 },
    { begin: [0, 0, 1], end: [0, 0, 4], strides: [1, 1, 2], newAxisMask: 1, ellipsisMask: 2 },
    { begin: [2], end: [4], strides: [1] },
    { begin: [4, 0], end: [2, 6], strides: [1, 1] },
    { begin: [-9, 9], end: [9, -9], strides: [1, -1] },
    { begin: [-9, 9], end: [9, -9], strides: [-1, 1] },
  ]) {
    await calls.rule("StridedSlice", { x: i(5, 6) }, attributes);
    await calls.of(stridedSlice, [5, 6], attributes);
  }
  calls.approve("graph/shapes, structure");
});

test("shapes of products, look-ups and reductions are approved", async () => {
  const calls = new Rules();
  await calls.rule(
    "BatchMatMul",
    { a: f(3, 4), b: f(4, 5) },
    {},
    { transposeA: false, transposeB: false },
    { transposeA: true },
  );
  await calls.rule(
    "BatchMatMul",
    { a: f(4, 3), b: f(5, 4) },
    { transposeA: true, transposeB: true },
    { transposeB: true },
    {},
  );
  await calls.rule("BatchMatMul", { a: i(2, 1, 3, 4), b: f(6, 4, 5) });
  await calls.rule("BatchMatMul", { a: f(4, 3, 2), b: f(1, 3, 7) }, { transposeA: true });
  await calls.rule("BatchMatMul", { a: f(2, 3, 4), b: f(3, 4, 5) });
  await calls.rule(
    "GatherV2",
    { x: f(2, 4, 3), indices: i(5, 7) },
    {},
    { axis: 1 },
    { axis: -1, batchDims: 0 },
    { axis: 3 },
    { axis: -4 },
  );
  await calls.rule("GatherV2", { x: b(2, 4, 3), indices: i(2, 7) }, { axis: 1, batchDims: 1 });
  await calls.rule("GatherV2", { x: f(4, 3), indices: i() }, { axis: 0 });
  await calls.rule(
    "Einsum",
    [f(2, 3, 4), f(4, 5)],
    ...[
      "abc,cd->abd",
      " abc , cd -> da ",
      "abc,cd->",
      "abc,cd",
      "abc,de->abde",
      "abc,cd->x",
      "ab,cd->abd",
      "abc,ad->bd",
    ].map((equation) => ({ equation })),
  );
  await calls.rule("GatherNd", { params: i(3, 4, 5), indices: i(6, 2) });
  await calls.rule("GatherNd", { params: f(3, 4), indices: i(7, 2, 1) });
  await calls.rule("ScatterNd", { indices: i(3, 1), updates: i(3, 4) }, { shape: [6, 4] });
  await calls.rule("UnsortedSegmentSum", { x: f(5, 2, 3), segmentIds: i(5) }, { numSegments: 4 });
  await calls.rule("UnsortedSegmentSum", { x: i(5, 2, 3), segmentIds: i(5, 2) }, { numSegments: 7 });
  await calls.rule(
    "OneHot",
    { indices: i(2, 3) },
    { depth: 5 },
    { depth: 5, dtype: "float32", onValue: 1, offValue: 0 },
  );
  await calls.rule("Fill", {}, { shape: [2, 3], value: 1.5 }, { shape: [], value: 1, dtype: "int32" });
  await calls.rule(
    "Range",
    {},
    ...[
      { start: 0, stop: 5, step: 2 },
      { start: 0, stop: 4, step: 2, dtype: "int32" },
      { start: 3, stop: -2, step: -2 },
      { start: 1, stop: 1, step: 1 },
      { start: 1, stop: 0, step: 1 },
      { start: 0, stop: 1, step: 0.3 },
    ],
  );
  await calls.rule("LinSpace", {}, { start: 0, stop: 1, num: 7 }, { start: 0, stop: 1, num: 1 });
  calls.title("reductions");
  const x = i(2, 3, 4);
  for (const op of ["All", "Any", "Max", "Mean", "Min", "Prod", "Sum"]) {
    const axis = op === "Max" ? "reductionIndices" : "axis";
    await calls.rule(
      op,
      { x },
      {},
      { [axis]: [0, 2], keepDims: true },
      { [axis]: [-1, 0] },
      { [axis]: 1, keepDims: false },
      { [axis]: null },
      { [axis]: [] },
      { [axis]: 3 },
      { [axis]: [0, 0.5] },
    );
    await calls.rule(op, { x: f() });
  }
  for (const op of ["ArgMax", "ArgMin"])
    await calls.rule(op, { x: f(2, 3, 4) }, {}, { axis: 1 }, { axis: -1 }, { axis: 3 });
  await calls.rule("Softmax", { logits: x }, {}, { dim: 0 }, { dim: -2 }, { dim: 3 });
  await calls.rule(
    "Cumsum",
    { x },
    {},
    { axis: 2, exclusive: true, reverse: false },
    { axis: -1 },
    { axis: 3 },
  );
  await calls.rule("TopK", { x }, { k: 1, sorted: true }, { k: 4, sorted: false }, { k: 5 }, { k: 0 });
  calls.title("axes");
  for (const [axis, rank] of [
    [0, 3],
    [2, 3],
    [3, 3],
    [-1, 3],
    [-3, 3],
    [-4, 3],
    [0.5, 3],
    [Number.NaN, 3],
    [-1, 1],
  ])
    await calls.of(positiveAxis, axis, rank);
  for (const axes of [undefined, null, 1, -1, [2, 0], [-1, -3], [], [1, 1], [3]])
    await calls.of(positiveAxes, axes, 3);
  await calls.of(positiveAxes, undefined, 0);
  for (const [a, other] of [
    [[], []],
    [[2, 3], [3]],
    [[3], [2, 3]],
    [
      [2, 1, 4],
      [3, 1],
    ],
    [[1], [0]],
    [[0], [1]],
    [[2], [3]],
    [[2, 3], [2]],
    [
      [5, 1],
      [1, 5],
    ],
  ])
    await calls.of(broadcastShapes, a, other);
  calls.approve("graph/shapes, products and reductions");
});
