import assert from "node:assert/strict";
import { test } from "node:test";
import { describeEngine } from "../../../src/engine";
import { int8Entries } from "../../../src/engine/onnx/int8/select";
import { dequantizeWeight, quantizeWeight } from "../../../src/engine/onnx/int8/weight";
import { settleOptions } from "../../../src/engine/onnx/session";
import type { Graph } from "../../../src/graph/ir";
import { isLuvitError, randomArray } from "../nn/support";
import { GraphWriter, openGraph, withOnnxRuntime } from "./support";

const [ROWS, IN, OUT] = [5, 96, 80];

test("a weight is off by at most half its output's scale, in both layouts alike", () => {
  const values = randomArray(OUT * IN, 1, 3).fill(0, 2 * IN, 3 * IN);
  values[7 * IN] = -500;
  const weight = quantizeWeight(values, OUT, { rows: true, columns: true });
  const restored = dequantizeWeight(weight);
  assert.deepEqual(dequantizeWeight({ ...weight, rows: undefined }), restored);
  for (const [i, value] of values.entries()) {
    const scale = weight.scales[Math.floor(i / IN)];
    assert.ok(Math.abs(value - restored[i]) <= 0.5001 * scale, `${i}: ${value} became ${restored[i]}`);
    assert.ok(Math.abs(weight.rows![i]) <= 64);
  }
  assert.equal(weight.scales[2], 0);
  assert.ok(Math.abs(restored[7 * IN] + 500) < 1e-3, "the largest weight is exact");
});

/** y = x wᵀ and dx = dy w: a frozen layer and the gradient through it. */
function frozenLayer(): Graph {
  const g = new GraphWriter();
  const [x, dy, w] = [g.input("x", [ROWS, IN]), g.input("dy", [ROWS, OUT]), g.state("w", [OUT, IN])];
  const product = (a: typeof x, transposeB: boolean, width: number) =>
    g.node("BatchMatMul", { a, b: w }, [{ shape: [ROWS, width] }], { transposeA: false, transposeB })[0];
  g.output("y", product(x, true, OUT));
  g.output("dx", product(dy, false, IN));
  return g.finish();
}

/**
 * What quantization may change in x wᵀ: every x of a row by max|x| / 254, every weight of an output by max|w| / 128. With
 * float32 rounding of the sums on top.
 */
function bound(x: Float32Array, w: Float32Array, row: number, out: number): number {
  const [xs, ws] = [x.subarray(row * IN, (row + 1) * IN), w.subarray(out * IN, (out + 1) * IN)];
  const largest = (values: Float32Array) => Math.max(...values.map(Math.abs));
  const [dx, dw] = [largest(xs) / 254, largest(ws) / 128];
  const sum = ws.reduce((total, weight, i) => total + Math.abs(weight) * dx + (Math.abs(xs[i]) + dx) * dw, 0);
  return 1.0001 * sum;
}

test(
  "products with a frozen weight and gradients through it stay within the bound",
  withOnnxRuntime,
  async () => {
    const [x, dy, w] = [randomArray(ROWS * IN, 1), randomArray(ROWS * OUT, 2), randomArray(OUT * IN, 3)];
    for (let i = 0; i < IN; i++) x[IN + i] *= i === 3 ? 1e4 : 100; // a row, and in it one feature, far out
    x.fill(0, 2 * IN, 3 * IN);
    const executor = await openGraph(frozenLayer(), { w }, { threads: 1, frozen: "int8" });
    assert.equal(
      describeEngine(executor.description),
      "onnxruntime cpu (1 thread, float32, frozen weights int8)",
    );
    const { y, dx } = await executor.run("step", { x, dy });
    for (let row = 0; row < ROWS; row++) {
      for (let out = 0; out < OUT; out++) {
        let exact = 0;
        for (let i = 0; i < IN; i++) exact += x[row * IN + i] * w[out * IN + i];
        const error = Math.abs(y[row * OUT + out] - exact);
        assert.ok(error <= bound(x, w, row, out), `y[${row}, ${out}] is off by ${error}`);
      }
    }
    const scales = quantizeWeight(w, OUT, { rows: true, columns: false }).scales;
    for (let row = 0; row < ROWS; row++) {
      const g = Float32Array.from(scales, (scale, out) => scale * dy[row * OUT + out]);
      const step = Math.max(...g.map(Math.abs)) / 254;
      for (let i = 0; i < IN; i++) {
        let [exact, allowed] = [0, 0];
        for (let out = 0; out < OUT; out++) {
          exact += dy[row * OUT + out] * w[out * IN + i];
          allowed += Math.abs(g[out]) / 2 + step * 64;
        }
        const error = Math.abs(dx[row * IN + i] - exact);
        assert.ok(error <= 1.0001 * allowed, `dx[${row}, ${i}] is off by ${error}, allowed ${allowed}`);
      }
    }
    const kept = (await executor.readState(["w"])).w;
    assert.ok(kept.every((value, i) => Math.abs(value - w[i]) <= 0.5001 * scales[Math.floor(i / IN)]));
    assert.deepEqual(await executor.readState(), {});
    await executor.dispose();
  },
);

