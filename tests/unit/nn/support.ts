import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StateDict } from "../../../src/core/hostTensor";
import { Rng } from "../../../src/core/rng";
import { type Tensor, tf } from "../../../src/core/tf";

export { isLuvitError } from "../../support/luvitError";

/** The repository, found from the compiled test as well as from its source. */
export const repository = findUp(__dirname, "biome.json");

function findUp(from: string, name: string): string {
  return existsSync(join(from, name)) ? from : findUp(dirname(from), name);
}

/** Standard normal numbers, the same at every call. */
export function randomArray(size: number, seed = 1, scale = 1): Float32Array {
  const rng = new Rng(seed);
  return Float32Array.from({ length: size }, () => scale * rng.normal());
}

export function randomTensor(shape: readonly number[], seed = 1, scale = 1): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return tf.tensor(randomArray(size, seed, scale), [...shape]);
}

/** |actual - expected| <= tolerance * (1 + |expected|) everywhere; names the worst place. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what = "values",
): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  let worst = 0;
  let place = -1;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    if (error <= worst) continue;
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    place = i;
    if (Number.isNaN(error)) break;
  }
  const nan = Array.prototype.findIndex.call(actual, Number.isNaN);
  if (nan >= 0) assert.fail(`${what}: NaN at ${nan}`);
  assert.ok(worst <= tolerance, `${what}: ${actual[place]} instead of ${expected[place]} at ${place}`);
}

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  return Array.prototype.reduce.call(
    a,
    (worst, value, i) => Math.max(worst as number, Math.abs((value as number) - b[i])),
    0,
  ) as number;
}

/** Values of a tensor made inside a tidy. */
export function valuesOf(make: () => Tensor): Float32Array {
  return tf.tidy(() => make().dataSync<"float32">().slice());
}

export function assertSameState(actual: StateDict, expected: StateDict): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [key, { data }] of expected) assert.deepEqual(actual.get(key)!.data, data, key);
}

/** Runs `body` and requires that no tensor and no backend storage is left over beyond `kept` tensors. */
export function assertNoLeak(body: () => void, kept = 0): void {
  const backend = tf.backend() as unknown as { numDataIds(): number };
  const [tensors, buffers] = [tf.memory().numTensors, backend.numDataIds()];
  body();
  assert.equal(tf.memory().numTensors - tensors, kept, "tensors left over");
  assert.equal(backend.numDataIds() - buffers, kept, "storage left over in the backend");
}

/** Numbers that differ from place to place, the same at every call. */
export function rampTensor(shape: readonly number[], scale = 1, start = 0.3): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => scale * Math.sin(1.7 * i + start)),
    [...shape],
  );
}

/** What an op makes, and the gradients of a sum over it, in which every number counts otherwise, towards its operands. */
export function withSlopes(
  op: (...operands: Tensor[]) => Tensor,
  ...operands: Tensor[]
): { value: Tensor; slopes: Tensor[] } {
  return tf.tidy(() => {
    const weighted = (...given: Tensor[]) => {
      const made = op(...given);
      return tf.sum(tf.mul(made, rampTensor(made.shape, 1, 0.9))) as tf.Scalar;
    };
    return { value: tf.clone(op(...operands)), slopes: tf.grads(weighted as never)(operands) };
  });
}
