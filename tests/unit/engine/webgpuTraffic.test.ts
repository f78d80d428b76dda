import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { softwareVulkan, webgpu } from "./webgpu";

interface Traffic {
  /** Bytes in host memory that each step handed to onnxruntime and took from it. */
  up: number[];
  down: number[];
  /** Tensors of the device that the steps left behind, by their number after each step. */
  alive: number[];
  feedBytes: number;
}

const measure = (): Traffic =>
  JSON.parse(
    execFileSync(process.execPath, [join(__dirname, "webgpuTrafficChild.js")], {
      env: { ...process.env, ...softwareVulkan },
      encoding: "utf8",
    }),
  );

test(
  "a step brings up its feeds and sixteen bytes for each kind of update, and brings down its loss",
  webgpu.options,
  () => {
    const { up, down, alive, feedBytes } = measure();
    const [first, ...others] = up;
    // Weights decay, biases do not: two chunks. The first step also makes the moments of both from a zero each.
    assert.deepEqual(new Set(others), new Set([feedBytes + 2 * 16]));
    assert.equal(first, others[0] + 2 * 2 * 4);
    assert.deepEqual(new Set(down), new Set([4]), "one float32 loss");
    assert.deepEqual(new Set(alive).size, 1, `tensors on the device after each step: ${alive}`);
  },
);