test("sums of the largest products are not cut off on any processor", withOnnxRuntime, async () => {
  const [x, dy] = [new Float32Array(ROWS * IN).fill(2), new Float32Array(ROWS * OUT).fill(2)];
  const w = new Float32Array(OUT * IN).fill(3);
  const executor = await openGraph(frozenLayer(), { w }, { threads: 1, frozen: "int8" });
  const { y, dx } = await executor.run("step", { x, dy });
  assert.ok(
    y.every((value) => Math.abs(value - 6 * IN) < 1e-3),
    `${y[0]} instead of ${6 * IN}`,
  );
  assert.ok(
    dx.every((value) => Math.abs(value - 6 * OUT) < 1e-3),
    `${dx[0]} instead of ${6 * OUT}`,
  );
  await executor.dispose();
});

test(
  "weights that are small, change, or are more than weights stay as they are",
  withOnnxRuntime,
  async () => {
    const g = new GraphWriter();
    const x = g.input("x", [ROWS, IN]);
    const product = (name: string, out: number) => {
      const w = g.state(name, [out, IN]);
      const attributes = { transposeA: false, transposeB: true };
      g.output(`${name} y`, g.node("BatchMatMul", { a: x, b: w }, [{ shape: [ROWS, out] }], attributes)[0]);
      return w;
    };
    product("small", 16);
    g.output("changing", g.node("Neg", { x: product("changing", OUT) }, [{ shape: [OUT, IN] }])[0]);
    g.output("sum", g.node("Sum", { x: product("summed", OUT) }, [{ shape: [] }], { axis: [0, 1] })[0]);
    const values = {
      small: randomArray(16 * IN, 1),
      changing: randomArray(OUT * IN, 2),
      summed: randomArray(OUT * IN, 3),
    };
    const executor = await openGraph(g.finish(), values, { threads: 1, frozen: "int8" });
    assert.deepEqual(await executor.readState(Object.keys(values)), values);
    await executor.dispose();
  },
);

test("only matrices whose every use is as rows times weight are kept in eight bits", () => {
  const chosen = (write: (g: GraphWriter) => void) => {
    const g = new GraphWriter();
    write(g);
    return [...int8Entries([g.finish()])];
  };
  const times = (
    a: number[],
    w: number[],
    attributes: Record<string, boolean>,
    result: number[],
    swapped = false,
  ) =>
    chosen((g) => {
      const [x, weight] = [g.input("x", a), g.state("w", w)];
      const operands = swapped ? { a: weight, b: x } : { a: x, b: weight };
      g.output("y", g.node("BatchMatMul", operands, [{ shape: result }], attributes)[0]);
    });
  const plain = { transposeA: false, transposeB: false };
  assert.deepEqual(times([5, 32], [32, 40], plain, [5, 40]), ["w"]);
  assert.deepEqual(times([5, 32], [40, 32], { ...plain, transposeB: true }, [5, 40]), ["w"]);
  assert.deepEqual(times([32, 5], [32, 40], { ...plain, transposeA: true }, [5, 40]), [], "x is turned");
  assert.deepEqual(times([40, 5], [32, 40], plain, [32, 5], true), [], "the weight comes first");
  assert.deepEqual(times([2, 5, 32], [32, 40], plain, [2, 5, 40]), [], "x has no rows");
  assert.deepEqual(times([5, 31], [31, 40], plain, [5, 40]), [], "a side is short");
  assert.deepEqual(times([5, 40], [40, 31], plain, [5, 31]), [], "the other side is short");
  const asResult = (g: GraphWriter) => {
    const [x, w] = [g.input("x", [5, 32]), g.state("w", [32, 40])];
    g.output("y", g.node("BatchMatMul", { a: x, b: w }, [{ shape: [5, 40] }], plain)[0]);
    g.output("w out", w);
  };
  assert.deepEqual(chosen(asResult), [], "it is a result itself");
});

