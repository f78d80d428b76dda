import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import "../../../src/nn";
import { Conv2d, everySecond, maxPool2, UpConv2d } from "../../../src/nn/convolutions";
import { assertClose, randomTensor } from "./support";

const numbers = (x: Tensor) => [...x.dataSync()];

/** The gradients of a convolution's sum of squares towards map and filter. */
function gradients(x: Tensor, filter: Tensor, stride: number): number[][] {
  const loss = (a: Tensor, b: Tensor) =>
    tf.sum(tf.square(tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, "same")));
  return (tf.grads(loss as never) as unknown as (values: Tensor[]) => Tensor[])([x, filter]).map(numbers);
}

test("a convolution has the gradients on wasm that it has in plain JavaScript, at any stride", async () => {
  for (const stride of [1, 2]) {
    const results: number[][][] = [];
    for (const backend of ["cpu", "wasm"] as const) {
      await startBackend({ backend });
      results.push(gradients(randomTensor([2, 5, 6, 3], 1), randomTensor([3, 3, 3, 4], 2), stride));
    }
    for (const i of [0, 1]) assertClose(results[1][i], results[0][i], 1e-3);
  }
});

test("an upward convolution writes every pixel's product into four", async () => {
  await startBackend({ backend: "wasm" });
  const layer = new UpConv2d(2, 1, new Rng(0));
  layer.loadStateDict(
    new Map([
      ["weight", { shape: [2, 1, 2, 2], data: Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40) }],
      ["bias", { shape: [1], data: Float32Array.of(0.5) }],
    ]),
  );
  const map = layer.forward(tf.tensor([1, 0, 0, 1], [1, 1, 2, 2]));
  assert.deepEqual(map.shape, [1, 2, 4, 1]);
  assert.deepEqual(numbers(map), [1.5, 2.5, 10.5, 20.5, 3.5, 4.5, 30.5, 40.5]);
});

test("pooling drops an odd last row and column, and gives the gradient to the first of equal pixels", () => {
  const x = tf.tensor([1, 5, 9, 5, 5, 9, 9, 9, 9], [1, 3, 3, 1]);
  assert.deepEqual(numbers(maxPool2(x)), [5]);
  const gradient = tf.grad((a: Tensor) => tf.sum(maxPool2(a)))(x);
  assert.deepEqual(numbers(gradient), [0, 1, 0, 0, 0, 0, 0, 0, 0]);
});

test("every second pixel begins with the first, and of an odd length the last is among them", () => {
  const x = tf.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
  assert.deepEqual(numbers(everySecond(x)), [1, 3, 7, 9]);
});

test("a convolution of one pixel is a product of its channels", () => {
  const layer = new Conv2d(3, 2, new Rng(1), { kernel: 1 });
  const x = randomTensor([1, 2, 2, 3], 3);
  const weight = tf.transpose(layer.weight.value, [2, 3, 1, 0]) as tf.Tensor4D;
  const expected = tf.add(tf.conv2d(x as tf.Tensor4D, weight, 1, "same"), layer.bias!.value);
  assertClose(numbers(layer.forward(x)), numbers(expected), 1e-5);
});
