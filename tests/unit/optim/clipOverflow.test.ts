import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { clipGradNorm } from "../../../src/optim";

before(() => startBackend());

/** The norm that is told, and the numbers that are left. */
function clipped(most: number, ...gradients: number[][]): { norm: number; left: number[] } {
  const byPath = new Map<string, Tensor>(gradients.map((numbers, i) => [String(i), tf.tensor(numbers)]));
  const norm = clipGradNorm(byPath, most).dataSync()[0];
  return { norm, left: [...byPath.values()].flatMap((tensor) => [...tensor.dataSync()]) };
}

const isNear = (found: number, expected: number) =>
  assert.ok(Math.abs(found / expected - 1) < 1e-5, `${found}, expected ${expected}`);

test("gradients whose squares no single precision holds are clipped as small ones are", () => {
  for (const size of [1, 1e10, 6e17, 1e20, 1e30, 5e37]) {
    const { norm, left } = clipped(1, [3 * size, 0], [-4 * size]);
    isNear(norm, 5 * size);
    isNear(left[0], 0.6);
    isNear(left[2], -0.8);
    assert.equal(left[1], 0);
  }
  const { norm, left } = clipped(5, [3e38], [3e38]);
  assert.equal(norm, Number.POSITIVE_INFINITY, "the norm itself is too large to be told");
  for (const number of left) isNear(number, 5 / Math.SQRT2);
});

test("what is shorter than the greatest norm stays as it is, zeros too", () => {
  assert.deepEqual(clipped(10, [3, 4]), { norm: 5, left: [3, 4] });
  assert.deepEqual(clipped(1, [0, 0], [0]), { norm: 0, left: [0, 0, 0] });
  assert.deepEqual(clipped(1), { norm: 0, left: [] });
  const tiny = clipped(1, [1e-12, -1e-12]);
  assert.deepEqual(tiny.left, [...Float32Array.of(1e-12, -1e-12)]);
});

test("NaN among gradients is not hidden", () => {
  const { norm, left } = clipped(1, [1, Number.NaN]);
  assert.ok(Number.isNaN(norm) && left.some(Number.isNaN));
});
