import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { Linear } from "../../../src/nn/layers";
import { AdamW } from "../../../src/optim/adamw";
import { pretrainRules } from "../../../src/optim/groups";
import type { Feeds } from "../../../src/train/feeds";
import { openForwards } from "../../../src/train/forwards";
import { Stepper } from "../../../src/train/stepper";
import { WeightAverage } from "../../../src/train/weightAverage";

before(async () => void (await startBackend()));

const row = (...numbers: number[]): Feeds => ({ x: { data: Float32Array.from(numbers), shape: [1, 2] } });

const close = (actual: ArrayLike<number>, expected: readonly number[]) => {
  assert.equal(actual.length, expected.length);
  for (const [i, number] of expected.entries())
    assert.ok(Math.abs(actual[i] - number) < 1e-5, `${Array.from(actual)} instead of ${expected}`);
};

/** y = x w with w = [1, 2]; the loss is y^2. AdamW's first step moves every weight by the rate, against its gradient. */
function square({ batches = 1, decay }: { batches?: number; decay?: number } = {}) {
  const model = new Linear(2, 1, new Rng(0), { bias: false });
  model.weight.load({ shape: [1, 2], data: Float32Array.of(1, 2) });
  const rules = pretrainRules(model, 0);
  const optimizer = new AdamW(model, rules);
  const average = decay === undefined ? undefined : new WeightAverage(model, rules, decay);
  const out = {
    inputs: { x: { shape: [1, 2] } },
    body: (fed: Record<string, Tensor>) => ({ y: model.forward(fed.x) }),
  };
  const task = {
    name: "square",
    model,
    rules,
    loss: ({ x }: Readonly<Record<string, Tensor>>) => tf.sum(tf.square(model.forward(x))) as Tensor,
    functions: { out },
  };
  const stepper = new Stepper({ task, optimizer, average, batches }, { engine: "eager" });
  return { model, optimizer, average, stepper };
}

test("a step gives the mean loss of its batches; the model is behind until it is synced", async () => {
  const { model, optimizer, stepper } = square({ batches: 2 });
  assert.equal(await stepper.step([row(1, 1), row(1, 0)], 0.1), (9 + 1) / 2);
  assert.equal(optimizer.step, 1);
  close(await model.weight.peek(), [1, 2]);
  await stepper.sync();
  close(await model.weight.peek(), [0.9, 1.9]);
  close((await stepper.call("out", row(1, 1))).y, [2.8]);
  await stepper.dispose();
});

test("a sync with nothing new fetches nothing: what was loaded meanwhile stays", async () => {
  const { model, stepper } = square();
  await stepper.sync();
  await stepper.prepare(row(1, 1));
  const loaded = { shape: [1, 2], data: Float32Array.of(5, 6) };
  model.weight.load(loaded);
  await stepper.sync();
  close(await model.weight.peek(), [5, 6]);
  await stepper.step([row(1, 1)], 0.1);
  await stepper.sync();
  close(await model.weight.peek(), [0.9, 1.9]);
  model.weight.load(loaded);
  await stepper.sync();
  close(await model.weight.peek(), [5, 6]);
  await stepper.dispose();
});

test("a stream gives the model's numbers before the first step, and then what the steps have left", async () => {
  const { model, optimizer, stepper } = square();
  const asked = new Map([...model.namedParameters(), ...optimizer.moments()]);
  const read = async () => {
    const { shapes, read } = stepper.stream(asked);
    assert.deepEqual([...shapes.keys()].sort(), [...asked.keys()].sort());
    return (await read(["weight"])).weight;
  };
  close(await read(), [1, 2]);
  await stepper.step([row(1, 1)], 0.1);
  close(await read(), [0.9, 1.9]);
  close(await model.weight.peek(), [1, 2]);
  await stepper.dispose();
  close(await read(), [1, 2]);
});

test("a loss that is not finite changes neither model nor optimizer, wherever in the step it is", async () => {
  for (const group of [
    [row(Number.NaN, 1), row(1, 1)],
    [row(1, 1), row(Number.POSITIVE_INFINITY, 1)],
  ]) {
    const { model, optimizer, stepper, average } = square({ batches: 2, decay: 0.5 });
    assert.ok(!Number.isFinite(await stepper.step(group, 0.1)));
    assert.equal(optimizer.step, 0);
    await stepper.sync();
    close(await model.weight.peek(), [1, 2]);
    close((await stepper.call("out", row(1, 1), { averaged: true })).y, [3]);
    assert.ok(average);
    await stepper.dispose();
  }
});

test("averages move after every step, and a function takes them where it is asked to and they are kept", async () => {
  const { stepper } = square({ decay: 0.75 });
  await stepper.step([row(1, 1)], 0.1);
  const out = async (options?: { averaged: boolean }, of = stepper) =>
    (await of.call("out", row(1, 1), options)).y;
  close(await out(), [2.8]);
  close(await out({ averaged: false }), [2.8]);
  close(await out({ averaged: true }), [0.75 * 3 + 0.25 * 2.8]);
  await stepper.dispose();
  const { stepper: without } = square();
  await without.step([row(1, 1)], 0.1);
  close(await out({ averaged: true }, without), [2.8]);
  await without.dispose();
});

