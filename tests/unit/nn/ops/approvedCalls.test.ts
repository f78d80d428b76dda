import { test } from "node:test";
import { type BackendName, startBackend, type Tensor, tf } from "../../../../src/core/tf";
import {
  addRow,
  firstAlong,
  gatedSilu,
  gelu,
  layerNorm,
  linear,
  linearByGroup,
  mergeHeads,
  rmsNorm,
  silu,
  splitHeads,
  splitQkv,
  sumRows,
  transposedByGroup,
} from "../../../../src/nn/ops";
import { adamW } from "../../../../src/nn/ops/adamw";
import { after } from "../../../../src/nn/ops/after";
import { multiplyBatches } from "../../../../src/nn/ops/batchedMatMul";
import { crossEntropy } from "../../../../src/nn/ops/crossEntropy";
import { curveOf, geluSlope, lookUp, normal, sigmoid } from "../../../../src/nn/ops/curves";
import { definedOps } from "../../../../src/nn/ops/defineOp";
import { normalRows } from "../../../../src/nn/ops/norms";
import { patchLoss } from "../../../../src/nn/ops/patchLoss";
import { COLUMNS, createSimdMatMul, ROWS } from "../../../../src/nn/ops/simdMatMul";
import { Calls } from "../../../support/calls";
import { rampTensor, withSlopes } from "../support";

const backends: BackendName[] = ["cpu", "wasm"];
const own = <T>(make: () => T) => tf.tidy(make as never) as T;

/** Each channel by another factor, so that what sums to 0 does so no longer. */
const stretched = (x: Tensor) => tf.mul(x, tf.add(2, rampTensor(x.shape.slice(-1), 1, 5)));

/** Whole numbers that differ, so that products are exact. */
const whole = (length: number, start = 1) =>
  Float32Array.from({ length }, (_, i) => ((7 * i + start) % 11) - 5);

