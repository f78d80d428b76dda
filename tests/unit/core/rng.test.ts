import assert from "node:assert/strict";
import { test } from "node:test";
import { problemsOf, seed } from "../../../src/core/options";
import { Rng } from "../../../src/core/rng";

/** Drawn once; runs that resume and results that are quoted depend on them. */
const KNOWN = {
  zero: [1789933344, 44971166, 2521387044, 3848737593],
  other: [525828425, 3007259908, 2366513248, 2649385779],
  fork: [3552560603, 1419000719, 3559975816, 2105818615],
  uniform: 0.049009592574554284,
  normal: -0.8525998390036965,
  beta: 0.6848975785158573,
  permutation: [4, 3, 7, 5, 1, 2, 6, 0],
};

const draw = (rng: Rng, count: number) => Array.from({ length: count }, () => rng.uint32());
const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Correlation of two streams of uniforms; about 1/sqrt(count) for independent ones. */
function correlation(a: Rng, b: Rng, count = 4000): number {
  const sums = Array.from({ length: count }, () => (a.uniform() - 0.5) * (b.uniform() - 0.5));
  return 12 * mean(sums);
}

/** xoshiro128** as published, in big integers. */
function reference(state: bigint[]): bigint {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask;
  const result = (rotate((state[1] * 5n) & mask, 7n) * 9n) & mask;
  const t = (state[1] << 9n) & mask;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= t;
  state[3] = rotate(state[3], 11n);
  return result;
}

test("a seed is any whole number that JavaScript holds exactly", () => {
  const check = (value: unknown) => problemsOf(seed, value);
  for (const good of [0, 2 ** 32, Number.MAX_SAFE_INTEGER]) assert.deepEqual(check(good), []);
  for (const bad of [-1, 0.5, Number.MAX_SAFE_INTEGER + 1, "1", null])
    assert.equal(check(bad).length, 1, `${bad}`);
});

test("the numbers of a seed never change", () => {
  assert.deepEqual(draw(new Rng(0), 4), KNOWN.zero);
  assert.deepEqual(draw(new Rng(123456789), 4), KNOWN.other);
  assert.deepEqual(draw(new Rng(0).fork("mask", 3), 4), KNOWN.fork);
  assert.equal(new Rng(7).uniform(), KNOWN.uniform);
  assert.equal(new Rng(7).normal(), KNOWN.normal);
  assert.equal(new Rng(7).beta(0.8, 0.8), KNOWN.beta);
  assert.deepEqual([...new Rng(7).permutation(8)], KNOWN.permutation);
});

test("the generator is xoshiro128**", () => {
  const rng = new Rng(42);
  const state = Array.from((rng as unknown as { state: Uint32Array }).state, BigInt);
  for (let i = 0; i < 200; i++) assert.equal(BigInt(rng.uint32()), reference(state), `draw ${i}`);
});

test("a fork depends on seed and labels, not on what was drawn, and draws nothing from its parent", () => {
  const [fresh, used] = [new Rng(5), new Rng(5)];
  const expected = draw(new Rng(5), 20);
  const first = draw(used, 10);
  assert.deepEqual(draw(used.fork("a", 1), 4), draw(fresh.fork("a", 1), 4));
  assert.deepEqual([...first, ...draw(used, 10)], expected);
});

test("streams of other labels, other numbers, another order and another seed differ and are uncorrelated", () => {
  const parent = new Rng(1);
  const pairs: [Rng, Rng][] = [
    [parent.fork("mask", 0), parent.fork("mask", 1)],
    [parent.fork("mask"), parent.fork("shuffle")],
    [parent.fork("a", "b"), parent.fork("b", "a")],
    [parent.fork("a", 12), parent.fork("a", 1, 2)],
    [parent.fork("a"), new Rng(2).fork("a")],
    [parent.fork("a"), new Rng(1)],
    [new Rng(1), new Rng(2)],
  ];
  for (const [i, [a, b]] of pairs.entries()) {
    assert.ok(Math.abs(correlation(a, b)) < 0.08, `pair ${i}`);
  }
  const firsts = Array.from({ length: 2000 }, (_, step) => parent.fork("step", step).uint32());
  assert.equal(new Set(firsts).size, 2000);
  assert.ok(Math.abs(mean(firsts) / 2 ** 32 - 0.5) < 0.03);
});

