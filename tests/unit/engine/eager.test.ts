import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { openEagerExecutor } from "../../../src/engine";
import { isLuvitError } from "../nn/support";

before(() => startBackend({ backend: "wasm" }));

test("the eager engine refuses what tfjs cannot do", async () => {
  await assert.rejects(openEagerExecutor({}, { precision: "bfloat16" }), isLuvitError("engine", "bfloat16"));
  await assert.rejects(openEagerExecutor({}, { frozen: "int8" }), isLuvitError("engine", "int8"));
});

test("an executor without programs opens and closes", async () => {
  const { numTensors } = tf.memory();
  const executor = await openEagerExecutor({});
  assert.equal(executor.description.device, "tfjs wasm");
  await executor.dispose();
  assert.equal(tf.memory().numTensors, numTensors);
});
