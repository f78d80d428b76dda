import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { chooseEngine, describeEngine } from "../../../src/engine";
import {
  compilesAtFirstUse,
  findGpu,
  type Gpu,
  gpuProblem,
  hasNvidiaDriver,
  oneVisibleDevice,
  parseGpus,
  usableGpu,
} from "../../../src/engine/install/gpu";
import { verifyAddon } from "../../../src/engine/install/verify";
import { unpackWheel } from "../../../src/engine/install/wheel";
import { tensorflowEnvironment } from "../../../src/engine/tensorflow/environment";
import { assertRejects, temporaryFolder } from "../io/support";
import { isLuvitError, repository } from "../nn/support";
import { plainAddon } from "./plainAddon";

const gpu = (name: string, major: number, minor: number, index = 0): Gpu => ({
  index,
  name,
  capability: [major, minor],
});
const h100 = gpu("NVIDIA H100 80GB HBM3", 9, 0);
const path = process.env.PATH;

afterEach(() => {
  process.env.PATH = path;
  delete process.env.CUDA_VISIBLE_DEVICES;
});

/** A folder with a program of NVIDIA's tool's name. */
function withTool(output: string, status = 0): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\ncat <<'END'\n${output}\nEND\nexit ${status}\n`);
  chmodSync(join(folder, "nvidia-smi"), 0o755);
  return `${folder}${delimiter}${path}`;
}

test("GPUs are read as nvidia-smi lists them, whatever else it says", () => {
  const output =
    "Warning: persistence mode\n0, NVIDIA H100 80GB HBM3, 9.0\r\n1, Tesla K80, 3.7\n2, NVIDIA, Inc. Board, 12.0\nN/A, x, [N/A]\n";
  assert.deepEqual(parseGpus(output), [h100, gpu("Tesla K80", 3, 7, 1), gpu("NVIDIA, Inc. Board", 12, 0, 2)]);
  assert.deepEqual(parseGpus("No devices were found"), []);
});

test("GPUs that TensorFlow has no code for are refused with the way to webgpu", () => {
  for (const [major, minor] of [
    [6, 0],
    [7, 5],
    [8, 6],
    [8, 9],
    [9, 0],
  ])
    assert.equal(gpuProblem(gpu("fine", major, minor)), undefined);
  assert.match(gpuProblem(gpu("GeForce RTX 5090", 12, 0))!, /RTX 5090 \(compute capability 12\.0\) is newer/);
  assert.match(gpuProblem(gpu("B200", 10, 0))!, /newer/);
  assert.match(gpuProblem(gpu("Tesla K80", 3, 7))!, /older/);
  assert.throws(
    () => usableGpu([gpu("GeForce RTX 5090", 12, 0)], undefined),
    isLuvitError("engine", "RTX 5090", "12.0", 'provider "webgpu"'),
  );
});

test("only kernels for capability 9.0 are compiled by the driver", () => {
  assert.ok(compilesAtFirstUse(h100));
  assert.ok(!compilesAtFirstUse(gpu("A100", 8, 0)));
});

test("an engine uses one GPU, the first that it may", () => {
  assert.equal(oneVisibleDevice(undefined), "0");
  assert.equal(oneVisibleDevice("2,3"), "2");
  assert.equal(oneVisibleDevice("GPU-1a, GPU-2b"), "GPU-1a");
  assert.equal(oneVisibleDevice(""), "-1");
  assert.deepEqual(
    [0, 1, 2].map((worker) => oneVisibleDevice("4,6", worker)),
    ["4", "6", "4"],
  );
  assert.equal(oneVisibleDevice(undefined, 3), "3");
  const two = [h100, gpu("A100", 8, 0, 1)];
  assert.equal(usableGpu(two, undefined).name, h100.name);
  assert.equal(usableGpu(two, "1,0").name, "A100");
  for (const hidden of ["-1", "", "7"])
    assert.throws(() => usableGpu(two, hidden), isLuvitError("engine", "1 A100", `"${hidden}"`));
});

test("the driver is found on Linux and under WSL2", () => {
  const folder = temporaryFolder();
  const [linux, wsl] = ["version", "libcuda.so.1"].map((name) => join(folder, name));
  assert.equal(hasNvidiaDriver([linux, wsl]), false);
  writeFileSync(wsl, "");
  assert.equal(hasNvidiaDriver([linux, wsl]), true);
});

test("a tool that does not answer is an error with what it said", async () => {
  process.env.PATH = withTool("NVIDIA-SMI has failed because it couldn't communicate with the driver", 9);
  await assertRejects(() => findGpu(), "engine", "does not answer", "communicate", 'provider "webgpu"');
  process.env.PATH = withTool("0, NVIDIA A100-SXM4-40GB, 8.0");
  assert.deepEqual(await findGpu(), gpu("NVIDIA A100-SXM4-40GB", 8, 0));
});

test("engine install --cuda refuses a GPU it cannot use before it downloads anything", () => {
  const cache = temporaryFolder();
  const env = { ...process.env, LUVIT_ENGINE_CACHE: cache, PATH: withTool("0, GeForce RTX 5090, 12.0") };
  const cli = join(repository, "dist", "cli.js");
  const args = [cli, "engine", "install", "--cuda"];
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /RTX 5090 \(compute capability 12\.0\).*provider "webgpu"/);
  assert.deepEqual(readdirSync(cache), []);
});

/** An addon in plain JavaScript that multiplies rightly, after `before` has run. */
function addon(before: string, usesGpu: boolean): string {
  const file = join(temporaryFolder(), "addon.js");
  const code = `${before}
