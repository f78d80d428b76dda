import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import "../../../src/nn";
import { assertClose, assertNoLeak, randomTensor } from "./support";

before(() => startBackend({ backend: "wasm" }));

/** The product of two stacks of matrices in double precision; batch sizes are equal or one of them is 1. */
function multiply(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): number[] {
  const [x, y] = [a.dataSync(), b.dataSync()];
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const [m, k, n] = [
    transposeA ? columnsA : rowsA,
    transposeA ? rowsA : columnsA,
    transposeB ? rowsB : columnsB,
  ];
  const [batchA, batchB] = [x.length / (rowsA * columnsA), y.length / (rowsB * columnsB)];
  const product: number[] = [];
  for (let batch = 0; batch < Math.max(batchA, batchB); batch++) {
    const startA = (batchA === 1 ? 0 : batch) * rowsA * columnsA;
    const startB = (batchB === 1 ? 0 : batch) * rowsB * columnsB;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let i = 0; i < k; i++) {
          const left = x[startA + (transposeA ? i * columnsA + row : row * columnsA + i)];
          sum += left * y[startB + (transposeB ? column * columnsB + i : i * columnsB + column)];
        }
        product.push(sum);
      }
    }
  }
  return product;
}

const flags = [false, true];
const stored = (rows: number, columns: number, transposed: boolean) =>
  transposed ? [columns, rows] : [rows, columns];

const sizes = [
  [1, 1, 1],
  [1, 5, 9],
  [4, 8, 8],
  [3, 7, 1],
  [5, 1, 17],
  [13, 31, 15],
  [17, 64, 50],
] as const;

for (const batch of [[], [1], [3], [2, 3]]) {
  test(`products of [${batch}] matrices are right for odd sizes and every transposition`, () => {
    for (const [m, k, n] of sizes) {
      for (const transposeA of flags) {
        for (const transposeB of flags) {
          const a = randomTensor([...batch, ...stored(m, k, transposeA)], m);
          const b = randomTensor([...batch, ...stored(k, n, transposeB)], n + 100);
          const product = tf.matMul(a, b, transposeA, transposeB);
          assert.deepEqual(product.shape, [...batch, m, n]);
          const what = `${m}x${k}x${n} ${transposeA} ${transposeB}`;
          assertClose(product.dataSync(), multiply(a, b, transposeA, transposeB), 1e-5, what);
        }
      }
    }
  });
}

test("a product that follows a larger one sees nothing of it", () => {
  tf.matMul(randomTensor([4, 40, 40]), randomTensor([4, 40, 40]));
  const [a, b] = [randomTensor([2, 3, 5], 3), randomTensor([2, 5, 3], 4)];
  assertClose(tf.matMul(a, b).dataSync(), multiply(a, b, false, false), 1e-6);
});

test("infinities and NaN stay in their own row and batch", () => {
  const a = tf.tensor([1, 2, Number.NaN, 4, 5, 6, 7, 8], [2, 2, 2]);
  const product = tf.matMul(a, tf.ones([2, 2, 2])).dataSync();
  assert.deepEqual([...product], [3, 3, Number.NaN, Number.NaN, 11, 11, 15, 15]);
});

test("one matrix broadcast over a batch is multiplied with each", () => {
  for (const [left, right] of [
    [
      [3, 4, 5],
      [1, 5, 6],
    ],
    [
      [1, 4, 5],
      [3, 5, 6],
    ],
    [
      [3, 4, 5],
      [5, 6],
    ],
    [
      [4, 5],
      [3, 5, 6],
    ],
    [
      [2, 3, 4, 5],
      [1, 1, 5, 6],
    ],
  ]) {
    const [a, b] = [randomTensor(left, 1), randomTensor(right, 2)];
    assertClose(tf.matMul(a, b).dataSync(), multiply(a, b, false, false), 1e-6, `[${left}] [${right}]`);
  }
});

