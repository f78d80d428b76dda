import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../src/core/rng";
import { startBackend, tf } from "../../src/core/tf";
import { repeatedOrder } from "../../src/data/repetitions";
import { clipGradNorm, epochCosine } from "../../src/optim";
import { moved } from "../../src/train/weightAverage";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "timm");

const schedule = { lr: 1e-3, minLr: 1e-5, warmupLr: 1e-6, warmupEpochs: 20, epochs: 60 };
const rng = new Rng(1);
const weights = Array.from({ length: 30 }, () => Array.from({ length: 8 }, () => Math.fround(rng.normal())));
const given = { ...schedule, length: 1100, processes: 4, decay: 0.99996, maxNorm: 2.5, weights };

interface Found {
  permutation: number[];
  /** By process. */
  orders: number[][];
  rates: number[];
  average: number[];
  clipped: { norm: number; gradients: number[][] };
}

let found: Found;
before(async () => {
  await startBackend();
  if (!skip) found = runPython<Found>("supervised.py", JSON.stringify(given));
});

test("repeated augmentation draws what timm's sampler draws for as many processes as a step has batches", {
  skip,
}, () => {
  const [batchSize, spread] = [8, given.processes];
  const order = Int32Array.from(found.permutation);
  const { indices } = repeatedOrder(order, { repeats: 3, batchSize, spread });
  const steps = Math.floor(found.orders[0].length / batchSize);
  assert.equal(steps, 32);
  for (let batch = 0; batch < steps * spread; batch++) {
    const [step, process] = [Math.floor(batch / spread), batch % spread];
    const theirs = found.orders[process].slice(step * batchSize, (step + 1) * batchSize);
    assert.deepEqual([...indices.subarray(batch * batchSize, (batch + 1) * batchSize)], theirs);
  }
});

test("the rate of each epoch is that of timm's scheduler as DeiT steps it", { skip }, () => {
  for (const [epoch, rate] of found.rates.entries()) {
    const ours = epochCosine(schedule, epoch + 0.5);
    assert.ok(Math.abs(ours - rate) < 1e-15, `epoch ${epoch}: ${ours}, timm ${rate}`);
  }
});

test("the average of the weights is timm's", { skip }, async () => {
  const [first, ...rest] = weights.map((values) => tf.tensor(values));
  const average = rest.reduce((so, weight) => moved(so, weight, given.decay), first);
  const data = await average.data();
  for (const [i, x] of data.entries())
    assert.ok(Math.abs(x - found.average[i]) < 1e-7, `${x}, timm ${found.average[i]}`);
});

test("gradients are clipped as torch clips them", { skip }, async () => {
  const gradients = new Map(weights.map((values, i) => [`${i}`, tf.tensor(values)]));
  const [norm] = await clipGradNorm(gradients, given.maxNorm).data();
  assert.ok(Math.abs(norm - found.clipped.norm) < 1e-5, `${norm}, torch ${found.clipped.norm}`);
  for (const [i, gradient] of [...gradients.values()].entries())
    for (const [j, x] of (await gradient.data()).entries())
      assert.ok(Math.abs(x - found.clipped.gradients[i][j]) < 1e-6);
});