${plainAddon(usesGpu)}
`;
  writeFileSync(file, code);
  return file;
}

describe("an addon for CUDA", () => {
  test("that computes on the CPU is refused with TensorFlow's own reason", async () => {
    const reasons = {
      "E0000 cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected": "finds no device",
      "W0000 Cannot dlopen some GPU libraries. Skipping registering GPU devices...": "do not load",
      "nothing of interest": "does not say why",
    };
    for (const [line, reason] of Object.entries(reasons)) {
      const silent = addon(`console.error(${JSON.stringify(line)});`, false);
      const refused = () => verifyAddon(silent, temporaryFolder(), h100);
      await assertRejects(refused, "engine", h100.name, reason, line.slice(0, 20), "it was not installed");
    }
  });

  test("is loaded on one GPU, without TF32, all kernels compiled where the driver compiles them", async () => {
    const print = (name: string, value: string | undefined) =>
      `if (process.env.${name} !== ${JSON.stringify(value)}) throw Error("${name} " + process.env.${name});\n`;
    process.env.CUDA_VISIBLE_DEVICES = "0,1";
    const common = print("CUDA_VISIBLE_DEVICES", "0") + print("NVIDIA_TF32_OVERRIDE", "0");
    const compiled =
      common + print("CUDA_MODULE_LOADING", "EAGER") + print("CUDA_CACHE_MAXSIZE", "4294967296");
    assert.equal((await verifyAddon(addon(compiled, true), temporaryFolder(), h100)).gpu, true);
    const brought = common + print("CUDA_MODULE_LOADING", undefined);
    const a100 = gpu("A100", 8, 0);
    assert.equal((await verifyAddon(addon(brought, true), temporaryFolder(), a100)).gpu, true);
  });
});

test("a program in a wheel is a program when it is unpacked, a library is none", async (context) => {
  const folder = temporaryFolder();
  const wheelPath = join(folder, "nvidia.whl");
  const make = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, mode in (("nvidia/bin/ptxas", 0o755), ("nvidia/lib/a.so", 0o644), ("other/x", 0o755)):
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (0o100000 | mode) << 16
        wheel.writestr(entry, "text")
`;
  const { status } = spawnSync("python3", ["-c", make, wheelPath]);
  if (status !== 0) return context.skip("no python3 here");
  const target = join(folder, "unpacked");
  mkdirSync(target);
  const python = { command: "python3", args: [], version: "3" };
  await unpackWheel(python, { path: wheelPath, version: "1", bytes: 1 }, target, ["nvidia/"]);
  const mode = (name: string) => statSync(join(target, "nvidia", name)).mode & 0o111;
  assert.notEqual(mode("bin/ptxas"), 0);
  assert.equal(mode("lib/a.so"), 0);
  assert.deepEqual(readdirSync(target), ["nvidia"]);
});

test("TF32 is off unless asked for, and said where it is on", () => {
  assert.equal(tensorflowEnvironment({}).NVIDIA_TF32_OVERRIDE, "0");
  assert.equal(tensorflowEnvironment({ tf32: true }).NVIDIA_TF32_OVERRIDE, "1");
  const description = { engine: "tensorflow", device: "GPU", precision: "float32" } as const;
  assert.equal(describeEngine({ ...description, tf32: true }), "tensorflow GPU (float32 (tf32 products))");
  assert.equal(describeEngine(description), "tensorflow GPU (float32)");
  for (const engine of ["onnxruntime", "eager"] as const)
    assert.throws(() => chooseEngine({ engine, tf32: true }), isLuvitError("engine", "TensorFloat-32"));
});

test("an engine's process sees one GPU, or none where the CPU is asked for", () => {
  process.env.CUDA_VISIBLE_DEVICES = "3,1";
  assert.equal(tensorflowEnvironment({}).CUDA_VISIBLE_DEVICES, "3");
  assert.equal(tensorflowEnvironment({ provider: "cpu" }).CUDA_VISIBLE_DEVICES, "-1");
});
