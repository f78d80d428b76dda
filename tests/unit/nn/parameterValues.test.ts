import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { Parameter } from "../../../src/nn/parameter";

before(() => startBackend());

const made = () => new Parameter([2], (values) => values.fill(1), 0);
const given = (...numbers: number[]) => ({ shape: [2], data: Float32Array.from(numbers) });

test("what stands for values stays the same when they are used for the first time", () => {
  const parameter = made();
  const before = parameter.values;
  assert.deepEqual([...parameter.value.dataSync()], [1, 1]);
  assert.equal(parameter.values, before);
  assert.notEqual(made().values, before);
});

test("it is another once they are assigned, and another again", () => {
  const parameter = made();
  const first = parameter.values;
  parameter.value.assign(tf.tensor1d([2, 2]));
  const second = parameter.values;
  parameter.value.assign(tf.tensor1d([2, 2]));
  assert.equal(new Set([first, second, parameter.values]).size, 3);
});

test("it is another once they are loaded, used before or not", () => {
  const parameter = made();
  const seen = [parameter.values];
  for (const isUsed of [false, false, true, true]) {
    if (isUsed) parameter.value.dataSync();
    parameter.load(given(3, 4));
    seen.push(parameter.values);
  }
  assert.equal(new Set(seen).size, seen.length);
  assert.deepEqual([...parameter.value.dataSync()], [3, 4]);
});

test("it is another when the variable was disposed and is made anew", () => {
  const parameter = made();
  parameter.load(given(3, 4));
  parameter.value.dispose();
  const before = parameter.values;
  assert.deepEqual([...parameter.value.dataSync()], [1, 1]);
  assert.notEqual(parameter.values, before);
});
