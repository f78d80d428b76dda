import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type OpenEngine, onnxRuntimeProblem } from "../../../src/engine";
import { EngineProcess } from "../../../src/engine/process/engineProcess";
import { environmentFor } from "../../../src/engine/process/engines";
import { openIn } from "../../../src/engine/process/executor";
import type { TestedEngine } from "./support";

/** SwiftShader, a Vulkan device in software: Debian's and Chrome's places, or LUVIT_SWIFTSHADER. */
const places = [
  process.env.LUVIT_SWIFTSHADER,
  "/usr/lib/chromium/vk_swiftshader_icd.json",
  "/opt/google/chrome/vk_swiftshader_icd.json",
];

const driver = places.find((place) => place && existsSync(place));

/** LUVIT_TEST_GPU=1: the tests run on the machine's own GPU. */
const onGpu = process.env.LUVIT_TEST_GPU === "1";

/** The environment in which WebGPU finds that device and no other; undefined where there is none. */
export const softwareVulkan: Readonly<Record<string, string>> | undefined = onGpu
  ? {}
  : driver
    ? {
        LD_LIBRARY_PATH: [dirname(driver), process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
        VK_DRIVER_FILES: driver,
        XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? "/tmp",
      }
    : undefined;

const problem =
  onnxRuntimeProblem() ??
  (softwareVulkan
    ? undefined
    : "there is no Vulkan device in software (vk_swiftshader_icd.json, which Debian's chromium brings; LUVIT_SWIFTSHADER names another)");
if (problem) console.error(`SKIPPED: everything that runs webgpu: ${problem}`);

let running: EngineProcess | undefined;

/** One process for a file of tests: shaders that it has compiled stay. */
const openWebgpu: OpenEngine = (programs, options = {}) => {
  const settings = { ...options, provider: "webgpu" } as const;
  if (!running?.alive)
    running = new EngineProcess("onnxruntime", {
      ...environmentFor("onnxruntime", settings),
      ...softwareVulkan,
    });
  return openIn(running, programs, settings);
};

/** onnxruntime on a WebGPU device in software. */
export const webgpu: TestedEngine = {
  engine: "onnxruntime",
  title: "onnxruntime webgpu",
  open: openWebgpu,
  options: { skip: problem ?? false },
};
