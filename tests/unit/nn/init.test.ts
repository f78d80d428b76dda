import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import {
  kaimingUniform,
  Linear,
  normal,
  Parameter,
  trainableVariables,
  xavierUniform,
} from "../../../src/nn";

before(() => startBackend());

const extent = (values: Float32Array) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
const deviation = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
const fill = async (shape: number[], initialize: typeof xavierUniform, seed = 1) =>
  (await new Parameter(shape, initialize, seed).read()).data;

/** Uniform in ±bound: never outside, nearly reaching it, and with a uniform's deviation. */
function assertUniform(values: Float32Array, bound: number): void {
  assert.ok(extent(values) <= Math.fround(bound), `${extent(values)} > ${bound}`);
  assert.ok(extent(values) > 0.99 * bound, `${extent(values)} is far below ${bound}`);
  assert.ok(Math.abs(deviation(values) / (bound / Math.sqrt(3)) - 1) < 0.05);
}

test("xavier's bound is sqrt(6 / (in + out)), with a convolution's kernel flattened into its inputs", async () => {
  assertUniform(await fill([96, 32], xavierUniform), Math.sqrt(6 / 128));
  assertUniform(await fill([48, 3, 4, 4], xavierUniform), Math.sqrt(6 / 96));
});

test("kaiming's bound with a = sqrt 5 is 1 / sqrt(in)", async () => {
  assertUniform(await fill([16, 256], kaimingUniform), 1 / 16);
});

test("normal numbers have the deviation asked for and mean zero", async () => {
  const values = await fill([100, 100], normal(0.02));
  assert.ok(Math.abs(deviation(values) / 0.02 - 1) < 0.03);
  assert.ok(Math.abs(values.reduce((sum, x) => sum + x, 0) / 1e4) < 0.001);
});

test("a linear's bias starts at zero", async () => {
  const { bias } = new Linear(3, 5, new Rng(1));
  assert.deepEqual([...(await bias!.read()).data], [0, 0, 0, 0, 0]);
});

test("initial numbers depend on the seed and on nothing else", async () => {
  const make = (seed: number) => {
    const rng = new Rng(seed);
    return [new Linear(4, 4, rng), new Linear(4, 4, rng)];
  };
  const [a, b] = make(3);
  const [sameA, sameB] = make(3);
  const late = [(await sameB.weight.read()).data, (await sameA.weight.read()).data];
  assert.deepEqual([(await b.weight.read()).data, (await a.weight.read()).data], late);
  assert.notDeepEqual(late[0], late[1]);
  assert.notDeepEqual((await make(4)[0].weight.read()).data, late[1]);
});

test("reading the variable and reading the host copy give the same initial numbers", async () => {
  const [first, second] = [new Linear(4, 4, new Rng(9)), new Linear(4, 4, new Rng(9))];
  trainableVariables(first);
  assert.deepEqual((await first.weight.read()).data, (await second.weight.read()).data);
});
