import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { adapterOf, hasVulkanLoader } from "../../../src/engine/gpu/adapter";
import { freeArrays } from "../../../src/engine/onnx/host/freeArrays";
import { HeldGradients } from "../../../src/engine/onnx/host/heldGradients";
import type { OnnxModel } from "../../../src/engine/onnx/model";
import { refuseTwoTrainers } from "../../../src/engine/onnx/open";
import { loadOnnxRuntime, type OnnxRuntime, tensorOf } from "../../../src/engine/onnx/runtime";
import { createSession, type SessionSettings, settleOptions } from "../../../src/engine/onnx/session";
import { HostTraffic } from "../../../src/engine/onnx/traffic";
import type { OpenOptions } from "../../../src/engine/options";
import { temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";
import { eventually, growingProduct } from "./processSupport";
import { openGraph, withOnnxRuntime } from "./support";

const model: OnnxModel = { name: "m", nodes: [], inputs: [], outputs: [], initializers: [] };

/** What onnxruntime is asked for. */
async function asked(settings: SessionSettings & { kept?: readonly string[] }) {
  let options: Record<string, unknown> = {};
  const session = { run: async () => ({}), release: async () => undefined };
  const create = async (_: Uint8Array, given: object) => {
    options = given as typeof options;
    return session;
  };
  const made = await createSession(
    { InferenceSession: { create } } as unknown as OnnxRuntime,
    model,
    settings,
  );
  return { options, made, session };
}

describe("a session", () => {
  test("has the threads and the provider that are asked for, and what was found fastest and leanest", async () => {
    const { options, made, session } = await asked({ threads: 3, provider: "cpu", kept: ["a"] });
    assert.deepEqual(options, {
      executionProviders: ["cpu"],
      intraOpNumThreads: 3,
      interOpNumThreads: 1,
      executionMode: "sequential",
      enableCpuMemArena: false,
      enableMemPattern: false,
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      extra: {
        session: { intra_op: { allow_spinning: "1" } },
        optimization: { disable_specified_optimizers: "GemmTransposeFusion" },
      },
    });
    assert.equal(made, session);
  });

  test("on WebGPU leaves what is kept on the device, and takes no detour over the CPU", async () => {
    const { options } = await asked({ threads: 1, provider: "webgpu", kept: ["a", "b"] });
    assert.deepEqual(options.executionProviders, ["webgpu"]);
    assert.deepEqual(options.preferredOutputLocation, { a: "gpu-buffer", b: "gpu-buffer" });
    assert.deepEqual((options.extra as { session: object }).session, {
      intra_op: { allow_spinning: "1" },
      disable_cpu_ep_fallback: "1",
    });
  });

  test("is counted where that is wanted, and released all the same", async () => {
    const traffic = new HostTraffic();
    const { made, session } = await asked({ threads: 1, provider: "cpu", traffic });
    assert.notEqual(made, session);
    const tensor = (bytes: number, location = "cpu") => ({ location, data: new Uint8Array(bytes) });
    session.run = async () => ({ y: tensor(3), z: tensor(100, "gpu-buffer") });
    const results = await made.run({ x: tensor(5) as never }, {});
    assert.deepEqual([Object.keys(results), traffic.bytes], [["y", "z"], 8]);
    await made.run({}, {});
    assert.equal(traffic.bytes, 11);
    let released = 0;
    session.release = async () => void released++;
    await made.release();
    assert.equal(released, 1);
  });

  test("that cannot be had is explained with what the provider needs, without the place in its source", async () => {
    for (const [provider, message, told] of [
      ["cpu", "bad model\nmore", "onnxruntime cpu did not accept the graph: bad model"],
      [
        "webgpu",
        "/src/x/webgpu.cc:12 Open() adapter was false. no adapter",
        "onnxruntime webgpu did not accept the graph: no adapter; it needs a device that Vulkan (libvulkan.so.1), Metal or Direct3D 12 can drive",
      ],
      [
        "cuda",
        "no such library",
        /cuda did not accept the graph: no such library; it needs an NVIDIA GPU, CUDA and cuDNN, /,
      ],
      [
        "webgpu",
        "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled",
        'onnxruntime webgpu did not accept the graph: onnxruntime has no kernel on webgpu for one of its operators; use provider "cpu"',
      ],
    ] as const) {
      const cause = new Error(message);
      const create = () => Promise.reject(cause);
      const runtime = { InferenceSession: { create } } as unknown as OnnxRuntime;
      await assert.rejects(createSession(runtime, model, { threads: 1, provider }), (error: Error) => {
        assert.ok(isLuvitError("engine")(error));
        assert.equal(error.cause, cause);
        if (typeof told === "string") assert.equal(error.message, told);
        else assert.match(error.message, told);
        return true;
      });
    }
  });

  test("does not report to its makers: a worker thread that cannot prevent it has none", async () => {
    const code = `const { workerData, parentPort } = require("node:worker_threads");
      try { require(workerData).expectNoTelemetry(); parentPort.postMessage("none"); }
      catch (error) { parentPort.postMessage(error.code + ": " + error.message); }`;
    const said = (environment: object) =>
      new Promise((resolve) => {
        const workerData = join(__dirname, "../../../src/engine/onnx/runtime.js");
        const env = { ...process.env, ORT_DISABLE_TELEMETRY: undefined, ...environment } as NodeJS.ProcessEnv;
        new Worker(code, { eval: true, workerData, env }).once("message", resolve);
      });
    assert.match(`${await said({})}`, /^engine: onnxruntime in a worker thread would send telemetry/);
    assert.match(`${await said({ ORT_DISABLE_TELEMETRY: "0" })}`, /^engine: /);
    assert.equal(await said({ ORT_DISABLE_TELEMETRY: "1" }), "none");
  });
});

test("what onnxruntime cannot do is refused; what is not said is all cores, the CPU and float32", () => {
  const settled = (options: OpenOptions) => settleOptions(options);
  const { threads, ...rest } = settled({});
  assert.ok(Number.isInteger(threads) && threads > 0);
  assert.deepEqual(rest, { provider: "cpu", frozen: undefined });
  assert.deepEqual(settled({ threads: 3, provider: "webgpu", precision: "float16" }), {
    threads: 3,
    provider: "webgpu",
    frozen: undefined,
    products: "float16",
  });
  assert.deepEqual(settled({ threads: 1, precision: "float32", frozen: "int8" }), {
    threads: 1,
    provider: "cpu",
    frozen: "int8",
    products: "float32",
  });
  for (const [options, words] of [
    [{ precision: "bfloat16" }, "the onnxruntime engine has no bfloat16"],
    [{ precision: "float16" }, 'precision "float16" is for the provider "webgpu", not "cpu"'],
    [
      { precision: "float16", provider: "cuda" },
      'precision "float16" is for the provider "webgpu", not "cuda"',
    ],
    [
      { frozen: "int8", provider: "webgpu" },
      'frozen weights in int8 are for the provider "cpu", not "webgpu"',
    ],
    [{ frozen: "int8", provider: "cuda" }, 'frozen weights in int8 are for the provider "cpu", not "cuda"'],
  ] as const)
    assert.throws(() => settled(options), isLuvitError("engine", words));
});

test("two programs that both end with AdamW are refused by name, one among others is not", () => {
  const program = (name: string, updates: number) => ({ name, updates: Array(updates).fill({}) });
  const refuse =
    (...programs: object[]) =>
    () =>
      refuseTwoTrainers(programs as never);
  refuse(program("a", 3), program("b", 0), program("c", 0))();
  refuse()();
  assert.throws(
    refuse(program("a", 1), program("b", 0), program("c", 2)),
    isLuvitError("bad-argument", "programs a and c both end with AdamW"),
  );
});

test(
  "a tensor is made over an array of its type, of any other over a copy in its type",
  withOnnxRuntime,
  () => {
    const runtime = loadOnnxRuntime();
    const input = (dtype: "float32" | "int32" | "bool") => ({
      name: "x",
      value: { id: 0, shape: [2], dtype },
    });
    const own = Float32Array.of(1.5, -2);
    const same = tensorOf(runtime, input("float32"), own);
    assert.equal(same.data, own);
    assert.deepEqual([...same.dims], [2]);
    assert.deepEqual(tensorOf(runtime, input("int32"), own).data, Int32Array.of(1, -2));
    assert.deepEqual(
      tensorOf(runtime, input("float32"), Uint8Array.of(0, 255)).data,
      Float32Array.of(0, 255),
    );
    assert.deepEqual([...(tensorOf(runtime, input("bool"), Uint8Array.of(0, 1)).data as Uint8Array)], [0, 1]);
  },
);

test(
  "frozen weights stay the caller's array, what is read is a copy, what is viewed is not",
  withOnnxRuntime,
  async () => {
    const { inputs, ...graph } = growingProduct();
    const frozen = { name: "frozen", value: { id: 99, shape: [2], dtype: "float32" as const } };
    const state = { w: new Float32Array(4), frozen: Float32Array.of(1, 2) };
    const engine = await openGraph({ ...graph, inputs, state: [...graph.state, frozen] }, state, {
      threads: 1,
    });
    assert.equal((await engine.viewState!(["frozen"])).frozen.buffer, state.frozen.buffer);
    const read = await engine.readState(["frozen", "w"]);
    assert.notEqual(read.frozen.buffer, state.frozen.buffer);
    read.w.fill(3);
    state.w.fill(5);
    assert.deepEqual(
      [...(await engine.readState()).w],
      [0, 0, 0, 0],
      "neither the array given nor that read",
    );
    assert.deepEqual(Object.keys(await engine.viewState!()), ["w"]);
    await engine.dispose();
  },
);

test("arrays that are given back are empty at once, two views of one memory too", () => {
  const [a, b] = [new Float32Array(4), new Float32Array(8)];
  const view = b.subarray(2, 4);
  freeArrays([a, b, view]);
  assert.deepEqual([a.length, b.length, view.length], [0, 0, 0]);
  freeArrays([]);
});

test("held gradients are summed by name, given back once they are, and spoiled by one run that was not finite", () => {
  const gradients = (...numbers: number[]) =>
    new Map(numbers.map((x, i) => [`g${i}`, Float32Array.of(x, 10 * x)] as const));
  const held = new HeldGradients();
  const [first, second, last] = [gradients(1, 2), gradients(3, 4), gradients(5, 6)];
  held.add(first, true);
  held.add(second, true);
  assert.equal(second.get("g0")!.length, 0, "its numbers are in the sum");
  assert.equal(held.release(last), true);
  assert.deepEqual([...last.values()], [Float32Array.of(9, 90), Float32Array.of(12, 120)]);
  assert.equal(first.get("g1")!.length, 0);
  const alone = gradients(7);
  assert.equal(held.release(alone), true);
  assert.deepEqual(alone.get("g0"), Float32Array.of(7, 70), "nothing of what was released is left");
  held.add(gradients(1), false);
  held.add(gradients(1), true);
  assert.equal(held.release(gradients(1)), false);
  assert.equal(held.release(gradients(1)), true, "only that group is spoiled");
});

const maps = process.platform === "linux" ? readFileSync("/proc/self/maps", "utf8") : "";
const library = /(\/\S*\/libm[.-]\S*)/.exec(maps)?.[1];
const linuxOnly = { skip: library ? false : "needs Linux" };

test("what computes behind WebGPU is told by the driver that a process has loaded", linuxOnly, async () => {
  const folder = temporaryFolder();
  for (const [names, adapter, hasLoader] of [
    [["libvk_swiftshader.so"], { name: "SwiftShader, in software", isSoftware: true }, false],
    [["libvulkan_lvp.so", "libvulkan.so.1"], { name: "llvmpipe, in software", isSoftware: true }, true],
    [
      ["libvulkan_lvp.so", "libvk_swiftshader.so"],
      { name: "SwiftShader, in software", isSoftware: true },
      false,
    ],
    [["libvulkan_asahi.so", "libvulkan_lvp.so"], { name: "llvmpipe, in software", isSoftware: true }, false],
    [["libother.so"], undefined, false],
  ] as const) {
    const paths = names.map((name) => join(folder, name));
    for (const path of paths) copyFileSync(library!, path);
    const child = spawn("cat", {
      env: { ...process.env, LD_PRELOAD: paths.join(" ") },
      stdio: ["pipe", "ignore", "ignore"],
    });
    const loaded = () =>
      paths.every((path) => readFileSync(`/proc/${child.pid}/maps`, "utf8").includes(path));
    assert.ok(await eventually(loaded), names.join());
    assert.deepEqual(adapterOf(child.pid!), adapter, names.join());
    assert.equal(hasVulkanLoader(child.pid!), hasLoader, names.join());
    child.stdin.end();
  }
  assert.equal(adapterOf(2 ** 30), undefined, "there is no such process");
  assert.equal(hasVulkanLoader(2 ** 30), false);
});
