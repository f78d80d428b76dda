import assert from "node:assert/strict";
import { test } from "node:test";
import { withLossScale } from "../../../src/train/lossScale";

/** Attempts whose gradients overflow above a scale; gives back the scales that were tried. */
async function tried(most: number, loss = 2): Promise<{ scales: number[]; loss: number }> {
  const scales: number[] = [];
  const found = await withLossScale(async (scale) => {
    scales.push(scale);
    return { loss, gradientNorm: scale > most ? Number.POSITIVE_INFINITY : 1 };
  });
  return { scales, loss: found };
}

test("a step whose gradients are finite is made once, with the loss times 2^15", async () => {
  assert.deepEqual(await tried(2 ** 15), { scales: [2 ** 15], loss: 2 });
});

test("a step whose gradients are not is made again with half the scale until they are", async () => {
  assert.deepEqual(await tried(2 ** 13), { scales: [2 ** 15, 2 ** 14, 2 ** 13], loss: 2 });
});

test("gradients that are not finite without scaling either make the loss not a number", async () => {
  const { scales, loss } = await tried(0.5);
  assert.deepEqual([scales.length, scales.at(-1), loss], [16, 1, Number.NaN]);
});

test("a loss that is not finite is told at once", async () => {
  assert.deepEqual(await tried(0, Number.NaN), { scales: [2 ** 15], loss: Number.NaN });
});
