import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import {
  type PositionRule,
  patchify,
  positionsOfGrid,
  resizePositionTable,
  sinCosPositionTable,
  unpatchify,
} from "../../../src/nn";
import { assertClose, isLuvitError, randomArray } from "./support";

before(() => startBackend());

const [side, dim] = [5, 8];
const grids = [
  { rows: 7, columns: 3 },
  { rows: 5, columns: 9 },
  { rows: 12, columns: 12 },
  { rows: 2, columns: 4 },
  { rows: 1, columns: 25 },
];

for (const rule of ["mae", "timm", "dino"] as const) {
  test(`a graph resizes positions as the host does, by the rule ${rule}, squares and rectangles`, () => {
    for (const extra of [0, 1, 2]) {
      const shape = [1, extra + side * side, dim];
      const data = randomArray(shape[1] * dim);
      for (const grid of grids) {
        const expected = resizePositionTable({ shape, data }, grid, extra, rule).data.subarray(extra * dim);
        const actual = positionsOfGrid(tf.tensor(data, shape), grid, rule, extra);
        assert.deepEqual(actual.shape, [1, grid.rows * grid.columns, dim]);
        assertClose(actual.dataSync(), expected, 2e-6);
      }
    }
  });

  test(`positions of the rule ${rule} send their gradient back to the table they were made of`, () => {
    const [extra, grid] = [1, { rows: 4, columns: 7 }];
    const shape: [number, number, number] = [1, extra + side * side, dim];
    const weights = tf.tensor(randomArray(grid.rows * grid.columns * dim), [
      1,
      grid.rows * grid.columns,
      dim,
    ]);
    const table = tf.tensor(randomArray(shape[1] * dim), shape);
    const gradient = tf
      .grad((x) => tf.sum(tf.mul(positionsOfGrid(x, grid, rule, extra), weights)))(table)
      .dataSync();
    // The sum is linear in the table: its slope at one number is the sum of a table that is 1 there and 0 elsewhere.
    for (const place of [0, dim - 1, dim, 3 * dim + 2, shape[1] * dim - 1]) {
      const data = new Float32Array(shape[1] * dim);
      data[place] = 1;
      const resized = resizePositionTable({ shape, data }, grid, extra, rule).data.subarray(extra * dim);
      const slope = resized.reduce((sum, value, i) => sum + value * weights.dataSync()[i], 0);
      assertClose([gradient[place]], [slope], 2e-6);
    }
  });
}

test("the rules differ, and DINO's moves an axis that keeps its length", () => {
  const shape = [1, side * side, dim];
  const table = { shape, data: randomArray(side * side * dim) };
  const [mae, timm, dino] = (["mae", "timm", "dino"] as const).map((rule) =>
    resizePositionTable(table, { rows: side, columns: 3 }, 0, rule),
  );
  const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i])));
  assert.ok(apart(mae.data, timm.data) > 1e-2);
  assert.ok(apart(mae.data, dino.data) > 1e-2);
  const single = { shape, data: new Float32Array(side * side * dim).fill(1) };
  const constant = resizePositionTable(single, { rows: side, columns: 3 }, 0, "dino").data;
  assertClose(constant, new Float32Array(constant.length).fill(1), 1e-6);
});

test("positions of the table's own square are the table; DINO's rule moves them by a trifle", () => {
  const data = randomArray((1 + side * side) * dim);
  const table = tf.tensor(data, [1, 1 + side * side, dim]);
  const own = (rule: PositionRule) => positionsOfGrid(table, { rows: side, columns: side }, rule).dataSync();
  for (const rule of ["mae", "timm", "sincos"] as const) assert.deepEqual(own(rule), data.slice(dim));
  const moved = Math.max(...own("dino").map((value, i) => Math.abs(value - data[dim + i])));
  assert.ok(moved > 1e-3 && moved < 0.3, `${moved}`);
});

test("the sine-cosine table of a rectangle is a part of the square's around it", () => {
  const square = sinCosPositionTable(dim, 7);
  const oblong = sinCosPositionTable(dim, { rows: 3, columns: 7 });
  assert.deepEqual(oblong, square.slice(0, (1 + 21) * dim));
  const tall = sinCosPositionTable(dim, { rows: 7, columns: 2 });
  const cell = (table: Float32Array, index: number) => [...table.subarray(index * dim, (index + 1) * dim)];
  for (let row = 0; row < 7; row++) {
    for (let column = 0; column < 2; column++) {
      assert.deepEqual(cell(tall, 1 + row * 2 + column), cell(square, 1 + row * 7 + column));
    }
  }
  const table = tf.zeros([1, 1 + side * side, dim]);
  const grid = positionsOfGrid(table, { rows: 7, columns: 2 }, "sincos");
  assert.deepEqual(grid.dataSync(), tall.slice(dim));
});

test("grids and rules that cannot be are refused", () => {
  const table = tf.zeros([1, 26, dim]);
  const grid = { rows: 2, columns: 3 };
  assert.throws(
    () => positionsOfGrid(tf.zeros([1, 24, dim]), grid, "mae"),
    isLuvitError("shape-mismatch", "23 cells"),
  );
  assert.throws(
    () => positionsOfGrid(table, { rows: 0, columns: 3 }, "mae"),
    isLuvitError("bad-argument", "rows"),
  );
  assert.throws(() => positionsOfGrid(table, grid, "vit" as "mae"), isLuvitError("bad-argument", "dino"));
  assert.throws(
    () => sinCosPositionTable(dim, { rows: 2, columns: 1.5 }),
    isLuvitError("bad-argument", "columns"),
  );
});

test("patches of rectangles come back as the rectangles they were cut from", () => {
  const images = tf.tensor(randomArray(2 * 3 * 24 * 40), [2, 3, 24, 40]);
  const patches = patchify(images, 8);
  assert.deepEqual(patches.shape, [2, 15, 192]);
  assert.deepEqual(unpatchify(patches, 8, 3, { rows: 3, columns: 5 }).dataSync(), images.dataSync());
  assert.throws(() => unpatchify(patches, 8), isLuvitError("shape-mismatch", "a square number"));
  assert.throws(
    () => unpatchify(patches, 8, 3, { rows: 5, columns: 5 }),
    isLuvitError("shape-mismatch", "[B, 5 * 5, 8 * 8 * 3], got [2,15,192]"),
  );
});
