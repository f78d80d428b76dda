import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import type { OnnxTensor } from "../../../src/engine/onnx/runtime";
import { loadOnnxRuntime } from "../../../src/engine/onnx/runtime";
import { hostBytes } from "../../../src/engine/onnx/traffic";
import { growingProduct, openInProcess, stopProcessesAfterwards } from "./processSupport";
import { engines, openGraph, withOnnxRuntime } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));
stopProcessesAfterwards();

test(
  "feeds, results and state are counted as they cross to the engine's process and back",
  withOnnxRuntime,
  async () => {
    const executor = await openGraph(growingProduct(5), { w: new Float32Array(5) }, { open: openInProcess });
    assert.deepEqual(executor.traffic, { process: 20, device: 0 });
    await executor.run("step", { x: new Float32Array(5) });
    assert.deepEqual(executor.traffic, { process: 60, device: 0 });
    await executor.run("step", { x: new Float32Array(5) }, { fetch: [] });
    assert.deepEqual(executor.traffic, { process: 80, device: 0 });
    await executor.readState(["w"]);
    assert.deepEqual(executor.traffic, { process: 100, device: 0 });
    await executor.dispose();
  },
);

for (const { engine, open, options } of engines) {
  test(`${engine}: where the processor computes in this process nothing moves`, options, async (t) => {
    const executor = await openGraph(growingProduct(), { w: new Float32Array(4) }, { open });
    if (executor.description.device === "GPU") t.skip("NOT CHECKED: it runs on a GPU here");
    else {
      await executor.run("step", { x: new Float32Array(4) });
      assert.deepEqual(executor.traffic, { process: 0, device: 0 });
    }
    await executor.dispose();
  });
}

test("what lies on a device is not counted, nor asked for", withOnnxRuntime, () => {
  const { Tensor } = loadOnnxRuntime();
  const here = new Tensor("float32", new Float32Array(6), [2, 3]);
  const there = {
    dims: [2, 3],
    location: "gpu-buffer",
    get data(): never {
      throw new Error("its numbers lie elsewhere");
    },
  } as unknown as OnnxTensor;
  assert.equal(hostBytes([here, there, new Tensor("int32", new Int32Array(2), [2])]), 32);
});