test("what is not there is named: weights not written, another provider", withOnnxRuntime, async () => {
  const executor = await openGraph(frozenLayer(), {}, { threads: 1, frozen: "int8" });
  const feeds = { x: new Float32Array(ROWS * IN), dy: new Float32Array(ROWS * OUT) };
  await assert.rejects(executor.run("step", feeds), isLuvitError("bad-argument", "not written yet\n  w"));
  await assert.rejects(executor.readState(["w"]), isLuvitError("bad-argument", "not written yet"));
  await executor.dispose();
  const elsewhere = openGraph(frozenLayer(), {}, { frozen: "int8", provider: "webgpu" });
  await assert.rejects(elsewhere, isLuvitError("engine", "int8", "webgpu"));
});

test("an output whose weights are all zero is zeros without a scale", () => {
  const values = Float32Array.of(0, 0, 0, 1, -2, 2);
  const { scales, rows, columns } = quantizeWeight(values, 2, { rows: true, columns: true });
  assert.equal(scales[0], 0);
  assert.deepEqual([...rows!.subarray(0, 3), ...[0, 2, 4].map((i) => columns![i])], [0, 0, 0, 0, 0, 0]);
});

test("onnxruntime's engine refuses bfloat16, and frozen weights for other providers", () => {
  assert.throws(() => settleOptions({ precision: "bfloat16" }), isLuvitError("engine", "no bfloat16"));
  assert.throws(() => settleOptions({ precision: "float16" }), isLuvitError("engine", "webgpu"));
  assert.throws(
    () => settleOptions({ frozen: "int8", provider: "cuda" }),
    isLuvitError("engine", 'for the provider "cpu", not "cuda"'),
  );
  assert.deepEqual(settleOptions({ threads: 3, frozen: "int8" }), {
    threads: 3,
    provider: "cpu",
    frozen: "int8",
  });
});

test("a weight that is no number shows in its output", () => {
  const values = randomArray(OUT * IN, 1);
  values[3 * IN + 5] = Number.NaN;
  values[4 * IN + 6] = Number.POSITIVE_INFINITY;
  const { scales } = quantizeWeight(values, OUT, { rows: true, columns: false });
  assert.deepEqual(
    [...scales.keys()].filter((out) => !Number.isFinite(scales[out])),
    [3, 4],
  );
});

test("a number that is none in a row shows in the results of that row", withOnnxRuntime, async () => {
  const w = randomArray(OUT * IN, 3);
  const executor = await openGraph(frozenLayer(), { w }, { threads: 1, frozen: "int8" });
  const x = randomArray(ROWS * IN, 1);
  x[IN + 4] = Number.NaN;
  x[3 * IN + 50] = Number.POSITIVE_INFINITY;
  const { y } = await executor.run("step", { x, dy: new Float32Array(ROWS * OUT) });
  const finite = (row: number) => y.subarray(row * OUT, (row + 1) * OUT).filter(Number.isFinite).length;
  assert.deepEqual(
    Array.from({ length: ROWS }, (_, row) => finite(row)),
    [OUT, 0, OUT, 0, OUT],
  );
  await executor.dispose();
});
