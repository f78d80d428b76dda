import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { chooseEngine, describeEngine, describeRunning } from "../../../src/engine";
import { gpuProblem } from "../../../src/engine/gpu/adapter";
import { examineGpu, judge } from "../../../src/engine/gpu/probe";
import { devicesFor } from "../../../src/engine/open";
import { temporaryFolder } from "../train/support";
import { GraphWriter, openGraph, withOnnxRuntime } from "./support";
import { softwareVulkan, webgpu } from "./webgpu";

test("machines without a GPU, or for which onnxruntime has no WebGPU, are not tried", () => {
  const root = temporaryFolder();
  assert.match(gpuProblem("linux", "x64", root)!, /no GPU .*\/dev\/dri\/renderD/);
  assert.match(gpuProblem("linux", "arm64", root)!, /no WebGPU for Linux on arm64/);
  assert.match(gpuProblem("darwin", "x64", root)!, /Intel/);
  assert.equal(gpuProblem("darwin", "arm64", root), undefined);
  assert.equal(gpuProblem("win32", "x64", root), undefined);
  for (const [node, problem] of [
    ["dri/renderD128", undefined],
    ["dri/card0", /no GPU .*renderD/],
    ["nvidiactl", undefined],
    ["dxg", undefined],
  ] as const) {
    const machine = temporaryFolder();
    mkdirSync(join(machine, "dev", "dri"), { recursive: true });
    writeFileSync(join(machine, "dev", node), "");
    if (problem) assert.match(gpuProblem("linux", "x64", machine)!, problem);
    else assert.equal(gpuProblem("linux", "x64", machine), undefined, node);
  }
});

test("a device in software is never taken, and its driver is named", webgpu.options, async () => {
  const { usable, reason } = await examineGpu(softwareVulkan);
  assert.equal(usable, false);
  assert.match(reason, /only driver is (SwiftShader|llvmpipe), in software/);
});

test(
  "the trial on WebGPU gives what it gives on the CPU, so that the time decides",
  webgpu.options,
  async () => {
    const { usable, reason } = await examineGpu(softwareVulkan, { software: true });
    assert.match(reason, usable ? /^it takes/ : /^it is slower: .* ms against/);
  },
);

test("where Vulkan has no driver the reason says so", withOnnxRuntime, async () => {
  const { usable, reason } = await examineGpu({ VK_DRIVER_FILES: "/nowhere.json", LD_LIBRARY_PATH: "" });
  assert.equal(usable, false);
  if (process.platform === "linux")
    assert.match(reason, /libvulkan.so.1, or a driver for it, is missing|did not accept/);
});

test("a GPU that computes a step wrongly is refused, and one that is slower than the CPU", () => {
  const here = [0.5, -2, 300];
  const fast = { here, side: 512, msThere: 1, msHere: 9 };
  assert.deepEqual(judge({ ...fast, there: [0.5, -2, 300.001] }).usable, true);
  assert.match(judge({ ...fast, there: here }).reason, /1.0 ms against 9.0 ms/);
  assert.match(judge({ ...fast, there: [0.5, -2.001, 300] }).reason, /wrongly \(off by 5.0e-4\)/);
  assert.match(judge({ ...fast, there: [Number.NaN, -2, 300] }).reason, /wrongly \(off by NaN\)/);
  assert.equal(judge({ there: here, here, side: 512, msThere: 9, msHere: 9 }).usable, false);
  assert.equal(
    judge({ ...fast, here: [0, 1e-8], there: [1e-6, -1e-8] }).usable,
    true,
    "zeros are off by little",
  );
  assert.equal(judge({ ...fast, here: [0], there: [3e-5] }).usable, false);
  assert.match(
    judge({ there: here, here, side: 512, msThere: 9.5, msHere: 9 }).reason,
    /slower: 9.5 ms against 9.0 ms/,
  );
});

test("what only the CPU has keeps the GPU from being tried, and that is said", withOnnxRuntime, async () => {
  for (const [options, reason] of [
    [{ threads: 2 }, "threads"],
    [{ frozen: "int8" }, "int8"],
  ] as const) {
    const { candidates, passedOver } = await devicesFor(chooseEngine(options));
    assert.deepEqual(candidates, [options]);
    assert.match(passedOver.join(), new RegExp(`webgpu not used: .*${reason}`));
  }
  const asked = await devicesFor(chooseEngine({ provider: "cpu", threads: 2 }));
  assert.deepEqual(asked.passedOver, []);
});

test(
  "what runs on webgpu names the adapter, and what runs on something else why",
  webgpu.options,
  async () => {
    const g = new GraphWriter();
    const x = g.input("x", [2]);
    g.output("y", g.node("Square", { x }, [{ shape: [2] }])[0]);
    const engine = await openGraph(g.finish(), {}, { open: webgpu.open });
    assert.equal(
      describeEngine(engine.description),
      "onnxruntime webgpu (SwiftShader, in software, float32)",
    );
    const { y } = await engine.run("step", { x: Float32Array.of(2, -3) });
    assert.deepEqual(y, Float32Array.of(4, 9));
    await engine.dispose();
    const reason = "it does not compile: no kernel";
    const cpu = { engine: "onnxruntime", device: "cpu", threads: 1, precision: "float32", reason } as const;
    assert.equal(describeRunning(cpu), `onnxruntime cpu (1 thread, float32), one graph (${reason})`);
  },
);
