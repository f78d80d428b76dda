import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { openEagerEngine } from "../../../src/engine";
import { isLuvitError } from "../nn/support";

before(() => startBackend({ backend: "wasm" }));

test("the eager engine refuses what tfjs cannot do", async () => {
  await assert.rejects(openEagerEngine({}, { precision: "bfloat16" }), isLuvitError("engine", "bfloat16"));
  await assert.rejects(openEagerEngine({}, { frozen: "int8" }), isLuvitError("engine", "int8"));
});

test("an executor without programs opens and closes", async () => {
  const { numTensors } = tf.memory();
  const executor = await openEagerEngine({});
  assert.equal(executor.description.device, "tfjs wasm");
  await executor.dispose();
  assert.equal(tf.memory().numTensors, numTensors);
});