test("what ops and their gradients come to is approved", async () => {
  for (const backend of backends) {
    await startBackend({ backend });
    const calls = new Calls();
    const x = rampTensor([2, 3, 12], 2);
    const [row, weight] = [rampTensor([12], 1, 2), rampTensor([5, 12], 0.5)];
    const both = (name: string, op: (...given: Tensor[]) => Tensor, ...given: Tensor[]) =>
      calls.does(name, () => withSlopes(op, ...given));
    await both("gelu", gelu, rampTensor([4, 9], 9));
    await both("silu", silu, rampTensor([4, 9], 30));
    await both("gatedSilu", gatedSilu, rampTensor([3, 5], 9), rampTensor([3, 5], 4, 1));
    await both("layerNorm", (a, b, c) => layerNorm(stretched(a), b, c, 1e-3), x, row, rampTensor([12], 3, 5));
    await both(
      "layerNorm of a great eps",
      (a, b, c) => layerNorm(stretched(a), b, c, 0.5),
      x,
      row,
      rampTensor([12], 3, 5),
    );
    await both("rmsNorm", (a, b) => rmsNorm(a, b, 1e-3), x, row);
    await both("rmsNorm of a great eps", (a, b) => rmsNorm(a, b, 0.5), x, row);
    await both("normalRows", (a) => stretched(normalRows(stretched(a), 0.25)), x);
    await both("addRow", addRow, x, row);
    await both("sumRows", sumRows, x);
    await both("linear", (a, b, c) => linear(a, b, c), x, weight, rampTensor([5], 1, 4));
    await both("linear without bias", (a, b) => linear(a, b), x, weight);
    await both("linear of one row", (a, b) => linear(a, b), rampTensor([12]), weight);
    const byGroup = [rampTensor([2, 6, 5]), rampTensor([12, 5])];
    await both("linearByGroup", (a, b, c) => linearByGroup(a, b, 3, c), ...byGroup, rampTensor([12], 1, 2));
    await both("linearByGroup of one group", (a, b) => linearByGroup(a, b, 1), ...byGroup);
    await both(
      "transposedByGroup",
      (a, b) => transposedByGroup(a, b, 3),
      rampTensor([2, 6, 4]),
      rampTensor([12, 5]),
    );
    await both("splitHeads", (a) => splitHeads(a, 3), x);
    await both("mergeHeads", mergeHeads, rampTensor([2, 3, 4, 5]));
    for (const part of [0, 1, 2]) await both(`splitQkv ${part}`, (a) => splitQkv(a, 2)[part], x);
    await both("splitQkv, all", (a) => tf.addN(splitQkv(a, 2).map((part, k) => tf.mul(part, k + 1))), x);
    const targets = own(() => tf.softmax(rampTensor([3, 5], 2, 1)));
    await both("crossEntropy", (a, b) => crossEntropy(stretched(a), b), rampTensor([3, 5], 4), targets);
    await both(
      "crossEntropy of weighted targets",
      (a, b) => tf.mul(crossEntropy(stretched(a), b), 3),
      rampTensor([2, 3, 5], 4),
      rampTensor([2, 3, 5], 1, 3),
    );
    const mask = tf.tensor([1, 0, 1, 1, 0, 0], [2, 3]);
    await both("patchLoss", patchLoss, rampTensor([2, 3, 4]), rampTensor([2, 3, 4], 1, 2), mask);
    await calls.does("after", () => own(() => after(x, row)));
    await calls.does("after of whole numbers", () => own(() => after(tf.tensor1d([3, 4], "int32"), row)));
    for (const [axis, count] of [
      [0, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 5],
      [2, undefined],
    ] as const)
      await calls.does(`firstAlong ${axis} ${count}`, () => own(() => tf.clone(firstAlong(x, axis, count))));
    const operands = () => ({
      parameter: rampTensor([2, 3]),
      gradient: rampTensor([2, 3], 3, 1),
      average: rampTensor([2, 3], 0.5, 2),
      squares: own(() => tf.square(rampTensor([2, 3], 0.7, 3))),
      schedule: tf.tensor1d([0.01, 0.19, 0.0975]),
    });
    const usual = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 1 };
    for (const more of [
      {},
      { beta1: 0.5 },
      { beta2: 0.5 },
      { eps: 0.1 },
      { weightDecay: 0 },
      { lrScale: 0.25 },
    ])
      await calls.does(`adamW ${JSON.stringify(more)}`, () =>
        own(() => adamW(operands(), { ...usual, ...more })),
      );
    const refused = (name: string, op: () => unknown) => calls.does(name, () => own(op as () => Tensor));
    for (const no of [1.5, "x", [1, 2], undefined, null])
      await refused(`silu and gelu of ${JSON.stringify(no)}`, () => silu(gelu(no as never)));
    await refused("splitHeads by what does not divide", () => splitHeads(x, 5));
    await refused("splitHeads by 0", () => splitHeads(x, 0));
    await refused("splitQkv by what does not divide", () => splitQkv(x, 3));
    await refused("linear without a weight", () => linear(x, undefined as never));
    await refused("layerNorm without a weight", () => layerNorm(x, [1] as never, row, 1));
    calls.approve(`nn/ops/${backend}`);
  }
});

