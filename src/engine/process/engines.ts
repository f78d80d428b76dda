import { createRequire } from "node:module";
import { join } from "node:path";
import type { OpenEngine, OpenOptions } from "../executor";
import { WITHOUT_TELEMETRY } from "../onnx/runtime";
import { tensorflowEnvironment } from "../tensorflow/environment";

/** An engine that runs in a process of its own. */
export type ProcessEngine = "onnxruntime" | "tensorflow";

interface EngineEntry {
  /** Module beside this folder, loaded in the engine's process only. */
  module: string;
  /** Its export. */
  open: string;
  /** Environment that the engine reads when it is loaded; runs that need another one get another process. */
  environment(options: OpenOptions): Record<string, string>;
}

/** For glibc's allocator: one heap for all threads; heaps of their own cost a LUViT-B's step 50 MB more. */
const oneHeap = { MALLOC_ARENA_MAX: "1" };

/**
 * For glibc's allocator: what one step frees stays in one heap for the next, large arrays too. As fast as onnxruntime's
 * own arena and a gigabyte smaller in a ViT-B's step: the arena grows by doubling, and arrays of JavaScript, the
 * gradients, cannot be in it.
 */
const keepMemory = {
  ...oneHeap,
  MALLOC_MMAP_THRESHOLD_: `${2 ** 32}`,
  MALLOC_TRIM_THRESHOLD_: `${2 ** 34}`,
  MALLOC_TOP_PAD_: `${2 ** 24}`,
};

const engines: Record<ProcessEngine, EngineEntry> = {
  onnxruntime: {
    module: "onnx/executor",
    open: "openOnnxEngine",
    environment: () => ({ ...keepMemory, ...WITHOUT_TELEMETRY }),
  },
  tensorflow: {
    module: "tensorflow/executor",
    open: "openTensorflowEngine",
    environment: (options) => ({ ...oneHeap, ...tensorflowEnvironment(options) }),
  },
};

export const environmentFor = (engine: ProcessEngine, options: OpenOptions) =>
  engines[engine].environment(options);

/** In the engine's process only. */
export function loadEngine(engine: ProcessEngine): OpenEngine {
  const { module, open } = engines[engine];
  return createRequire(__filename)(join(__dirname, "..", `${module}.js`))[open];
}