test("it says what it runs on once it has begun, and until it has ended; alone it is the same as itself", async () => {
  const { stepper } = square();
  assert.equal(stepper.engine, undefined);
  await stepper.expectSame(1);
  await stepper.prepare(row(1, 1));
  assert.match(stepper.engine!, /eager|tfjs/);
  await stepper.expectSame(1);
  await stepper.dispose();
  assert.equal(stepper.engine, undefined);
  await stepper.dispose();
});

test("steps are AdamW's by its definition: the mean gradient of the batches, moments, and how many were made", async () => {
  const { model, optimizer, stepper } = square({ batches: 2 });
  const [b1, b2] = optimizer.betas;
  let weights = [1, 2];
  const moments = [
    { m: 0, v: 0 },
    { m: 0, v: 0 },
  ];
  const groups: [number, number][][] = [
    [
      [1, 0],
      [0, 1],
    ],
    [
      [3, 1],
      [0.5, -1],
    ],
    [
      [0, 2],
      [-1, 0.1],
    ],
  ];
  for (const [i, group] of groups.entries()) {
    const rate = 0.1 / (i + 1);
    await stepper.step(
      group.map((x) => row(...x)),
      rate,
    );
    const y = group.map(([a, b]) => a * weights[0] + b * weights[1]);
    weights = weights.map((weight, k) => {
      const gradient = (2 * y[0] * group[0][k] + 2 * y[1] * group[1][k]) / 2;
      const one = moments[k];
      one.m = b1 * one.m + (1 - b1) * gradient;
      one.v = b2 * one.v + (1 - b2) * gradient ** 2;
      const [mean, squares] = [one.m / (1 - b1 ** (i + 1)), one.v / (1 - b2 ** (i + 1))];
      return weight - (rate * mean) / (Math.sqrt(squares) + 1e-8);
    });
  }
  assert.equal(optimizer.step, 3);
  await stepper.sync();
  close(await model.weight.peek(), weights);
  const kept = new Map(optimizer.moments());
  close(
    await kept.get("weight.exp_avg")!.peek(),
    moments.map(({ m }) => m),
  );
  close(
    await kept.get("weight.exp_avg_sq")!.peek(),
    moments.map(({ v }) => v),
  );
  await stepper.dispose();
});

test("an epsilon of the optimizer's own reaches the steps", async () => {
  const { model } = square();
  const rules = pretrainRules(model, 0);
  const optimizer = new AdamW(model, rules, { eps: 0.5 });
  const loss = ({ x }: Readonly<Record<string, Tensor>>) => tf.sum(model.forward(x)) as Tensor;
  const stepper = new Stepper(
    { task: { name: "sum", model, rules, loss }, optimizer, average: undefined, batches: 1 },
    { engine: "eager" },
  );
  await stepper.step([row(1, 0)], 0.3);
  await stepper.sync();
  close(await model.weight.peek(), [1 - 0.3 / (1 + 0.5), 2]);
  await stepper.dispose();
});

test("a function with averages takes what is frozen as it is", async () => {
  const model = new Linear(2, 1, new Rng(0));
  model.weight.load({ shape: [1, 2], data: Float32Array.of(1, 2) });
  model.bias!.load({ shape: [1], data: Float32Array.of(10) });
  model.freeze("bias");
  const rules = pretrainRules(model, 0);
  const out = {
    inputs: { x: { shape: [1, 2] } },
    body: (fed: Record<string, Tensor>) => ({ y: model.forward(fed.x) }),
  };
  const loss = ({ x }: Readonly<Record<string, Tensor>>) => tf.sum(model.forward(x)) as Tensor;
  const task = { name: "frozen", model, rules, loss, functions: { out } };
  const average = new WeightAverage(model, rules, 0.5);
  const optimizer = new AdamW(model, rules);
  const stepper = new Stepper({ task, optimizer, average, batches: 1 }, { engine: "eager" });
  await stepper.step([row(1, 1)], 0.2);
  close((await stepper.call("out", row(1, 1))).y, [12.6]);
  close((await stepper.call("out", row(1, 1), { averaged: true })).y, [12.8]);
  await stepper.dispose();
});

test("what functions keep is zero at first, common to all that name it, and stays from run to run", async () => {
  const model = new Linear(2, 1, new Rng(0), { bias: false });
  model.weight.load({ shape: [1, 2], data: Float32Array.of(1, 2) });
  const kept = { sum: [1, 1] };
  const inputs = { x: { shape: [1, 2] } };
  const forwards = await openForwards(
    model,
    {
      add: { inputs, kept, body: ({ x }, { sum }) => ({ sum: tf.add(sum, model.forward(x)) }) },
      look: { inputs, kept, body: ({ x }, { sum }) => ({ twice: tf.add(tf.mul(sum, 2), tf.sum(x)) }) },
    },
    { engine: "eager" },
  );
  const look = async () => (await forwards.run("look", row(0, 0.5))).twice;
  close(await look(), [0.5]);
  await forwards.run("add", row(1, 1));
  await forwards.run("add", row(0, 2));
  close(await look(), [2 * 7 + 0.5]);
  assert.match(forwards.engine, /op by op/);
  await forwards.dispose();
});