test("what ops are in stock ops, and their shapes, are approved", async () => {
  await startBackend({ backend: "cpu" });
  const calls = new Calls();
  const x = rampTensor([2, 3, 4], 2);
  const row = rampTensor([4], 1, 2);
  const dy = rampTensor([2, 3, 4], 1, 7);
  const scalar = tf.scalar(1.7);
  const cases: [string, Record<string, Tensor>, object][] = [
    ["LuvitGelu", { x }, {}],
    ["LuvitGeluGradient", { x, dy }, {}],
    ["LuvitGatedSilu", { gate: x, up: dy }, {}],
    ["LuvitGatedSiluGateGradient", { gate: x, up: dy, dy: x }, {}],
    ["LuvitLayerNorm", { x, weight: row, bias: row }, { eps: 0.1 }],
    ["LuvitLayerNormInputGradient", { x, weight: row, dy }, { eps: 0.1 }],
    ["LuvitLayerNormWeightGradient", { x, dy }, { eps: 0.1 }],
    ["LuvitNormalRows", { x }, { eps: 0.1 }],
    ["LuvitRmsNorm", { x, weight: row }, { eps: 0.1 }],
    ["LuvitRmsNormInputGradient", { x, weight: row, dy }, { eps: 0.1 }],
    ["LuvitRmsNormWeightGradient", { x, dy }, { eps: 0.1 }],
    ["LuvitAddRow", { x, row }, {}],
    ["LuvitSumRows", { x }, {}],
    ["LuvitMergeHeads", { x: rampTensor([2, 3, 4, 5]) }, {}],
    ["LuvitSplitHeads", { x }, { heads: 2 }],
    ["LuvitSplitQkv", { x: rampTensor([2, 3, 12]) }, { heads: 2 }],
    [
      "LuvitJoinQkv",
      { q: rampTensor([2, 3, 4, 5]), k: rampTensor([2, 3, 4, 5], 2), v: rampTensor([2, 3, 4, 5], 3) },
      {},
    ],
    ["LuvitCrossEntropy", { logits: x, targets: dy }, {}],
    ["LuvitCrossEntropyGradient", { logits: x, targets: dy, dy: scalar }, {}],
    ["LuvitPatchLoss", { prediction: x, target: dy, mask: tf.tensor([1, 0, 1, 1, 0, 0], [2, 3]) }, {}],
    [
      "LuvitAdamW",
      {
        parameter: x,
        gradient: dy,
        average: x,
        squares: tf.tidy(() => tf.square(dy)),
        schedule: tf.tensor1d([0.01, 0.19, 0.0975]),
      },
      { beta1: 0.9, beta2: 0.95, eps: 0.01, weightDecay: 0.05, lrScale: 0.5 },
    ],
  ];
  for (const [name, operands, attributes] of cases) {
    const op = definedOps.get(name)!;
    calls.note(`${name}: inputs`, op.inputs);
    calls.note("  outputs", op.outputs(operands as never, attributes));
    calls.note("  saved", op.gradient?.saved);
    await calls.does("  composite", () => tf.tidy(() => op.composite(operands, attributes) as never));
    await calls.does("  compute", () => {
      const results = op
        .outputs(operands as never, attributes)
        .map(({ shape }) => new Float32Array(shape.reduce((a, b) => a * b, 1)));
      const data = Object.fromEntries(
        Object.entries(operands).map(([key, value]) => [key, value.dataSync()]),
      );
      const shapes = Object.fromEntries(Object.entries(operands).map(([key, { shape }]) => [key, shape]));
      op.compute(data as never, results, shapes, attributes);
      return results;
    });
  }
  const held = new Set(cases.map(([name]) => name));
  calls.note("others", [...definedOps.keys()].filter((name) => !held.has(name)).sort());
  calls.approve("nn/ops/definitions");
});

