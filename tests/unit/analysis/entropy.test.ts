import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  backgroundShare,
  meanOverHeads,
  patchEntropy,
  regionMeans,
  rowEntropy,
} from "../../../src/analysis/entropy";
import { startBackend, tf } from "../../../src/core/tf";

before(async () => void (await startBackend()));

test("uniform attention over T keys has entropy ln T", () => {
  for (const keys of [2, 5, 197]) {
    const entropy = rowEntropy(tf.fill([1, 2, 3, keys], 1 / keys));
    assert.deepEqual(entropy.shape, [1, 2, 3]);
    for (const value of entropy.dataSync()) assert.ok(Math.abs(value - Math.log(keys)) < 1e-5);
  }
});

test("attention to one key alone has entropy 0, not NaN", () => {
  const pattern = tf
    .oneHot(tf.tensor1d([2, 0, 1], "int32"), 4)
    .toFloat()
    .reshape([1, 1, 3, 4]);
  for (const value of rowEntropy(pattern).dataSync()) assert.ok(Math.abs(value) < 1e-7);
});

test("the class token's query is left out, its key is not", () => {
  const rows = [
    [1, 0, 0],
    [0.5, 0.5, 0],
    [0.25, 0.25, 0.5],
  ];
  const entropy = patchEntropy(tf.tensor(rows).reshape([1, 1, 3, 3]));
  assert.deepEqual(entropy.shape, [1, 1, 2]);
  const [first, second] = entropy.dataSync();
  assert.ok(Math.abs(first - Math.log(2)) < 1e-6);
  assert.ok(Math.abs(second - 1.5 * Math.log(2)) < 1e-6);
});

test("entropy is taken per head and then averaged: two sharp heads stay at 0 where their mean map would not", () => {
  const heads = [
    [1, 0],
    [0, 1],
  ];
  const perHead = rowEntropy(tf.tensor(heads).reshape([1, 2, 1, 2])).dataSync();
  assert.ok(Math.abs(meanOverHeads(perHead, 2)[0]) < 1e-7);
  assert.ok(Math.abs(rowEntropy(tf.tensor([[0.5, 0.5]])).dataSync()[0] - Math.log(2)) < 1e-6);
  assert.deepEqual([...meanOverHeads([1, 2, 3, 5, 6, 7], 2)], [3, 4, 5]);
});

test("region means leave ignored cells out and are null for an empty region", () => {
  assert.deepEqual(regionMeans([1, 2, 3, 10], [1, 0, 0, 1]), { foreground: 5.5, background: 2.5 });
  assert.deepEqual(regionMeans([1, 2, 3, 10], [1, 0, 0, 1], [1, 1, 0, 0]), { foreground: 1, background: 2 });
  assert.deepEqual(regionMeans([1, 2], [1, 1]), { foreground: 1.5, background: null });
  assert.deepEqual(regionMeans([1, 2], [0, 0]), { foreground: null, background: 1.5 });
});

test("the share counts images with both regions; equal means are not greater", () => {
  const images = [
    { foreground: 1, background: 2 },
    { foreground: 2, background: 1 },
    { foreground: 1, background: 1 },
    { foreground: 3, background: 4 },
    { foreground: null, background: 1 },
    { foreground: 1, background: null },
  ];
  assert.deepEqual(backgroundShare(images), { percentBackgroundGreater: 50, counted: 4, skipped: 2 });
  assert.deepEqual(backgroundShare([]), { percentBackgroundGreater: Number.NaN, counted: 0, skipped: 0 });
});
