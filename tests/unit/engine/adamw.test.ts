import assert from "node:assert/strict";
import { test } from "node:test";
import { AdamWPool } from "../../../src/engine/adamw/pool";
import type { AdamWUpdate } from "../../../src/engine/adamw/splitUpdates";
import { assertClose, isLuvitError, randomArray } from "../nn/support";

const updateOf = (name: string, shape: number[], more: Partial<AdamWUpdate> = {}): AdamWUpdate => ({
  parameter: name,
  average: `${name}.m`,
  squares: `${name}.v`,
  gradient: `gradient of ${name}`,
  schedule: "schedule",
  shape,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0.05,
  lrScale: 1,
  ...more,
});

test("arrays of any length are updated as torch does, and no neighbor is touched", () => {
  const updates = [
    updateOf("a", []),
    updateOf("b", [3, 3], { lrScale: 0.25, weightDecay: 0, eps: 1e-3 }),
    updateOf("c", [16], { beta1: 0.8, beta2: 0.9 }),
    updateOf("d", [1001]),
    updateOf("e", [3, 2 ** 16 - 1]),
  ];
  for (const bytes of [64, 512, 2 ** 20]) {
    const pool = new AdamWPool(updates, bytes);
    const gradients = new Map<string, Float32Array>();
    const expected = pool.slots.map(({ update, parameter }, i) => {
      parameter.set(randomArray(parameter.length, i + 1));
      gradients.set(update.gradient, randomArray(parameter.length, i + 11));
      return { update, p: Float64Array.from(parameter) };
    });
    const [rate, steps] = [0.01, 3];
    const moments = expected.map(({ p }) => [new Float64Array(p.length), new Float64Array(p.length)]);
    for (let t = 1; t <= steps; t++) {
      for (const [k, { update, p }] of expected.entries()) {
        const lr = rate * update.lrScale;
        const [m, v] = moments[k];
        const gradient = gradients.get(update.gradient)!;
        for (let i = 0; i < p.length; i++) {
          m[i] = update.beta1 * m[i] + (1 - update.beta1) * gradient[i];
          v[i] = update.beta2 * v[i] + (1 - update.beta2) * gradient[i] ** 2;
          const root = Math.sqrt(v[i] / (1 - 0.999 ** t)) + update.eps;
          p[i] = p[i] * (1 - lr * update.weightDecay) - (lr * (m[i] / (1 - 0.9 ** t))) / root;
        }
      }
      pool.step(
        () => [rate, 1 - 0.9 ** t, 1 - 0.999 ** t],
        (name) => gradients.get(name)!,
      );
    }
    for (const [k, { update, p }] of expected.entries()) {
      assertClose(pool.state().get(update.parameter)!, p, 1e-6, update.parameter);
      assertClose(pool.state().get(update.average)!, moments[k][0], 1e-6, update.average);
      assertClose(pool.state().get(update.squares)!, moments[k][1], 1e-6, update.squares);
    }
  }
});

test("gradients are multiplied by the factor, each its own number, before they are squared", () => {
  const updates = [updateOf("a", [5]), updateOf("long", [2 ** 16 + 7])];
  const stateAfter = (factor: number, scale: number) => {
    const pool = new AdamWPool(updates, 2 ** 20);
    for (const [i, { parameter }] of pool.slots.entries())
      parameter.set(randomArray(parameter.length, i + 1));
    const gradients = new Map(
      pool.slots.map(({ update, parameter }, i) => [
        update.gradient,
        randomArray(parameter.length, i + 3).map((x) => scale * x),
      ]),
    );
    pool.step(
      () => [0.01, 0.1, 0.001],
      (name) => gradients.get(name)!,
      factor,
    );
    return pool.state();
  };
  const [once, scaled] = [stateAfter(1, 1), stateAfter(0.25, 4)];
  for (const [name, values] of once) assert.deepEqual(scaled.get(name), values, name);
});

test("parameters are spread over memories of the asked size, a large one alone", () => {
  const updates = [updateOf("a", [100]), updateOf("b", [1000]), updateOf("c", [20]), updateOf("d", [20])];
  const { slots } = new AdamWPool(updates, 1024);
  const memories = slots.map(({ memory }) => memory);
  assert.equal(new Set(memories).size, 3);
  assert.equal(memories[2], memories[3]);
  assert.ok(
    slots.every(({ parameter, squares }) => parameter.byteOffset % 16 === 0 && squares.byteOffset % 16 === 0),
  );
});

test("a parameter beyond what one memory holds is refused by name", () => {
  assert.throws(() => new AdamWPool([updateOf("huge", [2 ** 15, 2 ** 14])]), isLuvitError("engine", "huge"));
});