test("uniform numbers fill [0, 1) evenly, integers their range, and between its bounds", () => {
  const rng = new Rng(3);
  const cells = new Array(10).fill(0);
  for (let i = 0; i < 20000; i++) {
    const u = rng.uniform();
    assert.ok(u >= 0 && u < 1);
    cells[Math.floor(u * 10)]++;
  }
  for (const count of cells) assert.ok(Math.abs(count - 2000) < 250, `${cells}`);
  const seen = new Set(Array.from({ length: 200 }, () => rng.integer(5)));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4]);
  const values = Array.from({ length: 500 }, () => rng.between(-2, 6));
  assert.ok(Math.min(...values) >= -2 && Math.max(...values) < 6 && Math.abs(mean(values) - 2) < 0.4);
});

test("normal numbers have mean 0, variance 1, kurtosis 3", () => {
  const rng = new Rng(4);
  const values = Array.from({ length: 40000 }, () => rng.normal());
  assert.ok(Math.abs(mean(values)) < 0.02);
  assert.ok(Math.abs(mean(values.map((x) => x ** 2)) - 1) < 0.03);
  assert.ok(Math.abs(mean(values.map((x) => x ** 4)) - 3) < 0.2);
});

test("beta numbers have a beta distribution's mean and variance, also below one", () => {
  for (const [alpha, beta] of [
    [0.8, 0.8],
    [1, 1],
    [2, 5],
    [0.3, 3],
  ]) {
    const rng = new Rng(6);
    const values = Array.from({ length: 20000 }, () => rng.beta(alpha, beta));
    const expected = alpha / (alpha + beta);
    const variance = (alpha * beta) / ((alpha + beta) ** 2 * (alpha + beta + 1));
    assert.ok(values.every((x) => x >= 0 && x <= 1));
    assert.ok(Math.abs(mean(values) - expected) < 0.01, `mean of ${alpha}, ${beta}`);
    assert.ok(
      Math.abs(mean(values.map((x) => (x - expected) ** 2)) / variance - 1) < 0.06,
      `variance of ${alpha}, ${beta}`,
    );
  }
});

test("a permutation holds every number once, and all orders are equally likely", () => {
  assert.deepEqual(
    [...new Rng(1).permutation(100)].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
  assert.deepEqual([...new Rng(1).permutation(0)], []);
  const rng = new Rng(8);
  const orders = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = rng.permutation(3).join();
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assert.equal(orders.size, 6);
  for (const count of orders.values()) assert.ok(Math.abs(count - 1000) < 130, `${[...orders]}`);
});

test("filling an array gives what single draws give, and leaves the stream where they would", () => {
  for (const length of [0, 1, 2, 3, 1000, 5001]) {
    for (const drawnBefore of [0, 1]) {
      const [one, all] = [new Rng(11), new Rng(11)];
      for (let i = 0; i < drawnBefore; i++) assert.equal(one.normal(), all.normal());
      const expected = Float32Array.from({ length }, () => 0.02 * one.normal());
      const filled = new Float32Array(length);
      all.fillNormal(filled, 0.02);
      assert.deepEqual(filled, expected);
      assert.deepEqual(
        [all.normal(), all.normal(), all.uint32()],
        [one.normal(), one.normal(), one.uint32()],
      );
    }
  }
});

test("an array filled between two bounds is as many single draws, and the stream goes on behind them", () => {
  for (const length of [0, 1, 2047, 2048, 2049, 5001]) {
    const [one, all] = [new Rng(12), new Rng(12)];
    const expected = Float32Array.from({ length }, () => one.between(-0.3, 0.7));
    const filled = new Float32Array(length);
    all.fillBetween(filled, -0.3, 0.7);
    assert.deepEqual(filled, expected);
    assert.deepEqual([all.uint32(), all.normal()], [one.uint32(), one.normal()]);
  }
});
