import { availableParallelism } from "node:os";
import { LuvitError } from "../../core/errors";
import type { OpenOptions } from "../executor";
import type { Products } from "./lower/scope";
import type { OnnxModel, OnnxPort } from "./model";
import { encodeModel } from "./proto";
import { expectNoTelemetry, type OnnxRuntime, type OnnxSession } from "./runtime";
import type { HostTraffic } from "./traffic";

/** Threads, provider and the type of frozen weights, as they will be. */
export interface SessionSettings {
  readonly threads: number;
  readonly provider: NonNullable<OpenOptions["provider"]>;
  readonly frozen?: OpenOptions["frozen"];
  /** What products are computed in; default float32. */
  readonly products?: Products;
  readonly traffic?: HostTraffic;
}

/** @throws LuvitError("engine") for what onnxruntime cannot do. */
export function settleOptions({
  threads = availableParallelism(),
  provider = "cpu",
  precision,
  frozen,
}: OpenOptions): SessionSettings {
  if (precision === "bfloat16") {
    const message = "the onnxruntime engine has no bfloat16; use the tensorflow engine for it";
    throw new LuvitError("engine", message);
  }
  if (precision === "float16" && provider !== "webgpu") {
    throw new LuvitError("engine", `precision "float16" is for the provider "webgpu", not "${provider}"`);
  }
  if (frozen && provider !== "cpu") {
    throw new LuvitError(
      "engine",
      `frozen weights in ${frozen} are for the provider "cpu", not "${provider}"`,
    );
  }
  return { threads, provider, frozen, ...(precision && { products: precision }) };
}

/**
 * A session. On WebGPU results named in `kept` stay in the device's memory, and a node that it has no kernel for is an
 * error instead of a detour over the CPU. Sequential execution, no memory pattern, no arena (see the engine process's environment): the fastest and the leanest
 * of what was measured for training steps.
 */
export async function createSession(
  runtime: OnnxRuntime,
  model: OnnxModel<OnnxPort>,
  { threads, provider, traffic, kept = [] }: SessionSettings & { kept?: readonly string[] },
): Promise<OnnxSession> {
  expectNoTelemetry();
  try {
    const session = await runtime.InferenceSession.create(encodeModel(model), {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      enableCpuMemArena: false,
      enableMemPattern: false,
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      ...(provider === "webgpu"
        ? { preferredOutputLocation: Object.fromEntries(kept.map((name) => [name, "gpu-buffer"])) }
        : {}),
      extra: {
        session: {
          intra_op: { allow_spinning: "1" },
          ...(provider === "webgpu" ? { disable_cpu_ep_fallback: "1" } : {}),
        },
        optimization: { disable_specified_optimizers: "GemmTransposeFusion" },
      },
    });
    return traffic?.over(session) ?? session;
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    throw new LuvitError(
      "engine",
      `onnxruntime ${provider} did not accept the graph: ${adviceOn(provider, reason)}`,
      {
        cause,
      },
    );
  }
}

/** The reason with what to do. */
function adviceOn(provider: string, reason: string): string {
  if (/fallback to CPU EP/.test(reason))
    return `onnxruntime has no kernel on ${provider} for one of its operators; use provider "cpu"`;
  // Before what failed stand the file of onnxruntime's source and the condition that it checked.
  const plain = reason.replace(/^\/\S+:\d+ .* was false\. /, "");
  return [plain, providerNeeds[provider]].filter(Boolean).join("; ");
}

const providerNeeds: Readonly<Record<string, string>> = {
  cuda:
    "it needs an NVIDIA GPU, CUDA and cuDNN, and the libraries that onnxruntime-node's own install script fetches " +
    "(node node_modules/onnxruntime-node/script/install.js)",
  webgpu: "it needs a device that Vulkan (libvulkan.so.1), Metal or Direct3D 12 can drive",
};
