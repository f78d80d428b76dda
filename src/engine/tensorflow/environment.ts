import { existsSync, readFileSync } from "node:fs";
import { LuvitError } from "../../core/errors";
import type { OpenOptions } from "../executor";
import { gpuEnvironment, loaderEnvironment } from "../install/loader";
import { findTensorflow } from "./binding";

/** Read by oneDNN when it is loaded: whether products of float32 may be computed in bfloat16. */
const PRODUCTS = "ONEDNN_DEFAULT_FPMATH_MODE";

/** What a process must have in its environment, from its start, to run the tensorflow engine with these options. */
export function tensorflowEnvironment(options: OpenOptions): Record<string, string> {
  const { precision, threads, provider, tf32 } = options;
  const found = findTensorflow();
  return {
    ...(found ? loaderEnvironment(found.folder) : {}),
    ...gpuEnvironment({ tf32 }),
    ...(provider === "cpu" ? { CUDA_VISIBLE_DEVICES: "-1" } : {}),
    ...threadCounts(threads),
    [PRODUCTS]: precision === "bfloat16" ? "BF16" : "STRICT",
    TF_CPP_MIN_LOG_LEVEL: "2",
    TF_ENABLE_ONEDNN_OPTS: "1",
    TF_FORCE_GPU_ALLOW_GROWTH: "true",
  };
}

function threadCounts(threads: number | undefined): Record<string, string> {
  if (threads === undefined) return {};
  return { TF_NUM_INTRAOP_THREADS: `${threads}`, OMP_NUM_THREADS: `${threads}` };
}

let applied: Record<string, string> | undefined;

/**
 * Sets what is missing of the environment in this process, before the library is loaded.
 *
 * @throws LuvitError("engine") when the library was loaded here for another precision.
 */
export function applyEnvironment(options: OpenOptions): void {
  const wanted = tensorflowEnvironment(options);
  if (applied === undefined) {
    for (const [name, value] of Object.entries(wanted)) process.env[name] ??= value;
    applied = wanted;
  }
  if (process.env[PRODUCTS] === wanted[PRODUCTS]) return;
  throw new LuvitError(
    "engine",
    `tensorflow: this process computes products with ${PRODUCTS}=${process.env[PRODUCTS]}, precision ` +
      `"${options.precision ?? "float32"}" needs ${wanted[PRODUCTS]}; open it in a process of its own`,
  );
}

/** Whether the processor multiplies bfloat16 faster than float32. */
export function multipliesBfloat16(): boolean {
  const information = "/proc/cpuinfo";
  return existsSync(information) && /\b(amx_bf16|avx512_bf16)\b/.test(readFileSync(information, "utf8"));
}
