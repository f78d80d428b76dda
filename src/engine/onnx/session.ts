import { availableParallelism } from "node:os";
import { LuvitError } from "../../core/errors";
import type { Graph } from "../../graph/ir";
import type { OpenOptions } from "../executor";
import type { OnnxModel } from "./model";
import { encodeModel } from "./proto";
import { expectNoTelemetry, type OnnxRuntime, type OnnxSession } from "./runtime";

/** Threads and provider as they will be. */
export function settleOptions({
  threads = availableParallelism(),
  provider = "cpu",
  precision,
  frozen,
}: OpenOptions) {
  if (precision === "bfloat16") {
    const message = "the onnxruntime engine computes in float32 only; use the tensorflow engine for bfloat16";
    throw new LuvitError("engine", message);
  }
  if (frozen && provider !== "cpu") {
    throw new LuvitError(
      "engine",
      `frozen weights in ${frozen} are for the provider "cpu", not "${provider}"`,
    );
  }
  return { threads, provider, frozen };
}

/**
 * Sequential execution, no memory pattern, no arena (see the engine process's environment): the fastest and the leanest
 * of what was measured for training steps.
 */
export async function createSession(
  runtime: OnnxRuntime,
  model: OnnxModel,
  { threads, provider }: { threads: number; provider: string },
): Promise<OnnxSession> {
  expectNoTelemetry();
  try {
    return await runtime.InferenceSession.create(encodeModel(model), {
      executionProviders: [provider],
      intraOpNumThreads: threads,
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
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    const needs = providerNeeds[provider] ? `; ${providerNeeds[provider]}` : "";
    throw new LuvitError("engine", `onnxruntime ${provider} did not accept the graph: ${reason}${needs}`, {
      cause,
    });
  }
}

/** Gradients whose 1 / deviation the forward operator gives as its second result. */
const rmsGradients = ["LuvitRmsNormInputGradient", "LuvitRmsNormWeightGradient"];

/**
 * onnxruntime 1.30 never writes the second result of SimplifiedLayerNormalization on WebGPU, so that gradients through
 * RMSNorm are wrong there.
 *
 * @throws LuvitError("engine") naming the graphs that would be computed wrongly.
 */
export function refuseWrongGradients(provider: string, graphs: readonly Graph[]): void {
  if (provider !== "webgpu") return;
  const wrong = graphs.filter(({ nodes }) => nodes.some(({ op }) => rmsGradients.includes(op)));
  if (wrong.length === 0) return;
  const names = wrong.map(({ name }) => `"${name}"`).join(", ");
  throw new LuvitError(
    "engine",
    `provider "webgpu": graph ${names} has gradients through RMSNorm (a LLaMA block's), which onnxruntime computes ` +
      `wrongly there; use provider "cpu", which is the default`,
  );
}

const providerNeeds: Readonly<Record<string, string>> = {
  cuda:
    "it needs an NVIDIA GPU, CUDA and cuDNN, and the libraries that onnxruntime-node's own install script fetches " +
    "(node node_modules/onnxruntime-node/script/install.js)",
  webgpu: "it needs a device that Vulkan (libvulkan.so.1), Metal or Direct3D 12 can drive",
};
