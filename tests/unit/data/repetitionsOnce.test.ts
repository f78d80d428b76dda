import assert from "node:assert/strict";
import { test } from "node:test";
import { repeatedOrder } from "../../../src/data/repetitions";

test("where every image comes once, an epoch is its order, however many batches a step has", () => {
  const order = Int32Array.of(7, 3, 5, 1, 0, 2, 6, 4, 8);
  const { indices, repetition } = repeatedOrder(order, { repeats: 1, batchSize: 2, spread: 2 });
  assert.deepEqual(indices, order);
  assert.deepEqual([...repetition], Array(9).fill(0));
});
