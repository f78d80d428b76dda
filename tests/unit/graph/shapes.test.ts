import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { GraphAttributes } from "../../../src/graph/ir";
import { shapeRule, type ValueInfo } from "../../../src/graph/shapes";
import { stridedSlice } from "../../../src/graph/shapes/strided";

before(() => startBackend({ backend: "cpu" }));

const value = (shape: readonly number[], dtype: ValueInfo["dtype"] = "float32"): ValueInfo => ({
  shape,
  dtype,
});

/** What a rule says of a kernel's call; operands by name, or a list. */
function ruled(kernel: string, operands: Record<string, ValueInfo> | ValueInfo[], attributes: object = {}) {
  const isList = Array.isArray(operands);
  return shapeRule(kernel)({
    inputs: isList ? {} : operands,
    list: isList ? operands : Object.values(operands),
    attributes: attributes as GraphAttributes,
  });
}

const shapes = ({ outputs }: ReturnType<typeof ruled>) => outputs.map(({ shape }) => [...shape]);

describe("a strided slice is as long as what tfjs cuts", () => {
  const x = [4, 5, 6];
  const cases: [begin: number[], end: number[], strides: number[], masks?: number[]][] = [
    [[1], [3], [1]],
    [
      [0, 1],
      [4, 5],
      [2, 3],
    ],
    [
      [-3, -2],
      [9, 9],
      [1, 1],
    ],
    [
      [3, 4],
      [0, -6],
      [-1, -2],
    ],
    [
      [9, 9],
      [-9, -9],
      [-1, -3],
    ],
    [
      [2, 0],
      [2, 0],
      [1, 1],
    ],
    [
      [1, 1, 1],
      [3, 3, 3],
      [1, 1, 1],
      [0b101, 0, 0, 0, 0],
    ],
    [
      [1, 1, 1],
      [2, 2, 2],
      [1, 1, 1],
      [0, 0b110, 0, 0, 0],
    ],
    [
      [2, 1, 1],
      [0, 0, 0],
      [-1, -1, -1],
      [0b11, 0b101, 0, 0, 0],
    ],
    [
      [0, 1],
      [0, 3],
      [1, 2],
      [0, 0, 0b1, 0, 0],
    ],
    [
      [1, 0, 2],
      [2, 0, 5],
      [1, 1, 1],
      [0, 0, 0b10, 0, 0],
    ],
    [
      [1, 0, 1],
      [2, 0, 2],
      [1, 1, 1],
      [0, 0, 0, 0b10, 0],
    ],
    [
      [-1, 1],
      [0, 4],
      [1, 1],
      [0, 0, 0, 0, 0b1],
    ],
    [
      [1, 2, -2],
      [2, 3, 9],
      [1, 1, 1],
      [0, 0, 0, 0, 0b11],
    ],
  ];
  for (const [
    begin,
    end,
    strides,
    [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] = [0, 0, 0, 0, 0],
  ] of cases) {
    const masks = [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask];
    test(`${begin} to ${end} by ${strides}, masks ${masks}`, () => {
      const numbers = tf.range(0, 120).reshape(x);
      const cut = tf.stridedSlice(numbers, begin, end, strides, ...masks);
      const attributes = {
        begin,
        end,
        strides,
        beginMask,
        endMask,
        ellipsisMask,
        newAxisMask,
        shrinkAxisMask,
      };
      const found = stridedSlice(x, attributes as unknown as GraphAttributes);
      assert.deepEqual(found.shape, cut.shape);
      assert.deepEqual([found.begin.length, found.strides.length, found.lengths.length], [3, 3, 3]);
      const places = (axis: number) =>
        Array.from({ length: found.lengths[axis] }, (_, i) => found.begin[axis] + i * found.strides[axis]);
      const numbersThere = places(0).flatMap((a) =>
        places(1).flatMap((b) => places(2).map((c) => (a * 5 + b) * 6 + c)),
      );
      assert.deepEqual(numbersThere, Array.from(cut.dataSync()));
    });
  }
});