test("what curves, products of batches and kernels on wasm come to is approved", async () => {
  await startBackend({ backend: "wasm" });
  const calls = new Calls();
  calls.title("curves");
  for (const [name, curve] of Object.entries({ normal, geluSlope, sigmoid })) {
    calls.note(`${name}: reach`, curve.reach);
    calls.note(`${name}: points`, curve.points.length);
    for (const x of [
      -1e9,
      -24,
      -8,
      -7.99951,
      -1,
      -0.3,
      0,
      0.0004,
      1,
      2.5,
      7.9999,
      8,
      24,
      1e9,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ])
      calls.note(`${name}(${x})`, lookUp(curve, x));
  }
  await calls.does("curveOf", () => {
    const curve = curveOf(2, (x) => x * x);
    return [-3, -2, -1.5, 0.00048828125, 1.25, 2, 3].map((x) => lookUp(curve, x));
  });

  calls.title("products of batches");
  calls.note("rows and columns", [ROWS, COLUMNS]);
  for (const [batch, m, k, n] of [
    [1, 4, 3, 8],
    [2, 5, 3, 9],
    [3, 1, 7, 1],
    [2, 8, 1, 16],
    [1, 3, 5, 17],
    [2, 4, 8, 8],
  ])
    for (const [left, right] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ])
      await calls.does(
        `multiplyBatches ${batch} of ${m} x ${k} x ${n}${left ? ", left turned" : ""}${right ? ", right turned" : ""}`,
        () => {
          const product = new Float32Array(batch * m * n).fill(99);
          multiplyBatches(
            { values: whole(batch * m * k), rows: m, columns: k, transposed: left },
            { values: whole(batch * k * n, 4), rows: k, columns: n, transposed: right },
            product,
            batch,
          );
          return product;
        },
      );
  await calls.does("createSimdMatMul", () => {
    const kernel = createSimdMatMul();
    const few = kernel.memory(10).length;
    const heap = kernel.memory(300_000);
    heap.set(whole(12), 0);
    heap.set(whole(48, 3), 12);
    kernel.multiply(0, 12, 60, 4, 3, 16);
    return [few, heap.length >= 300_000, heap.slice(60, 124)];
  });

  calls.title("matMul");
  const exact = (shape: number[], start = 1) =>
    tf.tensor(
      whole(
        shape.reduce((a, b) => a * b, 1),
        start,
      ),
      shape,
    );
  const products: [number[], number[], boolean, boolean][] = [
    [[3, 5], [5, 2], false, false],
    [[5, 3], [5, 2], true, false],
    [[3, 5], [2, 5], false, true],
    [[5, 3], [2, 5], true, true],
    [[4, 3, 5], [4, 5, 2], false, false],
    [[4, 5, 3], [4, 2, 5], true, true],
    [[2, 3, 3, 5], [2, 3, 2, 5], false, true],
    [[1, 3, 5], [4, 5, 2], false, false],
    [[4, 3, 5], [1, 5, 2], false, false],
    [[2, 1, 3, 5], [1, 4, 5, 2], false, false],
    [[2, 4, 3, 5], [2, 1, 5, 2], false, false],
    [[2, 4, 3, 5], [4, 5, 2], false, false],
    [[2, 1, 5, 3], [2, 4, 2, 5], true, true],
    [[1, 1, 3, 5], [1, 1, 2, 5], false, true],
  ];
  for (const [a, b, turnA, turnB] of products)
    await calls.does(`matMul [${a}]${turnA ? "ᵀ" : ""} [${b}]${turnB ? "ᵀ" : ""}`, () => {
      const [left, right] = [exact(a), exact(b, 4)];
      const found = withSlopes((p, q) => tf.matMul(p, q, turnA, turnB), left, right);
      tf.dispose([left, right]);
      return found;
    });

  calls.title("gather, clone and convolutions");
  const table = exact([5, 3]);
  for (const rows of [[4, 0, 0, 2], [], [3]])
    await calls.does(`gather ${rows}`, () =>
      withSlopes((t) => tf.gather(t, tf.tensor1d(rows, "int32")), table),
    );
  await calls.does("clone", () => {
    const first = exact([2, 2]);
    const second = tf.clone(first);
    first.dispose();
    return second;
  });
  const pixels = exact([2, 5, 6, 3]);
  const convolutions: [number[], number | [number, number], "same" | "valid", number | [number, number]][] = [
    [[3, 3, 3, 4], 1, "same", 1],
    [[2, 3, 3, 4], 1, "valid", 1],
    [[3, 3, 3, 2], 2, "same", 1],
    [[3, 2, 3, 2], [2, 1], "same", 1],
    [[1, 1, 3, 9], 1, "same", 1],
  ];
  for (const [filter, strides, pad, dilations] of convolutions)
    await calls.does(`conv2d by [${filter}], strides ${strides}, ${pad}, dilations ${dilations}`, () => {
      const kernel = exact(filter, 6);
      const found = withSlopes(
        (f) => tf.conv2d(pixels as tf.Tensor4D, f as tf.Tensor4D, strides, pad, "NHWC", dilations),
        kernel,
      );
      kernel.dispose();
      return found;
    });
  calls.approve("nn/ops/kernels");
});