test("the gradient of a broadcast product has its operand's shape and sums over the batch", async () => {
  for (const backend of ["wasm", "cpu"] as const) {
    await startBackend({ backend });
    for (const transposeA of flags) {
      for (const transposeB of flags) {
        const a = randomTensor([3, ...stored(4, 5, transposeA)], 1);
        const b = randomTensor([1, ...stored(5, 6, transposeB)], 2);
        const weights = randomTensor([3, 4, 6], 3);
        const project = (x: Tensor, y: Tensor) =>
          tf.sum(tf.mul(tf.matMul(x, y, transposeA, transposeB), weights)) as tf.Scalar;
        const [da, db] = tf.grads(project)([a, b]);
        const [tiledA, tiledB] = tf.grads((x: Tensor, y: Tensor) => project(x, tf.tile(y, [3, 1, 1])))([
          a,
          b,
        ]);
        assert.deepEqual([da.shape, db.shape], [a.shape, b.shape]);
        assertClose(da.dataSync(), tiledA.dataSync(), 1e-6, "left");
        assertClose(db.dataSync(), tiledB.dataSync(), 1e-6, "right");
      }
    }
  }
  await startBackend({ backend: "wasm" });
});

test("the gradient of gather adds up rows taken more than once and is zero for rows not taken", async () => {
  const slopes = [];
  for (const backend of ["cpu", "wasm"] as const) {
    await startBackend({ backend });
    const rows = tf.tensor1d([2, 0, 2, 2, 4], "int32");
    const weights = randomTensor([5, 3], 7);
    const slope = tf.grad((x) => tf.sum(tf.mul(tf.gather(x, rows), weights)))(randomTensor([6, 3]));
    const w = weights.dataSync();
    const expected = new Float32Array(18);
    for (const [i, row] of [2, 0, 2, 2, 4].entries()) {
      for (let c = 0; c < 3; c++) expected[row * 3 + c] += w[i * 3 + c];
    }
    assertClose(slope.dataSync(), expected, 1e-6, backend);
    slopes.push([...slope.dataSync()]);
  }
  assert.deepEqual(slopes[0], slopes[1]);
});

test("products leave nothing behind", () => {
  for (const batch of [[], [1], [3]]) {
    for (const transposeA of flags) {
      for (const transposeB of flags) {
        for (const [m, k, n] of [
          [4, 5, 6],
          [1, 5, 1],
        ]) {
          const a = randomTensor([...batch, ...stored(m, k, transposeA)]);
          const b = randomTensor([...batch, ...stored(k, n, transposeB)]);
          assertNoLeak(() => tf.matMul(a, b, transposeA, transposeB).dispose());
          assertNoLeak(() =>
            tf.tidy(
              () =>
                void tf.grads(
                  (x: Tensor, y: Tensor) => tf.sum(tf.matMul(x, y, transposeA, transposeB)) as tf.Scalar,
                )([a, b]),
            ),
          );
        }
      }
    }
  }
});

test("a clone shares storage, and either may be disposed first", () => {
  for (const first of [0, 1]) {
    assertNoLeak(() => {
      const x = tf.tensor([1, 2, 3]);
      const pair = [x, tf.clone(x)];
      pair[first].dispose();
      assert.deepEqual([...pair[1 - first].dataSync()], [1, 2, 3]);
      pair[1 - first].dispose();
    });
  }
});

test("assigning to a variable leaves clones of its old value as they were", () => {
  const variable = tf.variable(tf.tensor([1, 2]));
  const before = tf.clone(variable);
  variable.assign(tf.tensor([3, 4]));
  assert.deepEqual(
    [[...before.dataSync()], [...variable.dataSync()]],
    [
      [1, 2],
      [3, 4],
    ],
  );
});

test("batches meet by broadcasting along any of their axes, gradients too", () => {
  const [a, b] = [randomTensor([3, 1, 2, 4], 1), randomTensor([3, 5, 4, 2], 2)];
  const product = (x: Tensor, y: Tensor) => tf.matMul(x, y);
  const tiled = (x: Tensor, y: Tensor) => tf.matMul(tf.tile(x, [1, 5, 1, 1]), y);
  assertClose([...product(a, b).dataSync()], [...tiled(a, b).dataSync()], 1e-6);
  const gradientsOf = (f: typeof product) =>
    (
      tf.grads(((x: Tensor, y: Tensor) => tf.sum(tf.square(f(x, y)))) as never) as unknown as (
        values: Tensor[],
      ) => Tensor[]
    )([a, b]);
  const [actual, expected] = [product, tiled].map(gradientsOf);
  for (const i of [0, 1]) assertClose([...actual[i].dataSync()], [...expected[i].dataSync()], 1e-5);
});