describe("shapes are those that tfjs gives", () => {
  const like = (results: Tensor | Tensor[]) => ([] as Tensor[]).concat(results).map(({ shape }) => shape);

  test("products: transposed or not, with batches that broadcast", () => {
    for (const [a, b, transposeA, transposeB] of [
      [[2, 3], [3, 4], false, false],
      [[3, 2], [3, 4], true, false],
      [[5, 2, 3], [1, 4, 3], false, true],
      [[1, 7, 3, 2], [6, 1, 4, 3], true, true],
    ] as const)
      assert.deepEqual(
        shapes(ruled("BatchMatMul", { a: value(a), b: value(b) }, { transposeA, transposeB })),
        like(tf.matMul(tf.ones([...a]), tf.ones([...b]), transposeA, transposeB)),
      );
    const differing = { a: value([2, 3]), b: value([4, 5]) };
    assert.throws(
      () => ruled("BatchMatMul", differing),
      /inner lengths 3 and 4 of \[2,3\] and \[4,5\] differ/,
    );
  });

  test("looked up along an axis, by places of several axes, and summed into segments", () => {
    const x = tf.ones([3, 4, 5]);
    const of = (shape: number[]) => tf.zeros(shape, "int32");
    const indices = value([2, 7], "int32");
    for (const axis of [0, 1, -1])
      assert.deepEqual(
        shapes(ruled("GatherV2", { x: value([3, 4, 5]), indices }, { axis })),
        like(tf.gather(x, of([2, 7]), axis)),
      );
    assert.deepEqual(shapes(ruled("GatherV2", { x: value([3, 4, 5]), indices })), [[2, 7, 4, 5]]);
    assert.deepEqual(
      shapes(
        ruled(
          "GatherV2",
          { x: value([3, 4, 5]), indices: value([3, 2], "int32") },
          { axis: 1, batchDims: 1 },
        ),
      ),
      like(tf.gather(x, of([3, 2]), 1, 1)),
    );
    for (const places of [
      [6, 1],
      [6, 2],
      [2, 2, 3],
    ])
      assert.deepEqual(
        shapes(ruled("GatherNd", { params: value([3, 4, 5]), indices: value(places, "int32") })),
        like(tf.gatherND(x, of(places))),
      );
    assert.deepEqual(
      ruled(
        "ScatterNd",
        { indices: value([2, 1], "int32"), updates: value([2, 5], "int32") },
        { shape: [4, 5] },
      ).outputs,
      [{ shape: [4, 5], dtype: "int32" }],
    );
    assert.deepEqual(
      shapes(
        ruled(
          "UnsortedSegmentSum",
          { x: value([6, 2, 3]), segmentIds: value([6], "int32") },
          { numSegments: 4 },
        ),
      ),
      like(tf.unsortedSegmentSum(tf.ones([6, 2, 3]), tf.tensor1d([0, 1, 1, 2, 3, 3], "int32"), 4)),
    );
  });

  test("made from numbers alone, with the types that tfjs takes where none is said", () => {
    const made = (kernel: string, attributes: object) => ruled(kernel, {}, attributes).outputs;
    assert.deepEqual(made("Fill", { shape: [2, 3], value: 1 }), [{ shape: [2, 3], dtype: "float32" }]);
    assert.deepEqual(made("Fill", { shape: [2], value: 1, dtype: "int32" }), [
      { shape: [2], dtype: "int32" },
    ]);
    assert.deepEqual(made("LinSpace", { start: 0, stop: 1, num: 7 }), [{ shape: [7], dtype: "float32" }]);
    for (const [start, stop, step] of [
      [0, 5, 1],
      [0, 5, 2],
      [1, 2, 0.3],
      [5, 0, -2],
    ])
      assert.deepEqual(made("Range", { start, stop, step }), [
        { shape: tf.range(start, stop, step).shape, dtype: "float32" },
      ]);
    assert.deepEqual(made("Range", { start: 3, stop: 1, step: 1, dtype: "int32" }), [
      { shape: [0], dtype: "int32" },
    ]);
    const indices = value([2, 3], "int32");
    assert.deepEqual(ruled("OneHot", { indices }, { depth: 4 }).outputs, [
      { shape: [2, 3, 4], dtype: "int32" },
    ]);
    assert.deepEqual(
      ruled("OneHot", { indices }, { depth: 4, dtype: "float32" }).outputs[0].dtype,
      "float32",
    );
  });

  test("joined, divided, packed and unpacked along an axis, the first where none is said", () => {
    const x = value([4, 6]);
    assert.deepEqual(shapes(ruled("Concat", [x, value([1, 6])])), [[5, 6]]);
    assert.deepEqual(shapes(ruled("Concat", [x, value([4, 2])], { axis: -1 })), [[4, 8]]);
    assert.throws(() => ruled("Concat", [x, value([4, 2])]), /\[4,6\], \[4,2\] differ off axis 0/);
    assert.deepEqual(
      shapes(ruled("SplitV", { x }, { numOrSizeSplits: 2 })),
      like(tf.split(tf.ones([4, 6]), 2)),
    );
    assert.deepEqual(
      shapes(ruled("SplitV", { x }, { numOrSizeSplits: [1, -1, 2], axis: 1 })),
      like(tf.split(tf.ones([4, 6]), [1, -1, 2], 1)),
    );
    for (const numOrSizeSplits of [5, [1, 2], [-1, 7]])
      assert.throws(
        () => ruled("SplitV", { x }, { numOrSizeSplits, axis: 1 }),
        /does not divide axis 1 of \[4,6\]/,
      );
    assert.deepEqual(shapes(ruled("Pack", [x, x, x])), [[3, 4, 6]]);
    for (const axis of [1, 2, -1])
      assert.deepEqual(
        shapes(ruled("Pack", [x, x, x], { axis })),
        like(
          tf.stack(
            [1, 2, 3].map(() => tf.ones([4, 6])),
            axis < 0 ? axis + 3 : axis,
          ),
        ),
      );
    assert.deepEqual(shapes(ruled("Unpack", { value: x })), like(tf.unstack(tf.ones([4, 6]))));
    assert.deepEqual(
      shapes(ruled("Unpack", { value: x }, { axis: -1 })),
      like(tf.unstack(tf.ones([4, 6]), 1)),
    );
    assert.deepEqual(shapes(ruled("Tile", { x }, { reps: [2, 3] })), like(tf.tile(tf.ones([4, 6]), [2, 3])));
  });

  test("transposed: in the order given, from the last axis to the first where none is", () => {
    const x = value([2, 3, 4]);
    assert.deepEqual(shapes(ruled("Transpose", { x }, { perm: [1, 2, 0] })), [[3, 4, 2]]);
    assert.deepEqual(shapes(ruled("Transpose", { x }, {})), [[4, 3, 2]]);
  });

  test("reduced: axes counted from either end, all where none is said; softmax over the last", () => {
    const x = value([2, 3, 4]);
    for (const [axis, keepDims, shape] of [
      [undefined, false, []],
      [null, true, [1, 1, 1]],
      [-1, false, [2, 3]],
      [[2, -3], false, [3]],
      [[-2], true, [2, 1, 4]],
    ] as const)
      assert.deepEqual(shapes(ruled("Sum", { x }, { axis, keepDims })), [shape]);
    assert.deepEqual(ruled("ArgMax", { x }, {}).outputs, [{ shape: [3, 4], dtype: "int32" }]);
    assert.deepEqual(ruled("ArgMin", { x }, { axis: -1 }).outputs, [{ shape: [2, 3], dtype: "int32" }]);
    assert.deepEqual(ruled("Softmax", { logits: x }, {}).attributes, { dim: 2 });
    assert.deepEqual(ruled("Cumsum", { x }, { exclusive: true }).attributes, { exclusive: true, axis: 0 });
    for (const axis of [3, -4, 0.5]) assert.throws(() => ruled("Sum", { x }, { axis }), /expected -3 to 2/);
  });

  test("padded by numbers anywhere, by mirrors no further than there is something to mirror", () => {
    const x = value([3, 4]);
    const paddings = (...both: number[][]) => ({ paddings: both });
    assert.deepEqual(shapes(ruled("PadV2", { x }, paddings([9, 0], [1, 2]))), [[12, 7]]);
    const mirrored = (most: number[], mode: string) => () =>
      shapes(ruled("MirrorPad", { x }, { ...paddings(most, [0, 0]), mode }));
    assert.deepEqual(mirrored([2, 2], "reflect")(), [[7, 4]]);
    assert.deepEqual(mirrored([3, 0], "symmetric")(), [[6, 4]]);
    assert.throws(mirrored([3, 0], "reflect"), /too small to mirror/);
    assert.throws(mirrored([0, 4], "symmetric"), /too small to mirror/);
  });

  test("an equation names every axis, and gives equal letters one length", () => {
    const all = [value([2, 3]), value([3, 4])];
    assert.deepEqual(shapes(ruled("Einsum", all, { equation: "ab, bc -> ca" })), [[4, 2]]);
    for (const [equation, words] of [
      ["abc,cd->ad", '"abc" does not name the axes of'],
      ["ab,cb->a", 'axis "b" has several lengths'],
      ["ab,bc->ad", 'equation "ab,bc->ad"'],
      ["ab,bc", 'equation "ab,bc"'],
      ["ab,bc,d->a", '"d" does not name the axes of'],
    ])
      assert.throws(
        () => ruled("Einsum", all, { equation }),
        (error: Error) => error.message.includes(words),
      );
  });
});
